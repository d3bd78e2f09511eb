"""Evaluation: the tables hold what the predictions deserve."""

import json

import numpy as np
import pandas as pd
import pytest

from haplorag.evaluation.metrics import dosage_r2_by_site, is_maf_bin
from haplorag.evaluation.tables import read_accuracy, select_overall
from haplorag.io.tables import read_table
from support import TABLES, evaluate


def find(table: pd.DataFrame, **wanted) -> pd.Series:
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_who_knows_is_perfect(judged):
    table = read_accuracy(judged[0] / "accuracy.tsv")
    for metric, value in (
        ("r2", 1),
        ("aggregate_r2", 1),
        ("concordance", 1),
        ("f1", 1),
        ("brier", 0),
    ):
        row = find(
            table,
            mask="hide_50",
            method="knows",
            chromosome="1",
            population="",
            group="all",
            metric=metric,
        )
        assert row["value"] == pytest.approx(value) and row["low"] == pytest.approx(value)


def test_r2_is_the_mean_over_polymorphic_sites(judged):
    folder, truth, said, hidden = judged
    table = read_accuracy(folder / "accuracy.tsv")
    row = find(
        table,
        mask="hide_50",
        method="guesses",
        chromosome="",
        population="",
        group="all",
        metric="r2",
    )
    mask = hidden["names"].tolist().index("hide_50")
    sites = hidden["hidden"][mask]
    r2 = dosage_r2_by_site(
        said[1, mask][:, sites].astype(np.float64).sum(axis=2), truth[:, sites].sum(axis=2)
    )
    assert row["value"] == pytest.approx(np.nanmean(r2), abs=1e-5)
    assert row["sites"] == sites.sum() and row["scored_sites"] == (~np.isnan(r2)).sum()
    assert row["low"] < row["value"] < row["high"]


def test_every_population_is_judged(judged):
    table = read_accuracy(judged[0] / "accuracy.tsv")
    assert set(table["population"]) == {"", "AFR", "EUR", "EAS"}


def test_totals_and_groups_are_told_by_columns_of_their_own(judged):
    table = read_accuracy(judged[0] / "accuracy.tsv")
    whole = select_overall(table)
    assert set(whole["chromosome"]) == set(whole["population"]) == {""}
    kinds = table.groupby("kind")["group"].unique().map(set)
    assert kinds[["all", "rare", "common"]].tolist() == [{"all"}, {"rare"}, {"common"}]
    assert all(is_maf_bin(name) for name in kinds["maf_bin"])


def test_tables_and_summary_hang_together(judged):
    folder = judged[0]
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["models"]["copying"]["epochs"] == 1
    assert summary["r2"]["hide_50"]["all"]["knows"] == pytest.approx(1)
    calibration = read_table(folder / "calibration.tsv")
    knows = calibration[calibration["method"] == "knows"]
    np.testing.assert_allclose(knows["mean_probability"], knows["alternate_share"], atol=1e-6)
    learning = read_table(folder / "learning.tsv", group=str)
    assert set(learning["epoch"]) == {0, 1} and {"loss", "r2", "f1"} <= set(learning["metric"])
    along = read_table(folder / "along.tsv", chromosome=str)
    itself = along[along["versus"].isna()]
    assert itself["sites"].sum() > 100 and itself["value"].between(0, 1).all()
    assert set(read_table(folder / "masks.tsv")["draw"]) == {"test"}


def test_the_same_twice(judged, simulated, trained, tmp_path):
    evaluate(tmp_path, judged[0] / "1.h5", simulated, trained)
    for name in (*(f"{table}.tsv" for table in TABLES), "summary.json"):
        assert (tmp_path / name).read_bytes() == (judged[0] / name).read_bytes()
