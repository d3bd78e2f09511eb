"""Groups of core sites that share the weights of copying."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Core sites between the same typed sites, and so close that this many switches are expected between
# them, are copied with the same weights.
GROUP_SWITCHES = 0.01


class SiteGroups(NamedTuple):
    """Groups of consecutive core sites that share the weights of copying.

    `first` int64 [P + 1] is the first core site of each, and after the last one where it ends;
    `before` int64 [P] how many typed sites lie up to it.
    """

    first: np.ndarray
    before: np.ndarray

    @property
    def of_site(self) -> np.ndarray:
        """The group of each core site: int64 [L]."""
        return np.repeat(np.arange(len(self.before)), np.diff(self.first))

    def average(self, values: np.ndarray) -> np.ndarray:
        """Mean over the core sites of each group: float64 [P] of values [L], from the first group's
        first site on.
        """
        if not len(values):
            return np.empty(0)
        sums = np.add.reduceat(values.astype(np.float64), self.first[:-1] - self.first[0])
        return sums / np.diff(self.first)

    def narrow(self, start: int, stop: int) -> tuple[SiteGroups, slice]:
        """The groups of core sites from `start` to `stop`, and which these are."""
        places = slice(*np.searchsorted(self.first, (start, stop)).tolist())
        first = self.first[places.start : places.stop + 1]
        return SiteGroups(first, self.before[places]), places


def group_core_sites(
    typed: np.ndarray, core: np.ndarray, distance: np.ndarray, first: np.ndarray
) -> SiteGroups:
    """Group core sites that lie between the same typed sites and close together.

    `typed` int [T] and `core` int [L] are sorted columns of `distance` float [C], the switches
    expected from some start on; no group reaches across one of `first` int [R]. A core site that is
    typed is a group of its own: what is said of the others does not depend on it.
    """
    before = np.searchsorted(typed, core, side="right")
    place = np.floor(distance[core] / GROUP_SWITCHES)
    stretch = np.searchsorted(first, core, side="right")
    is_typed = np.isin(core, typed)
    differs = (np.diff(before) != 0) | (np.diff(place) != 0) | (np.diff(stretch) != 0)
    starts = np.append(True, differs | is_typed[1:] | is_typed[:-1])[: len(core)]
    begins = np.flatnonzero(starts)
    return SiteGroups(np.append(begins, len(core)), before[begins])
