"""Cuts a chromosome into windows: core sites that tile it, and flanks of common sites on both sides."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.io.hdf5 import read_arrays, write_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.io.tables import write_table
from haplorag.panel.genetic_map import locate_sites
from haplorag.panel.windows import cut_cores, find_context
from haplorag.pipeline.cli import run_step
from haplorag.settings import WindowSettings

log = logging.getLogger(__name__)


def windows(
    frequencies: Path,
    output: Path,
    table: Path,
    *,
    settings: WindowSettings,
    chromosome: str,
    genetic_map: Path | None = None,
) -> None:
    """Write core int32 [W, 2], context int32 (core and flank sites of all windows, with offsets) and centimorgan [site]."""
    arrays = read_arrays(frequencies, "frequencies", "position", "frequency")
    position, frequency = arrays["position"], arrays["frequency"]
    cores = cut_cores(position, settings)
    contexts = [find_context(core, position, frequency, settings) for core in cores]
    write_arrays(
        output,
        "windows",
        {
            "core": cores,
            "context": np.concatenate(contexts).astype(np.int32),
            "offset": np.cumsum([0, *map(len, contexts)]),
            "centimorgan": locate_sites(position, genetic_map),
        },
        chromosome=chromosome,
        sources=describe_provenance(("frequencies", frequencies)),
    )
    write_table(
        table,
        pd.DataFrame(
            {
                "window": range(len(cores)),
                "first_bp": position[cores[:, 0]],
                "last_bp": position[cores[:, 1] - 1],
                "core_sites": cores[:, 1] - cores[:, 0],
                "left_flank_sites": [
                    int((context < core[0]).sum())
                    for core, context in zip(cores, contexts, strict=True)
                ],
                "right_flank_sites": [
                    int((context >= core[1]).sum())
                    for core, context in zip(cores, contexts, strict=True)
                ],
            }
        ),
    )
    log.info(
        "%d windows of up to %d core sites, %.0f sites seen on average",
        len(cores),
        settings.core_sites,
        np.mean([*map(len, contexts)]),
    )


if __name__ == "__main__":
    run_step(windows)
