"""Sets the results of several runs side by side on one page."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from haplorag.io.tables import read_table
from haplorag.pipeline.cli import run_step
from haplorag.report import figures
from haplorag.report.html import inline_figure, write_page
from haplorag.report.styles import BASELINES, method_label, order_methods

log = logging.getLogger(__name__)


def comparison(template: Path, output: Path, *, runs: list[str], accuracies: list[Path]) -> None:
    """Write the page from each run's evaluation/accuracy.tsv; the first of `runs` is what the others are measured by."""
    parts = [
        read_table(path, mask=str, chromosome=str, population=str, group=str) for path in accuracies
    ]
    table = pd.concat(
        [part.assign(run=run) for run, part in zip(runs, parts, strict=True)], ignore_index=True
    )
    whole = table[
        (table["chromosome"] == "all") & (table["population"] == "all") & (table["metric"] == "r2")
    ]
    shown = whole[~whole["method"].isin(BASELINES)]
    drawn = io.StringIO()
    named = shown.assign(method=shown["method"].map(method_label) + ", " + shown["run"])
    figures.accuracy(named).savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    masks = list(whole["mask"].unique())
    content: dict[str, Any] = {"runs": runs, "figure": inline_figure(drawn.getvalue(), "accuracy")}
    content["tables"] = [(mask, *_tabulate(whole[whole["mask"] == mask], runs)) for mask in masks]
    write_page(template, output, content)
    log.info("%s: %d runs, %d masks", output, len(runs), len(masks))


def _tabulate(
    part: pd.DataFrame, runs: list[str]
) -> tuple[list[str], list[tuple[str, str, list[Any]]]]:
    """Groups, and rows of method, run, and by group the value and its difference from the first run's."""
    values = {
        (row.method, row.run, row.group): row.value
        for row in part.dropna(subset="value").itertuples()
    }
    groups = list(part["group"].unique())
    rows = []
    for method in order_methods(list(part["method"].unique())):
        for run in (
            run for run in runs if ((part["method"] == method) & (part["run"] == run)).any()
        ):
            cells = []
            for group in groups:
                value, first = (
                    values.get((method, run, group)),
                    values.get((method, runs[0], group)),
                )
                apart = None if run == runs[0] or value is None or first is None else value - first
                cells.append((value, apart))
            rows.append((method_label(method), run, cells))
    return groups, rows


if __name__ == "__main__":
    run_step(comparison)
