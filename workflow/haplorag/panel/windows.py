"""Windows and their packed reference haplotypes as other steps read them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from haplorag.io.hdf5 import read_arrays
from haplorag.settings import WindowSettings

# A last window smaller than this share of the others joins the one before it.
SMALLEST_SHARE = 0.25


@dataclass(frozen=True)
class WindowSet:
    """All windows of a chromosome: cores int32 [W, 2] of sites, the sites each window sees, genetic
    positions in cM.
    """

    cores: np.ndarray
    sites: np.ndarray
    offset: np.ndarray
    centimorgan: np.ndarray

    def __len__(self) -> int:
        return len(self.cores)

    def context(self, window: int) -> np.ndarray:
        """Sorted sites that a window sees, int32 [C]."""
        return self.sites[self.offset[window] : self.offset[window + 1]]

    def core_columns(self, window: int) -> tuple[int, int]:
        """Half-open range of the window's core within its context."""
        start, stop = np.searchsorted(self.context(window), self.cores[window])
        return int(start), int(stop)


def read_windows(path: Path) -> WindowSet:
    """Read a chromosome's windows."""
    arrays = read_arrays(path, "windows", "core", "context", "offset", "centimorgan")
    return WindowSet(arrays["core"], arrays["context"], arrays["offset"], arrays["centimorgan"])


def find_bounds(
    position: np.ndarray, stretches: np.ndarray, settings: WindowSettings
) -> np.ndarray:
    """Sites int64 [B] that no window reaches across: the first after a gap of `gap_bp`, and the
    first of each stretch, int [R], where people have other haplotypes than before.
    """
    gaps = np.flatnonzero(np.diff(position) >= settings.gap_bp) + 1
    return np.union1d(gaps, stretches[stretches > 0])


def cut_cores(position: np.ndarray, bounds: np.ndarray, settings: WindowSettings) -> np.ndarray:
    """Cut sites into cores of `core_sites`, none across a bound: half-open ranges int32 [W, 2] that
    tile them.
    """
    edges = [0, *bounds.tolist(), len(position)]
    cores: list[tuple[int, int]] = []
    for start, stop in pairwise(edges):
        cuts = [*range(start, stop, settings.core_sites), stop]
        if len(cuts) > 2 and cuts[-1] - cuts[-2] < SMALLEST_SHARE * settings.core_sites:
            del cuts[-2]
        cores += pairwise(cuts)
    return np.array(cores, dtype=np.int32)


def find_context(
    core: np.ndarray,
    position: np.ndarray,
    frequency: np.ndarray,
    bounds: np.ndarray,
    settings: WindowSettings,
) -> np.ndarray:
    """Find the sites a window sees, sorted: its core and, on each side, the nearest common sites
    within reach.

    Reach ends `flank_bp` beyond the core, at a bound, and after `flank_sites` sites of
    MAF >= `flank_maf`.
    """
    start, stop = core
    low = max(
        [np.searchsorted(position, position[start] - settings.flank_bp), *bounds[bounds <= start]]
    )
    high = min(
        [
            np.searchsorted(position, position[stop - 1] + settings.flank_bp, side="right"),
            *bounds[bounds >= stop],
        ]
    )
    common = np.minimum(frequency, 1 - frequency) >= settings.flank_maf
    left = low + np.flatnonzero(common[low:start])
    right = stop + np.flatnonzero(common[stop:high])
    left = left[max(len(left) - settings.flank_sites, 0) :]
    return np.concatenate([left, np.arange(start, stop), right[: settings.flank_sites]])
