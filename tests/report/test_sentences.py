"""A sentence sets the best model beside the best other method."""

import pytest

from haplorag.report.sentences import compare_models

R2 = {
    "rare": {"copying": 0.6, "tokens": 0.5, "li_stephens": 0.48, "allele_frequency": 0.0},
    "common": {"copying": 0.9},
}


def test_the_best_of_each_side_is_named():
    sentence = compare_models("array", R2, ["copying", "tokens"])
    assert sentence["mask"] == "array"
    assert sentence["rare"]["ours"] == "copying"
    assert sentence["rare"]["other"] == "Li and Stephens"
    assert sentence["rare"]["more"] == pytest.approx(25)
    assert sentence["rare"]["baseline"]


def test_a_group_without_another_method_is_left_out():
    assert "common" not in compare_models("array", R2, ["copying", "tokens"])


def test_nothing_explained_is_infinitely_less():
    r2 = {"rare": {"copying": 0.6, "allele_frequency": 0.0}}
    assert compare_models("array", r2, ["copying"])["rare"]["more"] == float("inf")
