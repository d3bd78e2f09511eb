"""A window under a mask: what is in sight, and which typed sites are read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from haplorag.panel.haplotypes import ShardSet
from haplorag.panel.windows import WindowSet


def choose_typed_columns(
    hidden: np.ndarray, core: tuple[int, int], flank_typed: int
) -> tuple[np.ndarray, tuple[int, int]]:
    """Choose the typed columns a window is read by: all of its core and the nearest `flank_typed`
    on each side.

    `hidden` bool [C] covers the window's context, `core` is the half-open range of core columns in
    it. Gives the columns int [T], sorted, and the half-open range of those in the core.
    """
    typed = ~hidden
    left = np.flatnonzero(typed[: core[0]])
    right = np.flatnonzero(typed[core[1] :]) + core[1]
    typed[left[: max(len(left) - flank_typed, 0)]] = False
    typed[right[flank_typed:]] = False
    columns = np.flatnonzero(typed)
    start, stop = np.searchsorted(columns, core)
    return columns, (int(start), int(stop))


@dataclass(frozen=True)
class MaskedWindow:
    """A stretch of windows under one mask, without people.

    Sorted sites int32 [S] in sight, all in one stretch of the panel's ploidy, the half-open range
    of core columns among them, which are hidden bool [S], genetic positions in cM of all the
    chromosome's sites, and the reference there.
    """

    sites: np.ndarray
    core: tuple[int, int]
    hidden: np.ndarray
    centimorgan: np.ndarray
    shards: ShardSet

    @property
    def core_sites(self) -> np.ndarray:
        """Sites of the core, int32 [L]."""
        return self.sites[slice(*self.core)]

    @property
    def rows(self) -> np.ndarray:
        """The first haplotype of each reference sample here, and how many there are: int64
        [n + 1].
        """
        ploidy = self.shards.ploidy
        return ploidy.number_rows(int(ploidy.find_stretch(self.sites[0])))

    def choose_near(self, typed: int) -> np.ndarray:
        """Sorted columns int64 [C] of the core and of so many typed sites a side."""
        columns, _ = choose_typed_columns(self.hidden, self.core, typed)
        return np.union1d(columns, np.arange(*self.core))

    def narrow(self, typed: int) -> MaskedWindow:
        """The same window, in sight of which are the core and so many typed sites a side alone."""
        columns = self.choose_near(typed)
        start, stop = np.searchsorted(columns, self.core)
        return replace(
            self,
            sites=self.sites[columns],
            core=(int(start), int(stop)),
            hidden=self.hidden[columns],
        )

    def read_reference(self, columns: np.ndarray) -> np.ndarray:
        """Reference haplotypes at some columns of the sites, 0/1 uint8 [N, T]."""
        if not len(columns):
            return np.empty((int(self.rows[-1]), 0), dtype=np.uint8)
        return self.shards.haplotypes(self.sites[columns])


def mask_window(
    windows: WindowSet, shards: ShardSet, window: int, hidden: np.ndarray
) -> MaskedWindow:
    """What is in sight of a window, where `hidden` bool [site] says which sites are hidden."""
    sites = windows.context(window)
    core = windows.core_columns(window)
    return MaskedWindow(sites, core, hidden[sites], windows.centimorgan, shards)
