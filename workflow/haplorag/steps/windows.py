"""Cuts a chromosome into windows: core sites that tile it, and flanks of common sites on both sides."""

from __future__ import annotations

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.pipeline import cli as command
from haplorag.io import hdf5 as store
from haplorag.errors import InputError
from haplorag.io.provenance import describe_family
from haplorag.settings import Windows

log = logging.getLogger(__name__)
CENTIMORGAN_PER_BP = 1e-6
# A last window smaller than this share of the others joins the one before it.
SMALLEST_SHARE = 0.25


def windows(
    frequencies: Path,
    output: Path,
    table: Path,
    *,
    settings: Windows,
    chromosome: str,
    genetic_map: Path | None = None,
) -> None:
    """Write core int32 [W, 2], context int32 (core and flank sites of all windows, with offsets) and centimorgan [site]."""
    arrays = store.read_arrays(frequencies, "frequencies", "position", "frequency")
    position, frequency = arrays["position"], arrays["frequency"]
    cores = cut_cores(position, settings)
    contexts = [find_context(core, position, frequency, settings) for core in cores]
    store.write_arrays(
        output,
        "windows",
        {
            "core": cores,
            "context": np.concatenate(contexts).astype(np.int32),
            "offset": np.cumsum([0, *map(len, contexts)]),
            "centimorgan": locate_sites(position, genetic_map),
        },
        chromosome=chromosome,
        sources=describe_family(("frequencies", frequencies)),
    )
    store.write_table(
        table,
        pd.DataFrame(
            {
                "window": range(len(cores)),
                "first_bp": position[cores[:, 0]],
                "last_bp": position[cores[:, 1] - 1],
                "core_sites": cores[:, 1] - cores[:, 0],
                "left_flank_sites": [int((context < core[0]).sum()) for core, context in zip(cores, contexts, strict=True)],
                "right_flank_sites": [int((context >= core[1]).sum()) for core, context in zip(cores, contexts, strict=True)],
            }
        ),
    )
    log.info(
        "%d windows of up to %d core sites, %.0f sites seen on average",
        len(cores),
        settings.core_sites,
        np.mean([*map(len, contexts)]),
    )


def cut_cores(position: np.ndarray, settings: Windows) -> np.ndarray:
    """Cut sites into cores of `core_sites`, none across a gap of `gap_bp`: half-open ranges int32 [W, 2] that tile them."""
    edges = [0, *(np.flatnonzero(np.diff(position) >= settings.gap_bp) + 1), len(position)]
    cores: list[tuple[int, int]] = []
    for start, stop in pairwise(edges):
        cuts = [*range(start, stop, settings.core_sites), stop]
        if len(cuts) > 2 and cuts[-1] - cuts[-2] < SMALLEST_SHARE * settings.core_sites:
            del cuts[-2]
        cores += pairwise(cuts)
    return np.array(cores, dtype=np.int32)


def find_context(core: np.ndarray, position: np.ndarray, frequency: np.ndarray, settings: Windows) -> np.ndarray:
    """Find the sites a window sees, sorted: its core and, on each side, the nearest common sites within reach.

    Reach ends `flank_bp` beyond the core, at a gap of `gap_bp`, and after `flank_sites` sites of MAF >= `flank_maf`.
    """
    start, stop = core
    gaps = np.flatnonzero(np.diff(position) >= settings.gap_bp) + 1
    low = max([np.searchsorted(position, position[start] - settings.flank_bp), *gaps[gaps <= start]])
    high = min([np.searchsorted(position, position[stop - 1] + settings.flank_bp, side="right"), *gaps[gaps >= stop]])
    common = np.minimum(frequency, 1 - frequency) >= settings.flank_maf
    left = low + np.flatnonzero(common[low:start])
    right = stop + np.flatnonzero(common[stop:high])
    left = left[max(len(left) - settings.flank_sites, 0) :]
    return np.concatenate([left, np.arange(start, stop), right[: settings.flank_sites]])


def locate_sites(position: np.ndarray, genetic_map: Path | None) -> np.ndarray:
    """Genetic position of each site in cM, float64 [site]: from a PLINK map, beyond its ends and without one 1 cM per Mb."""
    if genetic_map is None:
        return position * CENTIMORGAN_PER_BP
    try:
        points = np.loadtxt(genetic_map, usecols=(2, 3), ndmin=2)
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{genetic_map}: not a PLINK map ({error}); give four columns: chromosome . cM bp") from error
    centimorgan, bp = points.T
    if not len(bp) or (np.diff(bp) <= 0).any() or (np.diff(centimorgan) < 0).any():
        line = int(np.argmax((np.diff(bp) <= 0) | (np.diff(centimorgan) < 0))) + 2 if len(bp) else 1
        raise InputError(f"{genetic_map}: line {line} does not rise in bp and cM; sort the map by position")
    inside = np.interp(position, bp, centimorgan)
    return inside + (np.minimum(position - bp[0], 0) + np.maximum(position - bp[-1], 0)) * CENTIMORGAN_PER_BP


if __name__ == "__main__":
    command.run(windows)
