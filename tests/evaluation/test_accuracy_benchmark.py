"""What benchmarks say of accuracy: mean r2 by MAF bin, and the lead over the best of others."""

from argparse import Namespace

import numpy as np
import pytest
from cyvcf2 import VCF

import accuracy
import biobank
import contest
import sizes
from accuracy import average_r2, find_bins, find_lead, name_bins
from haplorag.evaluation.bootstrap import resample_people
from haplorag.evaluation.metrics import dosage_r2_by_site
from haplorag.seeding import seed_of
from haplorag.vcf.writer import write_vcf

PEOPLE, SITES = 30, 23


@pytest.fixture
def drawn():
    """Dosages of two tools, the truth, and bins of which the first is empty."""
    generator = np.random.default_rng(4)
    truth = (generator.random((2, PEOPLE, SITES)) < 0.1).sum(axis=0)
    tools = [truth + scale * generator.normal(size=truth.shape) for scale in (0.2, 0.3)]
    bins = np.zeros((3, SITES), dtype=bool)
    bins[1, :9], bins[2, 9:] = True, True
    return tools, truth, bins


def test_the_mean_is_that_of_the_sites_that_vary():
    dosage = np.array([[0, 0, 0.2], [0, 0.5, 0], [1, 1, 0], [2, 2, 0.1]])
    truth = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [2, 2, 0]])
    bins = np.array([[True, True, True], [True, False, True], [False, False, True]])
    second = np.corrcoef(dosage[:, 1], truth[:, 1])[0, 1] ** 2
    found = average_r2(dosage, truth, bins, np.ones((1, 4)))
    np.testing.assert_allclose(found, [[(1 + second) / 2, 1, np.nan]])


def test_bins_are_those_of_the_names():
    assert name_bins() == ["0-0.001", "0.001-0.005", "0.005-0.01", "0.01-0.05", "0.05-0.5"]
    assert find_bins(np.array([0.0005, 0.99, 0.5])).argmax(axis=0).tolist() == [0, 3, 4]


def test_people_who_count_twice_are_as_two_however_many_sites_are_read_at_a_time(
    drawn, monkeypatch
):
    (dosage, _), truth, bins = drawn
    weights = resample_people(PEOPLE, 5, seed=1)
    monkeypatch.setattr(accuracy, "SITES", 4)
    for row, found in zip(weights, average_r2(dosage, truth, bins, weights), strict=True):
        people = np.repeat(np.arange(PEOPLE), row.astype(int))
        r2 = dosage_r2_by_site(dosage[people], truth[people])
        expected = [np.nan, np.nanmean(r2[bins[1]]), np.nanmean(r2[bins[2]])]
        np.testing.assert_allclose(found, expected)


def test_a_tool_has_no_lead_over_itself(drawn):
    (dosage, worse), truth, bins = drawn
    weights = resample_people(PEOPLE, 20, seed=2)
    r2, below = (average_r2(said, truth, bins, weights) for said in (dosage, worse))
    lead = find_lead(r2, [below, r2])
    assert np.isnan(lead[:, 0]).all()
    assert (lead[:, 1:] == 0).all()


def test_the_best_of_the_others_is_that_of_each_bin_and_what_all_share_drops_out():
    shared = np.random.default_rng(3).normal(size=(201, 2))
    high, low = np.array([0.75, 0.0]), np.array([0.0, 0.5])
    lead = find_lead(shared + 0.25, [shared + high, shared + low])
    np.testing.assert_allclose(lead, [[-0.5, -0.25]] * 3)
    wide = find_lead(shared, [np.zeros((201, 2))])
    assert (wide[1] < wide[0]).all() and (wide[0] < wide[2]).all()


@pytest.mark.parametrize("highest", [0.0001, -0.0001])
def test_a_bin_below_the_best_peer_beyond_its_interval_misses_a_goal_of_its_own(highest, capsys):
    cheap = {"impute": 1.0, "panel": 1.0, "peak": 1, "disk": 1}
    rows = dict.fromkeys(("plain", "mixture", *contest.PEERS), cheap)
    lead = np.array([[np.nan, 0.0, -0.001], [np.nan, -0.001, -0.002], [np.nan, 0.001, highest]])
    assert not biobank.judge_all(biobank.PANELS["biobank"], rows, lead)
    said = [line for line in capsys.readouterr().out.splitlines() if "(missed)" in line]
    assert "goal least r2 above the best peer's, mixture: -0.001," in said[0]
    beyond = [line for line in said[1:] if "goal least upper end of its intervals" in line]
    assert said[1:] == beyond and len(beyond) == (highest < 0)


def test_the_table_of_leads_is_in_units_of_a_ten_thousandth(capsys):
    lead = np.array([[1.23e-4] * 5, [-1e-6] * 5, [0.002] * 5])
    contest.show_leads({"mixture": lead})
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split() == ["mixture", *["1.2", "(0.0", "to", "20.0)"] * 5]


def test_a_part_of_a_panel_has_neither_the_people_who_are_imputed_nor_what_is_too_rare(tmp_path):
    generator = np.random.default_rng(8)
    haplotypes = (generator.random((60, 30, 2)) < generator.random((60, 1, 1))).astype(np.int8)
    haplotypes[5], haplotypes[5, 0, 0] = 0, 1
    positions = np.arange(1, 61) * 1000
    alleles = np.array([["A", "C"]] * 60)
    names = [f"s{row}" for row in range(30)]
    whole, case = tmp_path / "whole.vcf.gz", contest.Case(tmp_path / "part", "20")
    write_vcf(whole, names, {"20": (positions, alleles, haplotypes)})
    given = Namespace(vcf=whole, chromosome="20", people=5, typed=0.2, seed=3)
    truth = sizes.take_part(12, given, case)
    panel, target = (read_calls(case.folder / f"{name}.vcf.gz") for name in ("panel", "target"))
    order = np.random.default_rng(seed_of(3, "sizes")).permutation(30)
    kept = np.isin(positions, list(panel))
    assert truth["haplotypes"] == 24 and truth["people"] == [f"t{row}" for row in range(5)]
    np.testing.assert_array_equal(truth["alleles"], haplotypes[kept][:, order[:5]].swapaxes(0, 1))
    for row in np.flatnonzero(kept):
        calls = haplotypes[row, order[5:17]]
        assert 2 <= calls.sum() <= 22
        np.testing.assert_array_equal(panel[positions[row]], calls)
    assert 1000 * 6 not in panel
    assert list(target) == positions[kept][~truth["hidden"]].tolist() and 0 < len(target) <= 12


def read_calls(path):
    return {record.POS: record.genotype.array()[:, :2] for record in VCF(str(path))}


def test_a_part_that_the_panel_is_too_small_for_is_refused(tmp_path):
    alleles = np.array([["A", "C"]])
    whole = tmp_path / "whole.vcf.gz"
    write_vcf(whole, ["a", "b"], {"20": (np.array([7]), alleles, np.ones((1, 2, 2), np.int8))})
    given = Namespace(vcf=whole, chromosome="20", people=1, typed=0.2, seed=3)
    with pytest.raises(SystemExit, match="has 2 people, 6 are wanted"):
        sizes.take_part(5, given, contest.Case(tmp_path, "20"))
