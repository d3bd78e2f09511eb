"""Metrics agree with definitions worked by hand and with independent implementations."""

import shutil
import subprocess

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, f1_score, precision_score, recall_score

from haplorag.evaluation.baselines import copy_nearest
from haplorag.evaluation.bootstrap import resample_people
from haplorag.evaluation.metrics import (
    COUNTS,
    bin_reliability,
    count_people,
    dosage_r2_by_site,
    group_by_maf,
    is_maf_bin,
    list_site_groups,
    parse_maf_bin,
    score_counts,
    score_tally,
    tally_method,
)
from haplorag.vcf.writer import Site, write_phased

GENERATOR = np.random.default_rng(7)
ALLELES = (GENERATOR.random((30, 50, 2)) < 0.3).astype(np.int8)
PROBABILITY = np.clip(0.6 * ALLELES + 0.5 * GENERATOR.random(ALLELES.shape), 0, 1)
EVERYTHING = np.ones((1, 50), dtype=bool)


def test_r2_by_eye():
    truth = np.array([[0, 1, 2, 1], [2, 1, 2, 0], [1, 1, -1, 2]])
    dosage = np.array([[0.0, 0.3, 2.0, 1.0], [2.0, 0.9, 1.0, 1.0], [1.0, 0.1, 0.0, 1.0]])
    r2 = dosage_r2_by_site(dosage, truth)
    assert r2[0] == pytest.approx(1)
    assert np.isnan(r2[1]) and np.isnan(r2[2])
    assert r2[3] == 0


def test_r2_is_numpys_squared_correlation():
    truth, dosage = ALLELES.sum(axis=2), PROBABILITY.sum(axis=2)
    expected = [np.corrcoef(dosage[:, site], truth[:, site])[0, 1] ** 2 for site in range(50)]
    np.testing.assert_allclose(dosage_r2_by_site(dosage, truth), expected)


def test_scores_are_those_of_scikit_learn():
    scores = score_counts(
        count_people(PROBABILITY, ALLELES, EVERYTHING, np.ones(50, bool)).sum(axis=0)
    )
    true, called = ALLELES.ravel(), (PROBABILITY > 0.5).ravel()
    assert scores["f1"][0] == pytest.approx(f1_score(true, called))
    assert scores["precision"][0] == pytest.approx(precision_score(true, called))
    assert scores["recall"][0] == pytest.approx(recall_score(true, called))
    assert scores["accuracy"][0] == pytest.approx((true == called).mean())
    assert scores["brier"][0] == pytest.approx(brier_score_loss(true, PROBABILITY.ravel()))


def test_aggregate_r2_counts_minor_alleles():
    minor_is_alt = np.arange(50) % 3 > 0
    scores = score_counts(count_people(PROBABILITY, ALLELES, EVERYTHING, minor_is_alt).sum(axis=0))
    turn = np.where(minor_is_alt, 1, -1)
    minor = [
        turn * values.sum(axis=2) + np.where(minor_is_alt, 0, 2)
        for values in (PROBABILITY, ALLELES)
    ]
    assert scores["aggregate_r2"][0] == pytest.approx(
        np.corrcoef(minor[0].ravel(), minor[1].ravel())[0, 1] ** 2
    )


def test_concordance_by_eye():
    alleles = np.array([[[0, 0], [0, 1], [1, 1], [0, -1]]], dtype=np.int8)
    probability = np.array([[[0.1, 0.2], [0.9, 0.1], [0.9, 0.4], [0.9, 0.9]]])
    scores = score_counts(
        count_people(probability, alleles, np.ones((1, 4), bool), np.ones(4, bool)).sum(axis=0)
    )
    assert scores["concordance"][0] == pytest.approx(2 / 3)
    assert scores["nonref_concordance"][0] == pytest.approx(1 / 2)


def test_groups_cover_every_site_once():
    frequency = np.array([0.0, 0.004, 0.005, 0.03, 0.05, 0.5, 0.97])
    names, members = group_by_maf(frequency, [0, 0.005, 0.01, 0.05, 0.5], 0.05)
    assert names == ["0-0.005", "0.005-0.01", "0.01-0.05", "0.05-0.5", "all", "rare", "common"]
    assert members[:4].sum(axis=0).tolist() == [1] * 7
    assert members[3].tolist() == [False, False, False, False, True, True, False]
    assert (members[5] ^ members[6]).all()


def test_bins_are_known_by_their_edges():
    groups = list_site_groups([0, 1e-5, 0.001, 0.05, 0.5])
    bins = [group.name for group in groups if group.kind == "maf_bin"]
    assert bins == ["0-1e-05", "1e-05-0.001", "0.001-0.05", "0.05-0.5"]
    assert [group.name for group in groups if is_maf_bin(group.name)] == bins
    assert [parse_maf_bin(name) for name in bins[:2]] == [(0, 1e-5), (1e-5, 0.001)]
    with pytest.raises(ValueError, match="'rare' is not the name of a MAF bin"):
        parse_maf_bin("rare")


def test_tallies_add_up_over_chromosomes():
    groups = np.stack([np.ones(50, bool), np.arange(50) < 20])
    weights = resample_people(30, 5, seed=1)
    whole, by_site = tally_method(PROBABILITY, ALLELES, groups, np.ones(50, bool), weights)
    parts = [
        tally_method(
            PROBABILITY[:, part],
            ALLELES[:, part],
            groups[:, part],
            np.ones(50, bool)[part],
            weights,
        )[0]
        for part in (slice(0, 33), slice(33, 50))
    ]
    np.testing.assert_allclose(whole, sum(parts))
    scores = score_tally(whole)
    assert scores["r2"][0, 0] == pytest.approx(by_site[0].mean())
    assert scores["r2"][0, 1] == pytest.approx(by_site[0, :20].mean())
    assert whole.shape == (6, 2, len(COUNTS) + 3)


def test_resampling_draws_as_many_people():
    weights = resample_people(12, 100, seed=3)
    assert (weights.sum(axis=1) == 12).all() and (weights[0] == 1).all()
    assert weights[1:].mean() == pytest.approx(1)
    np.testing.assert_array_equal(weights, resample_people(12, 100, seed=3))


def test_calibration_by_eye():
    table = bin_reliability(np.array([0.02, 0.04, 0.97, 1.0]), np.array([0, 1, 1, -1]), bins=10)
    assert table[0].tolist() == pytest.approx([2, 0.06, 1])
    assert table[9].tolist() == pytest.approx([1, 0.97, 1])


def test_the_vote_by_eye():
    alleles = np.array([[[1, 0], [0, 0], [1, 1], [1, 1]]])
    distances = np.array([[2, 1, 1, -1]])
    assert copy_nearest(alleles, distances, 1).tolist() == [[0, 0]]
    assert copy_nearest(alleles, distances, 2).tolist() == [[0.5, 0.5]]
    np.testing.assert_allclose(copy_nearest(alleles, distances, 9), [[2 / 3, 1 / 3]])


@pytest.mark.skipif(not shutil.which("bcftools"), reason="needs bcftools")
def test_concordance_is_that_of_bcftools(tmp_path):
    people, called = [f"p{person}" for person in range(30)], (PROBABILITY > 0.5).astype(np.int8)
    sites = [Site(10 * site + 10, ".", "A", "C") for site in range(50)]
    for name, alleles in (("truth", ALLELES), ("called", called)):
        write_phased(tmp_path / f"{name}.vcf.gz", "1", sites, alleles.swapaxes(0, 1), people)
    command = [
        "bcftools",
        "stats",
        "-s",
        "-",
        tmp_path / "truth.vcf.gz",
        tmp_path / "called.vcf.gz",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = np.array(
        [line.split("\t")[4:10] for line in said if line.startswith("GCsS\t")], dtype=float
    ).sum(axis=0)
    same, carried = rows[:3].sum(), rows[1:].sum()
    scores = score_counts(
        count_people(PROBABILITY, ALLELES, EVERYTHING, np.ones(50, bool)).sum(axis=0)
    )
    assert scores["concordance"][0] == pytest.approx(same / rows.sum())
    assert scores["nonref_concordance"][0] == pytest.approx(rows[1:3].sum() / carried)
