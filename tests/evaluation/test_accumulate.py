"""Counts add up over blocks and chromosomes, and totals are never taken for names."""

import numpy as np
import pandas as pd
import pytest

from haplorag.evaluation.accumulate import (
    AccuracyAccumulator,
    TruthBlock,
    add_up_stretches,
    cut_stretches,
    resample_populations,
)
from haplorag.evaluation.differences import describe_along
from haplorag.evaluation.metrics import ALL, count_recalled, group_by_maf, list_site_groups
from haplorag.evaluation.predictions import MaskedPrediction, NeighbourShares
from haplorag.evaluation.tables import (
    StretchKey,
    describe_accuracy,
    describe_recall,
    select_kind,
    select_maf_bins,
    select_metric,
    select_overall,
)
from haplorag.settings import EvaluationSettings

EDGES = [0.0, 0.1, 0.5]
KEY = StretchKey("half", "copying", "1")
SETTINGS = EvaluationSettings(maf_bins=EDGES, rare_maf=0.1, bootstrap=10, vote_neighbours=1)
PEOPLE, SITES = 24, 40
GENERATOR = np.random.default_rng(3)
FREQUENCY = GENERATOR.random(SITES) * 0.6
ALLELES = (GENERATOR.random((PEOPLE, SITES, 2)) < 0.4).astype(np.int8)
PROBABILITY = (0.7 * ALLELES + 0.3 * GENERATOR.random(ALLELES.shape)).astype(np.float32)


def truth(sites):
    frequency = FREQUENCY[sites]
    _, groups = group_by_maf(frequency, EDGES, 0.1)
    position = 100 * np.arange(SITES)[sites] + 1
    stretch = cut_stretches(100 * np.arange(SITES) + 1)[sites]
    return TruthBlock(sites, position, stretch, ALLELES[:, sites], groups, frequency <= 0.5)


def accumulate(names, *chromosomes):
    """Counts of one method; each chromosome is a list of blocks of sites."""
    people = pd.DataFrame({"super_population": names})
    counts = AccuracyAccumulator(resample_populations(people, SETTINGS, 1))
    for chromosome, blocks in enumerate(chromosomes, start=1):
        for sites in blocks:
            probability = PROBABILITY[:, sites]
            hidden = np.arange(probability.shape[1])
            said = MaskedPrediction("half", "copying", hidden, probability)
            counts.add_prediction(str(chromosome), truth(sites), said)
            counts.add_recall(truth(sites), NeighbourShares("half", hidden, probability))
    return counts


def tabulate(counts):
    table = describe_accuracy(counts.tallies, list_site_groups(EDGES))
    return table.drop(columns=["mask", "method"])


def test_a_super_population_may_be_called_all():
    whole = [slice(0, SITES)]
    usual = tabulate(accumulate(["AFR"] * 10 + ["EUR"] * 14, whole))
    renamed = tabulate(accumulate(["all"] * 10 + ["EUR"] * 14, whole))
    assert set(renamed["population"]) == {"", "all", "EUR"}
    pd.testing.assert_frame_equal(select_overall(usual), select_overall(renamed))
    values = [
        select_metric(select_kind(table[table["chromosome"] == ""], ALL), "r2").set_index(
            "population"
        )["value"]
        for table in (usual, renamed)
    ]
    assert values[0]["AFR"] == values[1]["all"]
    assert values[0]["EUR"] == values[1]["EUR"]


def test_blocks_and_chromosomes_add_up():
    names = ["AFR"] * PEOPLE
    whole = select_overall(tabulate(accumulate(names, [slice(0, SITES)])))
    parts = select_overall(
        tabulate(accumulate(names, [slice(0, 9), slice(9, 20)], [slice(20, SITES)]))
    )
    pd.testing.assert_frame_equal(whole, parts)


def test_bins_are_told_by_their_kind():
    table = tabulate(accumulate(["AFR"] * PEOPLE, [slice(0, SITES)]))
    assert set(select_maf_bins(table)["group"]) == {"0-0.1", "0.1-0.5"}


def test_recall_is_a_stream_of_its_own():
    counts = accumulate(["AFR"] * PEOPLE, [slice(0, 9), slice(9, SITES)])
    block = truth(slice(0, SITES))
    expected = count_recalled(PROBABILITY, ALLELES, block.groups, block.minor_is_alt)
    np.testing.assert_array_equal(counts.recalled["half"], expected)
    table = describe_recall(counts.recalled, list_site_groups(EDGES))
    assert table["kind"].tolist() == ["maf_bin", "maf_bin", "all", "rare", "common"]
    assert table["minor_alleles"].tolist() == expected[:, 0].tolist()


def test_the_mean_along_a_chromosome_leaves_out_what_is_not_defined():
    position = np.array([1, 2, 1000, 2000])
    r2 = np.array([[0.5, np.nan, 0.25, 1.0]])
    sums = {KEY: add_up_stretches(position, cut_stretches(position), r2)}
    table = describe_along(sums, {})
    assert table["sites"].tolist() == [1, 1, 1]
    assert table["value"].tolist() == pytest.approx([0.5, 0.25, 1.0])
    assert table["centre_bp"].tolist() == [1, 1000, 2000]
