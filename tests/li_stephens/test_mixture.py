"""What a mixture of settings sees, and what it makes of it."""

import numpy as np
import pytest

from haplorag.alleles import MISSING
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.mixture import (
    UNSURE,
    Mixture,
    SiteFacts,
    Traced,
    describe_sites,
    gather_features,
    is_unsure,
    mix_settings,
)
from haplorag.li_stephens.model import impute_sites, run_forward_backward
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import cut_segments
from haplorag.settings import CopyingSetting
from support import PlainPanel

SETTINGS = (
    CopyingSetting(switching=1, mismatch=1),
    CopyingSetting(switching=4, mismatch=5),
    CopyingSetting(switching=1, mismatch=25),
)
TYPED = np.arange(3, 60, 6)
CORE = np.setdiff1d(np.arange(60), TYPED)


@pytest.fixture(scope="module")
def model():
    generator = np.random.default_rng(3)
    distance = np.cumsum(generator.exponential(0.05, 60))
    return CopyingModel(distance, np.full(60, 3e-3, dtype=np.float32), SETTINGS)


@pytest.fixture(scope="module")
def panel(model):
    generator = np.random.default_rng(5)
    founders = generator.random((6, 60)) < generator.beta(0.5, 1.0, 60)
    copied = founders[generator.integers(0, 6, 20)] ^ (generator.random((20, 60)) < 0.05)
    return cut_segments(PlainPanel(copied.astype(np.uint8)), TYPED, CORE, model.distance)


@pytest.fixture(scope="module")
def queries():
    """Some of the panel, who are left out, and some of nobody's."""
    generator = np.random.default_rng(7)
    alleles = generator.integers(0, 2, (5, len(TYPED)), dtype=np.int8)
    return Queries(alleles, np.array([0, 0, 4, -1, -1]))


def see_only(queries, side):
    """The queries with the alleles of some typed sites missing."""
    alleles = queries.alleles.copy()
    alleles[:, side] = MISSING
    return Queries(alleles, queries.owner)


def test_either_side_says_what_it_says_where_the_other_is_not_typed(panel, queries, model):
    traced = run_forward_backward(queries, panel, model, evident=2)
    for place in range(len(panel.groups.before)):
        before = panel.groups.before[place]
        sites = panel.groups.of_site == place
        left = run_forward_backward(see_only(queries, slice(before, None)), panel, model)
        right = run_forward_backward(see_only(queries, slice(0, before)), panel, model)
        np.testing.assert_allclose(traced.ahead[:, sites], left.alternate[:, 2, sites], atol=1e-5)
        np.testing.assert_allclose(traced.behind[:, sites], right.alternate[:, 2, sites], atol=1e-5)


def test_agreement_is_how_much_likelier_than_by_chance_both_sides_copy_the_same(
    panel, queries, model
):
    everybody = np.tile(np.arange(20), (5, 1))
    traced = run_forward_backward(queries, panel, model, evident=2)
    others = np.where(queries.owner < 0, 20, 18)
    for place in range(len(panel.groups.before)):
        before = panel.groups.before[place]
        left = see_only(queries, slice(before, None))
        right = see_only(queries, slice(0, before))
        ahead = run_forward_backward(left, panel, model, ids=everybody).posterior[:, 2, place]
        behind = run_forward_backward(right, panel, model, ids=everybody).posterior[:, 2, place]
        expected = (ahead * behind).sum(axis=1) * others
        np.testing.assert_allclose(traced.agreement[:, place], expected, rtol=1e-4)


def test_evidence_does_not_change_the_answers(panel, queries, model):
    plain = run_forward_backward(queries, panel, model)
    told = run_forward_backward(queries, panel, model, evident=0)
    np.testing.assert_array_equal(plain.alternate, told.alternate)


def make_mixture(last):
    generator = np.random.default_rng(1)
    features = len(SETTINGS) + 6
    first = generator.normal(size=(4, features)).astype(np.float32), np.zeros(4, np.float32)
    second = np.full((1, 4), last, dtype=np.float32), np.zeros(1, dtype=np.float32)
    ones = np.ones(features, dtype=np.float32)
    return Mixture(2, np.zeros_like(ones), ones, (first, second))


def test_a_mixture_that_has_learned_nothing_gives_the_mean(panel, queries, model):
    mean = impute_sites(queries, panel, model, 1)
    mixed = impute_sites(queries, panel, model, 1, make_mixture(0.0))
    np.testing.assert_allclose(mixed, mean, atol=1e-6)


def test_a_mixture_is_asked_only_where_the_mean_is_unsure(panel, queries, model):
    traced = run_forward_backward(queries, panel, model, evident=2)
    traced.alternate[0, :, 0], traced.alternate[0, :, 1] = UNSURE / 2, 1 - UNSURE / 2
    mean = traced.alternate.mean(axis=1)
    mixed = mix_settings(make_mixture(1.0), traced, describe_sites(panel, model))
    sure = ~is_unsure(mean)
    assert sure[0, :2].all()
    np.testing.assert_array_equal(mixed[sure], mean[sure])
    assert (mixed[~sure] != mean[~sure]).mean() > 0.9
    assert ((mixed >= 0) & (mixed <= 1)).all()


def test_a_haplotype_is_told_the_same_whoever_is_beside_it():
    """To the last bit: people who are imputed apart come out as together."""
    generator = np.random.default_rng(8)

    def draw(*shape):
        return generator.random(shape, dtype=np.float32)

    traced = Traced(
        draw(300, 3, 40), np.empty((300, 3, 40, 0)), draw(300, 40), draw(300, 40), draw(300, 40)
    )
    count, many = generator.integers(1, 50, 40), np.full(40, 100)
    sites = SiteFacts(count, many, draw(40), draw(40), np.arange(40))
    together = mix_settings(make_mixture(0.3), traced, sites)
    for row in range(300):
        alone = Traced(*(part[row : row + 1, ..., :7] for part in traced))
        few = SiteFacts(*(part[:7] for part in sites))
        found = mix_settings(make_mixture(0.3), alone, few)
        np.testing.assert_array_equal(found[0], together[row, :7])


def test_ref_and_alt_may_be_the_other_way_round(queries, model):
    generator = np.random.default_rng(6)
    haplotypes = (generator.random((20, 60)) < 0.3).astype(np.uint8)
    swapped = haplotypes.copy()
    swapped[:, CORE] ^= 1
    said = [
        impute_sites(
            queries, cut_segments(PlainPanel(panel), TYPED, CORE, model.distance), model, 1,
            make_mixture(0.5),
        )
        for panel in (haplotypes, swapped)
    ]  # fmt: skip
    as_frequent = haplotypes[:, CORE].sum(axis=0) == 10
    np.testing.assert_allclose(said[0][:, ~as_frequent], 1 - said[1][:, ~as_frequent], atol=1e-5)


def test_an_own_sample_does_not_count_in_the_frequency(panel, model, queries):
    traced = run_forward_backward(queries, panel, model, evident=2)
    sites = describe_sites(panel, model)
    site = int(np.flatnonzero((sites.alternate > 1) & (sites.alternate < 9))[0])
    row, column = np.array([0]), np.array([site])
    own = np.array([1]), np.array([2])
    features, _ = gather_features(traced, sites, row, column, own)
    expected = np.log((sites.alternate[site] - 1) / 18)
    assert features[0, len(SETTINGS) + 3] == pytest.approx(expected, rel=1e-5)
