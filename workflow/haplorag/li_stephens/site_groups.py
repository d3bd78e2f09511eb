"""Groups of core sites that share the weights of copying."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from haplorag.li_stephens.parameters import SWITCHES_PER_CENTIMORGAN

# Core sites between the same typed sites, and so close that this many switches are expected between
# them, are copied with the same weights.
GROUP_SWITCHES = 0.01


@dataclass(frozen=True)
class SiteGroups:
    """Groups of consecutive core sites that share the weights of copying.

    `of_site` int64 [L] is the group of each core site, `first` int64 [P + 1] where each begins,
    `before` int64 [P] how many typed sites lie up to it, `centimorgan` float64 [P] where it lies.
    """

    of_site: np.ndarray
    first: np.ndarray
    before: np.ndarray
    centimorgan: np.ndarray


def group_core_sites(
    typed: np.ndarray, core: np.ndarray, centimorgan: np.ndarray, haplotypes: int
) -> SiteGroups:
    """Group core sites that lie between the same typed sites and close together.

    `typed` int [T] and `core` int [L] are sorted columns of `centimorgan` [C]; `haplotypes` is the
    size of the panel.
    """
    before = np.searchsorted(typed, core, side="right")
    stretch = np.floor(centimorgan[core] / (GROUP_SWITCHES * haplotypes / SWITCHES_PER_CENTIMORGAN))
    starts = np.append(True, (np.diff(before) != 0) | (np.diff(stretch) != 0))[: len(core)]
    of_site = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)
    mean = np.add.reduceat(centimorgan[core].astype(np.float64), first) / np.diff(
        np.append(first, len(core))
    )
    return SiteGroups(of_site, np.append(first, len(core)), before[first], mean)
