"""Cuts a chromosome into windows.

Core sites that tile it, and flanks of common sites on both sides.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.io.hdf5 import read_arrays, write_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.io.tables import write_table
from haplorag.panel.genetic_map import locate_sites
from haplorag.panel.windows import cut_cores, find_bounds, find_context
from haplorag.pipeline.cli import run_step
from haplorag.settings import WindowSettings
from haplorag.vcf.chromosomes import match_chromosome

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
    """Write core int32 [W, 2], context int32 (core and flank sites of all windows, with offsets),
    centimorgan [site], and a table of the windows' places and sizes.

    Raises InputError where the genetic map is not as it should be.
    """
    names = "position", "frequency", "stretch_first"
    position, frequency, stretches = read_arrays(frequencies, "frequencies", *names).values()
    bounds = find_bounds(position, stretches, settings)
    cores = cut_cores(position, bounds, settings)
    contexts = [find_context(core, position, frequency, bounds, settings) for core in cores]
    match = partial(match_chromosome, chromosome)
    written = {
        "core": cores,
        "context": np.concatenate(contexts).astype(np.int32),
        "offset": np.cumsum([0, *map(len, contexts)]),
        "centimorgan": locate_sites(position, genetic_map, chromosome, match),
    }
    sources = describe_provenance(("frequencies", frequencies))
    write_arrays(output, "windows", written, chromosome=chromosome, sources=sources)
    write_table(table, _describe_windows(cores, contexts, position))
    log.info(
        "%d windows of up to %d core sites, %.0f sites seen on average",
        len(cores),
        settings.core_sites,
        np.mean([*map(len, contexts)]),
    )


def _describe_windows(
    cores: np.ndarray, contexts: list[np.ndarray], position: np.ndarray
) -> pd.DataFrame:
    """A row a window: where its core int32 [W, 2] begins and ends, and how many sites it has."""
    windows = list(zip(cores, contexts, strict=True))
    return pd.DataFrame(
        {
            "window": range(len(cores)),
            "first_bp": position[cores[:, 0]],
            "last_bp": position[cores[:, 1] - 1],
            "core_sites": cores[:, 1] - cores[:, 0],
            "left_flank_sites": [int((context < core[0]).sum()) for core, context in windows],
            "right_flank_sites": [int((context >= core[1]).sum()) for core, context in windows],
        }
    )


if __name__ == "__main__":
    run_step(windows)
