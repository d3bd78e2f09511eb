"""Two methods are set beside each other in the same people, however their table names them."""

import numpy as np
import pandas as pd
import pytest

from haplorag.evaluation.bootstrap import find_interval, resample_people
from haplorag.evaluation.differences import (
    choose_references,
    describe_along,
    describe_differences,
    select_pair,
)
from haplorag.evaluation.metrics import (
    SiteGroup,
    group_by_maf,
    list_site_groups,
    tally_method,
)
from haplorag.evaluation.tables import StretchKey, TallyKey

EDGES = [0.0, 0.1, 0.5]
PEOPLE, SITES = 40, 30


@pytest.fixture(scope="module")
def table():
    """Differences of two methods whose errors are the same people's, one a little worse."""
    generator = np.random.default_rng(2)
    alleles = (generator.random((PEOPLE, SITES, 2)) < 0.3).astype(np.int8)
    hard = generator.random((PEOPLE, 1, 1))
    noise = generator.random(alleles.shape)
    weights = resample_people(PEOPLE, 200, seed=3)
    _, groups = group_by_maf(np.full(SITES, 0.3), EDGES, 0.05)
    tallies = {}
    for method, share in (("worse", 0.9), ("better", 0.85)):
        said = (1 - share * hard) * alleles + share * hard * noise
        tally, _ = tally_method(said, alleles, groups, np.ones(SITES, dtype=bool), weights)
        tallies[TallyKey("half", method, None, None)] = tally
    return describe_differences(tallies, list_site_groups(EDGES), {"half": "worse"}), tallies


def test_the_interval_is_that_of_the_difference(table):
    differences, tallies = table
    row = select_pair(differences, "better", "worse").query("group == 'all'").iloc[0]
    r2 = {key.method: tally[:, 2, -3] / tally[:, 2, -2] for key, tally in tallies.items()}
    assert row["value"] == pytest.approx(r2["better"][0] - r2["worse"][0])
    paired = row["high"] - row["low"]
    apart = sum(np.diff(find_interval(values[:, None]), axis=0).item() for values in r2.values())
    assert 0 < row["low"] < row["value"] < row["high"]
    assert paired < apart / 4


def test_a_pair_reads_both_ways(table):
    one = select_pair(table[0], "better", "worse").query("group == 'all'").iloc[0]
    other = select_pair(table[0], "worse", "better").query("group == 'all'").iloc[0]
    assert one["value"] == -other["value"] and one["low"] == -other["high"]
    assert (other["method"], other["versus"]) == ("worse", "better")


def test_one_method_alone_has_no_difference():
    tally = np.ones((1, 1, 17))
    alone = describe_differences(
        {TallyKey("half", "only", None, None): tally}, [SiteGroup("all", "all")], {"half": "only"}
    )
    assert not len(alone) and "versus" in alone


def accuracy(**r2):
    rows = [("half", method, "", "", "all", "all", "r2", value) for method, value in r2.items()]
    columns = ["mask", "method", "chromosome", "population", "group", "kind", "metric", "value"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(
    ("r2", "peers", "expected"),
    [
        ({"copying": 0.9, "beagle": 0.7, "minimac4": 0.8}, ["beagle", "minimac4"], "minimac4"),
        ({"copying": 0.9, "li_stephens": 0.8, "neighbour_vote": 0.85}, [], "li_stephens"),
        ({"copying": 0.9, "tokens": 0.8}, [], "copying"),
    ],
)
def test_the_best_peer_is_what_others_are_set_beside(r2, peers, expected):
    assert choose_references(accuracy(**r2), peers) == {"half": expected}


def test_stretches_tell_the_difference_to_the_reference():
    sums = {"a": [[8.0, 10, 50], [0, 0, 0]], "b": [[6.0, 10, 50], [0, 0, 0]]}
    along = {StretchKey("half", name, "1"): np.array([values]) for name, values in sums.items()}
    table = describe_along(along, {"half": "b"})
    apart = table[table["versus"] == "b"]
    assert apart["method"].tolist() == ["a"] and apart["value"].item() == pytest.approx(0.2)
    assert table[table["versus"] == ""]["value"].tolist() == pytest.approx([0.8, 0.6])
