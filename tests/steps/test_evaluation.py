"""Evaluation: the tables hold what the predictions deserve."""

import json

import numpy as np
import pandas as pd
import pytest

from haplorag.evaluation.metrics import dosage_r2_by_site
from haplorag.io.tables import read_table
from support import TABLES, evaluate


def find(table: pd.DataFrame, **wanted) -> pd.Series:
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_who_knows_is_perfect(judged):
    table = read_table(judged[0] / "accuracy.tsv", chromosome=str)
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
            population="all",
            group="all",
            metric=metric,
        )
        assert row["value"] == pytest.approx(value) and row["low"] == pytest.approx(value)


def test_r2_is_the_mean_over_polymorphic_sites(judged):
    folder, truth, said, hidden = judged
    table = read_table(folder / "accuracy.tsv", chromosome=str)
    row = find(
        table,
        mask="hide_50",
        method="guesses",
        chromosome="all",
        population="all",
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
    table = read_table(judged[0] / "accuracy.tsv", chromosome=str)
    assert set(table["population"]) == {"all", "AFR", "EUR", "EAS"}


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
    assert along["sites"].sum() > 100 and along["r2"].between(0, 1).all()
    assert set(read_table(folder / "masks.tsv")["draw"]) == {"test"}


def test_the_same_twice(judged, simulated, trained, tmp_path):
    evaluate(tmp_path, judged[0] / "1.h5", simulated, trained)
    for name in (*(f"{table}.tsv" for table in TABLES), "summary.json"):
        assert (tmp_path / name).read_bytes() == (judged[0] / name).read_bytes()
