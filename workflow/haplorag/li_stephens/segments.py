"""A chromosome of the panel in segments, as the passes follow it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.carriers import find_carriers
from haplorag.li_stephens.haplotype_blocks import HaplotypeBlocks, cut_haplotype_blocks
from haplorag.li_stephens.parameters import CopyingModel, chance_of_mismatch, chance_of_switch
from haplorag.li_stephens.site_groups import SiteGroups, group_core_sites
from haplorag.li_stephens.states import Scratch, Sizes, allocate_scratch
from haplorag.panel.haplotypes import ShardSet
from haplorag.panel.ploidy import Ploidy
from haplorag.settings import CopyingSetting

# Alleles of the panel that a segment holds at the most, or so many sites where these are more: what
# bounds the memory that reading the panel takes, and a thread's. Single haplotypes are gone through
# at the ends of segments, which is dear where they are many.
SEGMENT_ALLELES, SEGMENT_SITES = 2**28, 2**14


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
    site to the first segment. `rows` int64 [n + 1] are the first haplotype of each reference sample
    and how many there are, which differs between stretches of sites where samples have one
    haplotype and others where they have two; `opens` and `closes` say whether the segment is the
    first and the last of such a stretch. Nothing is carried from one stretch into the next.
    `alternate` int64 [L] is how many of the panel's haplotypes have ALT at each core site. Those of
    `blocks` may be more, before the first of `groups` and after the last: these are not read out.
    """

    typed: slice
    core: slice
    places: slice
    blocks: HaplotypeBlocks
    groups: SiteGroups
    rows: np.ndarray
    alternate: np.ndarray
    opens: bool
    closes: bool

    @property
    def haplotypes(self) -> int:
        """Haplotypes that are there to be copied."""
        return int(self.rows[-1])

    def narrow(self, asked: slice, places: slice) -> Segment:
        """The same segment, of which only some core sites, the groups `places`, are read out."""
        start, stop = np.clip((asked.start, asked.stop), self.core.start, self.core.stop).tolist()
        groups, _ = self.groups.narrow(start - self.core.start, stop - self.core.start)
        low, high = np.clip((self.places.start, self.places.stop), places.start, places.stop)
        return self._replace(
            core=slice(max(start - asked.start, 0), max(stop - asked.start, 0)),
            places=slice(int(low) - places.start, int(high) - places.start),
            groups=groups,
            alternate=self.alternate[start - self.core.start : stop - self.core.start],
        )


class PanelSegments(NamedTuple):
    """The panel at `typed` int [T] and `core` int [L] sites, in segments; and all groups."""

    typed: np.ndarray
    core: np.ndarray
    groups: SiteGroups
    segments: list[Segment]

    def allocate(self) -> Scratch:
        """Memory for one thread."""
        sizes = [segment.blocks.measure() for segment in self.segments]
        return allocate_scratch(Sizes._make(map(max, zip(*sizes, strict=True))))

    def count_alternate(self) -> tuple[np.ndarray, np.ndarray]:
        """How many haplotypes of how many have ALT at each core site, int64 [L] each."""
        everybody = [np.full(len(part.alternate), part.haplotypes) for part in self.segments]
        alternate = [part.alternate for part in self.segments]
        return np.concatenate(alternate), np.concatenate(everybody)

    def narrow(self, asked: slice) -> PanelSegments:
        """The same panel, of whose core sites only some whole groups are read out.

        What is said of them is the same to the last bit: blocks stay as they are.
        """
        groups, places = self.groups.narrow(asked.start, asked.stop)
        moved = SiteGroups(groups.first - asked.start, groups.before)
        segments = [segment.narrow(asked, places) for segment in self.segments]
        return PanelSegments(self.typed, self.core[asked], moved, segments)

    def compute_chances(self, model: CopyingModel) -> list[list[Chances]]:
        """Probabilities of every setting along each segment."""
        bounds = np.concatenate([[-np.inf], model.distance[self.typed], [np.inf]])

        def compute(segment: Segment, setting: CopyingSetting) -> Chances:
            here = bounds[segment.typed.start : segment.typed.stop + 2].copy()
            if segment.opens:
                here[0] = -np.inf
            if segment.closes:
                here[-1] = np.inf
            places = segment.groups.average(model.distance[self.core[segment.core]])
            mismatch = model.mismatch[self.typed[segment.typed]]
            return compute_chances(here, places, segment.groups.before, mismatch, setting)

        return [[compute(part, setting) for part in self.segments] for setting in model.settings]


def cut_segments(
    shards: ShardSet, typed: np.ndarray, core: np.ndarray, distance: np.ndarray
) -> PanelSegments:
    """Read the panel at sorted typed and core sites, segment by segment.

    `distance` float64 [site] is in switches expected from the chromosome's start on. What is said
    of a core site does not depend on which typed sites are core sites too. The last few panels are
    kept in memory.
    """
    groups = group_core_sites(typed, core, distance, shards.ploidy.first)
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
    groups = SiteGroups(first, before)
    segments: list[Segment] = []
    for stretch, (inside, wanted) in enumerate(part_stretches(shards.ploidy, typed, core)):
        if inside.stop > inside.start or wanted.stop > wanted.start:
            segments += _cut_stretch(shards, stretch, (typed, inside), (core, wanted), groups)
    if not segments:
        nothing = typed, slice(0, 0)
        segments += _cut_stretch(shards, 0, nothing, (core, slice(0, 0)), groups)
    return PanelSegments(typed, core, groups, segments)


def part_stretches(
    ploidy: Ploidy, typed: np.ndarray, core: np.ndarray
) -> Iterator[tuple[slice, slice]]:
    """Which typed and which core sites lie in each stretch of a ploidy."""
    for start, stop in pairwise([0, *ploidy.first[1:], np.iinfo(np.int64).max]):
        inside, wanted = (slice(*np.searchsorted(each, (start, stop))) for each in (typed, core))
        yield inside, wanted


def _cut_stretch(
    shards: ShardSet,
    stretch: int,
    typed: tuple[np.ndarray, slice],
    core: tuple[np.ndarray, slice],
    groups: SiteGroups,
) -> Iterator[Segment]:
    """Cut one stretch, whose typed and core sites are given among all, into segments."""
    (all_typed, inside), (all_core, wanted) = typed, core
    known, asked = all_typed[inside], all_core[wanted]
    rows = shards.ploidy.number_rows(stretch)
    until = np.append(np.searchsorted(asked, known), len(asked))
    untyped = np.searchsorted(np.setdiff1d(asked, known, assume_unique=True), known)
    sites = len(np.union1d(known, asked))
    parts = -(-sites // max(SEGMENT_ALLELES // int(rows[-1]), SEGMENT_SITES))
    part_of = (np.arange(len(known)) + untyped) * parts // max(sites, 1)
    bounds = [0, *(np.flatnonzero(np.diff(part_of)) + 1), len(known)]
    for start, stop in pairwise(bounds):
        part = slice(0 if start == 0 else until[start], until[stop])
        here = slice(inside.start + start, inside.start + stop)
        there = slice(wanted.start + part.start, wanted.start + part.stop)
        places = slice(*np.searchsorted(groups.first, (there.start, there.stop)))
        own_groups = SiteGroups(
            groups.first[places.start : places.stop + 1] - there.start,
            groups.before[places] - here.start,
        )
        carriers = find_carriers(shards, asked[part], int(rows[-1]))
        blocks = cut_haplotype_blocks(
            find_carriers(shards, known[start:stop], int(rows[-1])),
            carriers,
            np.searchsorted(known[start:stop], asked[part], side="right"),
            int(rows[-1]),
        )
        alternate = carriers.count_alternate(int(rows[-1]))
        ends = start == 0, stop == len(known)
        yield Segment(here, there, places, blocks, own_groups, rows, alternate, *ends)


def compute_chances(
    bounds: np.ndarray,
    places: np.ndarray,
    before: np.ndarray,
    mismatch: np.ndarray,
    setting: CopyingSetting,
) -> Chances:
    """Turn distances into probabilities of a switch, under a setting.

    `bounds` float64 [T + 2] are those of typed sites and of what lies on either side of them,
    infinite where that is an end of the chromosome, or of a stretch: there nothing is known, and a
    switch is certain. `places` float64 [P] are those of groups of core sites, each with `before`
    int64 [P] typed sites up to it; `mismatch` float32 [T].
    """
    return Chances(
        chance_of_switch(np.diff(bounds), setting),
        chance_of_switch(places - bounds[before], setting),
        chance_of_switch(bounds[before + 1] - places, setting),
        chance_of_mismatch(mismatch, setting),
    )
