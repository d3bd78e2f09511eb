"""Sets the results of several runs side by side on one page."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pandas as pd

from haplorag.evaluation.tables import read_accuracy, select_metric, select_overall
from haplorag.pipeline.cli import run_step
from haplorag.report.accuracy_table import tabulate_runs
from haplorag.report.axes import save_svg
from haplorag.report.figures import FIGURES
from haplorag.report.html import inline_figure, write_page
from haplorag.report.styles import BASELINES, method_label

log = logging.getLogger(__name__)


def comparison(output: Path, *, runs: list[str], accuracies: list[Path]) -> None:
    """Write the page from each run's evaluation/accuracy.tsv.

    The first of `runs` is what the others are measured by.
    """
    tables = [read_accuracy(path) for path in accuracies]
    parts = [table.assign(run=run) for run, table in zip(runs, tables, strict=True)]
    r2 = select_metric(select_overall(pd.concat(parts, ignore_index=True)), "r2")
    masks = list(r2["mask"].unique())
    content = {
        "runs": runs,
        "figure": inline_figure(_draw_runs(r2), "accuracy", "Unexplained variance of each run"),
        "tables": [(mask, *tabulate_runs(r2[r2["mask"] == mask], runs)) for mask in masks],
    }
    write_page("comparison.html.j2", output, content)
    log.info("%s: %d runs, %d masks", output, len(runs), len(masks))


def _draw_runs(r2: pd.DataFrame) -> str:
    """The accuracy of each run's methods as SVG, without the baselines."""
    shown = r2[~r2["method"].isin(BASELINES)]
    named = shown.assign(method=shown["method"].map(method_label) + ", " + shown["run"])
    svg = io.StringIO()
    save_svg(FIGURES["accuracy"](named), svg)
    return svg.getvalue()


if __name__ == "__main__":
    run_step(comparison)
