"""Words say how good, beside what, and that within the interval there is no difference."""

import pandas as pd
import pytest

from haplorag.report.accuracy_table import find_best
from haplorag.report.sentences import (
    choose_ours,
    compare_with_others,
    describe_difference,
    describe_mask,
)
from haplorag.settings import Mask

R2 = {
    "common": {"copying": 0.9, "li_stephens": 0.89, "allele_frequency": 0.1, "beagle": 0.8},
    "rare": {"copying": 0.6, "li_stephens": 0.6, "allele_frequency": 0.0, "beagle": 0.5},
}


def differences(**low):
    """Pairs of R2's methods whose intervals reach from `low` to 0.2 above."""
    rows = [
        (method, versus, "", group, group, value - R2[group][versus], bound, bound + 0.2)
        for (method, versus), bound in {tuple(k.split("__")): v for k, v in low.items()}.items()
        for group in ("common", "rare")
        for value in [R2[group][method]]
    ]
    columns = ["method", "versus", "population", "group", "kind", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (0.012, 0.004, 0.02, "better by 0.012 (95\u00a0% interval 0.0040 to 0.020)"),
        (-0.012, -0.02, -0.004, "worse by 0.012 (95\u00a0% interval −0.020 to −0.0040)"),
        (0.0001, -0.001, 0.0012, "no difference (95\u00a0% interval −0.0010 to 0.0012)"),
        (0.02, 0.02, 0.02, "0.020 higher (no interval was asked for)"),
    ],
)
def test_a_difference_is_said_with_its_interval(value, low, high, words):
    assert describe_difference(value, low, high) == words


def test_the_best_tool_and_then_training_are_set_beside():
    table = differences(li_stephens__beagle=0.01, copying__li_stephens=-0.1)
    tool, trained = compare_with_others(R2, table, "li_stephens", ["copying"])
    assert (tool.ours, tool.other, tool.kind) == ("Li and Stephens", "Beagle", "other tool")
    assert tool.verdicts["common"].words.startswith("better by 0.090")
    assert (trained.ours, trained.other) == ("copying", "Li and Stephens")
    assert trained.verdicts["rare"].words.startswith("no difference")


def test_without_a_tool_the_best_simpler_method_is_named():
    r2 = {group: {**scores} for group, scores in R2.items()}
    for scores in r2.values():
        del scores["beagle"]
    table = differences(li_stephens__allele_frequency=0.3)
    plain, _ = compare_with_others(r2, table, "li_stephens", ["copying"])
    assert (plain.other, plain.kind) == ("allele frequency", "simpler method")


def test_what_imputes_is_told_of_first():
    assert choose_ours(R2, "li_stephens") == "li_stephens"
    assert choose_ours({"rare": {"knows": 1.0}}, "li_stephens") == "knows"


def test_ties_are_nobodys_best():
    methods = ["copying", "li_stephens", "beagle"]
    pairs = {"copying__beagle": 0.01, "li_stephens__beagle": 0.01}
    tied = differences(**pairs, copying__li_stephens=-0.1)
    assert find_best(tied, methods) == {}
    clear = differences(**pairs, copying__li_stephens=0.001)
    assert find_best(clear, methods) == {"common": "copying", "rare": "copying"}


def test_masks_are_told_in_words():
    assert describe_mask(Mask(strategy="array", rate=0.9)) == (
        "90 % of sites hidden, as a genotyping array leaves them"
    )
