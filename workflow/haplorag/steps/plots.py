"""Draws one figure of the report."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from haplorag.io.atomic import replacing
from haplorag.io.tables import read_table
from haplorag.pipeline.cli import run_step
from haplorag.report import figures
from haplorag.report.costs import list_costs, read_benchmarks

log = logging.getLogger(__name__)


def plots(
    accuracy: Path,
    calibration: Path,
    along: Path,
    learning: Path,
    masks: Path,
    recall: Path,
    output: Path,
    *,
    figure: str,
    times: Path,
) -> None:
    """Write the figure as SVG. `times` is the folder of Snakemake's benchmarks, which `resources` and `costs` show."""
    sources = {
        "accuracy": accuracy,
        "populations": accuracy,
        "calibration": calibration,
        "along": along,
    }
    sources |= {"learning": learning, "masks": masks, "recall": recall}
    if figure == "resources":
        table = read_benchmarks(times)
    elif figure == "costs":
        table = _price(_read(accuracy), read_benchmarks(times))
    else:
        table = _read(sources[figure])
    drawn = getattr(figures, figure)(table)
    with replacing(output) as temporary:
        drawn.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
    log.info("%s: drawn from %d rows", figure, len(table))


def _price(accuracy: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Each method's costs and its r2 at rare sites, the mean over masks."""
    whole = accuracy[(accuracy["chromosome"] == "all") & (accuracy["population"] == "all")]
    rare = whole[(whole["metric"] == "r2") & (whole["group"] == "rare")]
    return list_costs(measured).merge(
        rare.groupby("method")["value"].mean().rename("r2"), on="method"
    )


def _read(path: Path) -> pd.DataFrame:
    return read_table(path, chromosome=str, population=str, mask=str, draw=str, group=str)


if __name__ == "__main__":
    run_step(plots)
