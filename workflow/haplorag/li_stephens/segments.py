"""A chromosome of the panel in segments, as the passes follow it."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.haplotype_blocks import HaplotypeBlocks, cut_haplotype_blocks
from haplorag.li_stephens.parameters import CopyingModel, chance_of_mismatch, chance_of_switch
from haplorag.li_stephens.site_groups import SiteGroups, group_core_sites
from haplorag.li_stephens.states import Scratch, allocate_scratch
from haplorag.panel.haplotypes import ShardSet
from haplorag.settings import CopyingSetting

# Alleles of the panel that a segment holds at the most: what bounds a thread's memory.
SEGMENT_ALLELES = 2**26


class Chances(NamedTuple):
    """Probabilities along a segment under one setting, float32: as in `forward_backward.Lanes`."""

    switch: np.ndarray
    from_left: np.ndarray
    from_right: np.ndarray
    mismatch: np.ndarray


class Segment(NamedTuple):
    """Consecutive typed sites, those numbered `typed`, and what belongs to them: core sites `core`,
    in the groups numbered `places`.

    A core site belongs to the segment of the typed site before it, those before the first typed
    site to the first segment.
    """

    typed: slice
    core: slice
    places: slice
    blocks: HaplotypeBlocks
    groups: SiteGroups


class PanelSegments(NamedTuple):
    """The panel at `typed` int [T] and `core` int [L] sites, in segments; and all groups."""

    typed: np.ndarray
    core: np.ndarray
    groups: SiteGroups
    segments: list[Segment]
    haplotypes: int

    def allocate(self) -> Scratch:
        """Memory for one thread."""
        blocks = [segment.blocks for segment in self.segments]
        return allocate_scratch(
            max(len(part.group) for part in blocks),
            self.haplotypes,
            max(int(part.offset[-1]) for part in blocks),
            max(int(np.diff(part.typed).max()) for part in blocks),
            max(int(np.diff(part.offset).max()) for part in blocks),
        )

    def compute_chances(self, model: CopyingModel) -> list[list[Chances]]:
        """Probabilities of every setting along each segment."""
        bounds = np.concatenate([[-np.inf], model.distance[self.typed], [np.inf]])

        def compute(segment: Segment, setting: CopyingSetting) -> Chances:
            here = bounds[segment.typed.start : segment.typed.stop + 2]
            places = segment.groups.average(model.distance[self.core[segment.core]])
            mismatch = model.mismatch[self.typed[segment.typed]]
            return compute_chances(here, places, segment.groups.before, mismatch, setting)

        return [[compute(part, setting) for part in self.segments] for setting in model.settings]


def cut_segments(
    shards: ShardSet, typed: np.ndarray, core: np.ndarray, distance: np.ndarray
) -> PanelSegments:
    """Read the panel at sorted typed and core sites, segment by segment.

    `distance` float64 [site] is in switches expected from the chromosome's start on. The last few
    panels are kept in memory.
    """
    groups = group_core_sites(typed, core, distance)
    words = typed.astype(np.int64), core.astype(np.int64), groups.first, groups.before
    return _cut_segments(shards, *(word.tobytes() for word in words))


@lru_cache(maxsize=4)
def _cut_segments(
    shards: ShardSet, typed_bytes: bytes, core_bytes: bytes, first_bytes: bytes, before_bytes: bytes
) -> PanelSegments:
    typed, core, first, before = (
        np.frombuffer(word, dtype=np.int64)
        for word in (typed_bytes, core_bytes, first_bytes, before_bytes)
    )
    until = np.append(np.searchsorted(core, typed), len(core))
    size = (np.arange(len(typed)) + until[:-1]) * shards.reference_haplotypes // SEGMENT_ALLELES
    bounds = [0, *(np.flatnonzero(np.diff(size)) + 1), len(typed)]
    segments = []
    for start, stop in pairwise(bounds):
        inside = slice(0 if start == 0 else until[start], until[stop])
        places = slice(*np.searchsorted(first, (inside.start, inside.stop)))
        part = core[inside]
        groups = SiteGroups(
            first[places.start : places.stop + 1] - inside.start, before[places] - start
        )
        blocks = cut_haplotype_blocks(
            shards.by_site(typed[start:stop]),
            shards.by_site(part),
            np.searchsorted(typed[start:stop], part, side="right"),
        )
        segments.append(Segment(slice(start, stop), inside, places, blocks, groups))
    groups = SiteGroups(first, before)
    return PanelSegments(typed, core, groups, segments, shards.reference_haplotypes)


def compute_chances(
    bounds: np.ndarray,
    places: np.ndarray,
    before: np.ndarray,
    mismatch: np.ndarray,
    setting: CopyingSetting,
) -> Chances:
    """Turn distances into probabilities of a switch, under a setting.

    `bounds` float64 [T + 2] are those of typed sites and of what lies on either side of them,
    infinite where that is an end of the chromosome: there nothing is known, and a switch is
    certain. `places` float64 [P] are those of groups of core sites, each with `before` int64 [P]
    typed sites up to it; `mismatch` float32 [T].
    """
    return Chances(
        chance_of_switch(np.diff(bounds), setting),
        chance_of_switch(places - bounds[before], setting),
        chance_of_switch(bounds[before + 1] - places, setting),
        chance_of_mismatch(mismatch, setting),
    )
