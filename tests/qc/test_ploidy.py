"""Who has one haplotype where: by haploid genotypes, by men without heterozygotes, and neither."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplorag.alleles import ABSENT, MISSING, sum_dosages, sum_genotypes
from haplorag.errors import InputError
from haplorag.imputation.target_ploidy import PanelStretches, tell_target_ploidy
from haplorag.panel.ploidy import Ploidy, assume_diploid
from haplorag.qc.ploidy import find_ploidy, settle_haploid
from haplorag.vcf.chromosomes import match_chromosome, may_be_haploid, plain_name

UNKNOWN = np.full(8, -1)
SITES, PAR = 400, 100


def draw(seed=1, people=8, men=range(0, 8, 2), way="single"):
    """Alleles int8 [S, n, 2] of men and women; men are haploid or doubled from site PAR on."""
    generator = np.random.default_rng(seed)
    share = generator.uniform(0.3, 0.7, (SITES, 1, 1))
    alleles = (generator.random((SITES, people, 2)) < share).astype(np.int8)
    for man in men:
        alleles[PAR:, man, 1] = ABSENT if way == "single" else alleles[PAR:, man, 0]
    return alleles


def find(alleles, male=UNKNOWN, block=64):
    position = 10 * np.arange(1, len(alleles) + 1)

    def read():
        for start in range(0, len(alleles), block):
            yield position[start : start + block], alleles[start : start + block]

    return find_ploidy(read, np.asarray(male), "x.vcf", may_be_doubled=True)


def by_site(found):
    position = 10 * np.arange(1, SITES + 1)
    return found.ploidy.at_sites(position).find_haploid(np.arange(SITES))


@given(st.integers(0, 2**32), st.integers(1, 200), st.floats(0, 0.3))
def test_haploid_genotypes_say_so(seed, block, missing):
    """Missing genotypes in between tell nothing, and take nothing away."""
    alleles = draw(seed)
    gone = np.random.default_rng(seed).random(alleles.shape[:2]) < missing
    # The change is seen in somebody on either side.
    gone[PAR - 1 : PAR + 1, 0] = False
    alleles[gone] = MISSING
    expected = np.zeros((SITES, 8), dtype=bool)
    expected[PAR:, ::2] = True
    found = find(alleles, block=block)
    np.testing.assert_array_equal(by_site(found), expected)
    assert not found.doubled.any()


def test_doubled_men_are_found_by_what_they_lack():
    alleles = draw(way="doubled")
    male = np.array([1, 0] * 4)
    found = find(alleles, male)
    assert found.doubled.tolist() == [True, False] * 4
    assert found.mistaken == 0
    haploid = by_site(found)
    assert haploid[PAR + 5 :, ::2].all() and not haploid[:, 1::2].any()
    # Up to the last site at which a man is heterozygous.
    assert not haploid[: PAR - 5].any()
    settled, heterozygous = settle_haploid(alleles, haploid)
    assert not heterozygous.any()
    np.testing.assert_array_equal(settled[haploid][:, 0], alleles[haploid][:, 0])
    assert (settled[haploid][:, 1] == ABSENT).all()


def test_doubled_men_are_found_beside_haploid_ones():
    alleles = draw()
    alleles[PAR:, 2, 1] = alleles[PAR:, 2, 0]
    found = find(alleles)
    assert np.flatnonzero(found.doubled).tolist() == [2]
    assert by_site(found)[PAR:, 2].all() and not by_site(found)[:PAR].any()


def test_a_wrong_sex_is_told_and_changes_nothing():
    male = np.array([1, 0, 1, 0, 0, 1, 1, 0])
    found = find(draw(), male)
    assert found.mistaken == 2
    assert by_site(found)[PAR:].all(axis=0).tolist() == [True, False] * 4


def test_diploids_stay_diploids():
    found = find(draw(men=()), np.array([1, 0] * 4))
    assert (found.ploidy.people == 2).all()
    assert found.mistaken == 4


def test_ploidy_that_never_rests_is_refused():
    alleles = draw()
    alleles[PAR::2, 0, 1] = 0
    with pytest.raises(InputError, match=r"x\.vcf: .* haploid here and diploid there.*fixploidy"):
        find(alleles)


def test_one_heterozygote_of_a_haploid_is_missing():
    alleles = np.array([[[0, 1], [1, 1], [MISSING, 1], [1, ABSENT], [0, 1]]], dtype=np.int8)
    settled, heterozygous = settle_haploid(alleles, np.array([[True] * 4 + [False]]))
    assert heterozygous.tolist() == [[True, False, False, False, False]]
    expected = [[[MISSING, ABSENT], [1, ABSENT], [1, ABSENT], [1, ABSENT], [0, 1]]]
    assert settled.tolist() == expected


def tell(alleles, panel, position=None, men=()):
    position = 10 * np.arange(1, len(alleles) + 1) if position is None else position
    stretches = PanelStretches(10 * np.arange(1, SITES + 1), panel)
    frequency = np.full(len(alleles), 0.5)
    blocks = [(position, alleles)]
    male = np.isin(np.arange(alleles.shape[1]), men)
    return tell_target_ploidy(blocks, male, frequency, stretches, "x.vcf")


@pytest.fixture
def panel():
    """A panel in which the first of two people is a man."""
    return Ploidy(np.array([0, PAR]), np.array([[2, 2], [1, 2]], dtype=np.int8))


@pytest.mark.parametrize("way", ["single", "doubled"])
def test_a_target_changes_where_the_panel_does(panel, way):
    alleles = draw(way=way)
    rows = np.arange(0, SITES, 7)
    told = tell(alleles[rows], panel, 10 * (rows + 1))
    haploid = told.ploidy.find_haploid(np.arange(SITES))
    expected = np.zeros((SITES, 8), dtype=bool)
    # Of the doubled ones too little is seen where so few sites are typed.
    expected[PAR:, ::2] = way == "single"
    np.testing.assert_array_equal(haploid, expected)
    told = tell(alleles, panel)
    expected[PAR:, ::2] = True
    np.testing.assert_array_equal(told.ploidy.find_haploid(np.arange(SITES)), expected)
    assert told.doubled.any() == (way == "doubled")


def test_men_who_are_known_are_told_by_fewer_sites(panel):
    rows = np.arange(0, SITES, 7)
    alleles, position = draw(way="doubled")[rows], 10 * (rows + 1)
    told = tell(alleles, panel, position, men=(0, 4))
    haploid = told.ploidy.find_haploid(np.arange(SITES))
    assert haploid[PAR:].all(axis=0).tolist() == [True, False, False, False, True, *[False] * 3]
    # Who is said to be a man, and has a woman's heterozygotes, is none.
    assert not tell(alleles, panel, position, men=(1, 3)).doubled.any()


def test_women_of_a_target_are_not_taken_for_men(panel):
    assert not tell(draw(men=()), panel).doubled.any()


def test_men_who_are_typed_on_x_alone_are_diploid_where_the_panel_is(panel):
    alleles = draw()[PAR:]
    told = tell(alleles, panel, 10 * np.arange(PAR + 1, SITES + 1))
    haploid = told.ploidy.find_haploid(np.arange(SITES))
    assert haploid[PAR:, ::2].all() and not haploid[:PAR].any()


def test_a_panel_without_men_believes_the_target():
    told = tell(draw(), assume_diploid(2))
    haploid = told.ploidy.find_haploid(np.arange(SITES))
    assert haploid[PAR:, ::2].all() and not haploid[:PAR].any() and not haploid[:, 1::2].any()


def test_names_of_x():
    for name in ("X", "chrX", "chrx", "NC_000023.11", "NC_000023"):
        assert plain_name(name) == "X" and may_be_haploid(name)
    assert match_chromosome("X", ["chr1", "23"]) == "23"
    assert match_chromosome("23", ["1", "chrX"]) == "chrX"
    # Cattle have an autosome 23.
    assert match_chromosome("X", ["23", "X"]) == "X"
    assert match_chromosome("23", ["23", "X"]) == "23"
    assert plain_name("chrM") == plain_name("MT") == plain_name("NC_012920.1")
    assert plain_name("NC_000007.14") == "7" and not may_be_haploid("NC_000007.14")


def test_haploid_genotypes_count_as_two_like_ones():
    alleles = np.array([[1, ABSENT], [1, 0], [MISSING, ABSENT], [MISSING, 1]], dtype=np.int8)
    assert sum_genotypes(alleles).tolist() == [2, 1, -1, -1]
    probability = np.array([[0.5, 0.9], [0.5, 0.25], [0, 0], [0, 0]])
    assert sum_dosages(probability, alleles)[:2].tolist() == [1.0, 0.75]
