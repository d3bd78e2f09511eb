"""Draws one figure of the report."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from haplorag.evaluation.differences import read_differences
from haplorag.evaluation.metrics import RARE
from haplorag.evaluation.tables import (
    EvaluationTables,
    read_accuracy,
    read_evaluation,
    select_kind,
    select_metric,
    select_overall,
)
from haplorag.io.atomic import replacing
from haplorag.pipeline.cli import run_step
from haplorag.report.axes import save_svg
from haplorag.report.costs import list_costs, read_costs
from haplorag.report.figures import FIGURES

log = logging.getLogger(__name__)


def plots(tables: EvaluationTables, output: Path, *, figure: str, times: Path, logs: Path) -> None:
    """Write the figure as SVG.

    `times` and `logs` are the folders of Snakemake's benchmarks and of logs, which `resources` and
    `costs` show.
    """
    shown = _read_table(tables, figure, times, logs)
    with replacing(output) as temporary:
        save_svg(FIGURES[figure](shown), temporary)
    log.info("%s: drawn from %d rows", figure, len(shown))


def _read_table(tables: EvaluationTables, figure: str, times: Path, logs: Path) -> pd.DataFrame:
    """The table that a figure shows."""
    if figure == "resources":
        return read_costs(times, logs)
    if figure == "costs":
        return _join_costs(read_accuracy(tables.accuracy), read_costs(times, logs))
    if figure == "accuracy":
        return read_accuracy(tables.accuracy)
    if figure in ("differences", "populations"):
        return read_differences(tables.differences)
    if figure == "along":
        return read_evaluation(tables.along).fillna({"versus": ""})
    return read_evaluation(getattr(tables, figure))


def _join_costs(accuracy: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Each method's costs and its r2 at rare sites, the mean over masks."""
    rare = select_kind(select_metric(select_overall(accuracy), "r2"), RARE)
    r2 = rare.groupby("method")["value"].mean().rename("r2")
    return list_costs(measured).merge(r2, on="method")


if __name__ == "__main__":
    run_step(plots)
