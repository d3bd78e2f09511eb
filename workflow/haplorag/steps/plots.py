"""Draws one figure of the report."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from haplorag import command, figures, store
from haplorag.times import read_times

log = logging.getLogger(__name__)


def plots(
    accuracy: Path, calibration: Path, along: Path, learning: Path, masks: Path, output: Path, *, figure: str, times: Path
) -> None:
    """Write the figure as SVG. `times` is the folder of Snakemake's benchmarks, which only `resources` shows."""
    sources = {"accuracy": accuracy, "populations": accuracy, "calibration": calibration, "along": along}
    sources |= {"learning": learning, "masks": masks}
    table = read_times(times) if figure == "resources" else _read(sources[figure])
    drawn = getattr(figures, figure)(table)
    with store.replacing(output) as temporary:
        drawn.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
    log.info("%s: drawn from %d rows", figure, len(table))


def _read(path: Path) -> pd.DataFrame:
    return store.read_table(path, chromosome=str, population=str, mask=str, draw=str, group=str)


if __name__ == "__main__":
    command.run(plots)
