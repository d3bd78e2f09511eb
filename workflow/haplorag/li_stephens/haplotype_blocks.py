"""Blocks of sites in which many haplotypes of the panel are equal, and their groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.carriers import Carriers
from haplorag.li_stephens.numba_jit import jit
from haplorag.li_stephens.states import Sizes

# What a haplotype costs at the ends of a span, and a strand at those of a block, beside a group at
# one typed site.
HAPLOTYPE_COST, STRAND_COST = 0.5, 0.7
# Before the first span is cut, N haplotypes are taken to have N to this power strands.
USUAL_STRANDS = 0.75


class HaplotypeBlocks(NamedTuple):
    """Consecutive blocks of sites with groups of haplotypes that are equal along a block, in spans
    of blocks with strands of haplotypes that are equal along a span.

    `span` int64 [A + 1] is the first block of each span, `strand` uint32 [A, N] each haplotype's
    within the span, `strand_offset` int64 [A + 1] where a span's strands begin among all,
    `strand_members` float32 [strands] their sizes.

    `typed` and `core` int64 [B + 1] are the first typed and the first core site of each block,
    `offset` int64 [B + 1] where its groups begin, `members` float32 [groups] their sizes. `group`
    uint32 is that of each strand within a block, those of a block from `group_start` int64 [B].
    `typed_alleles` 0/1 uint8 holds, typed site by typed site, the alleles of the groups of the
    site's block, those of a block's first site from `typed_start` int64 [B]. Of core sites,
    `carriers` uint32 lists the groups that carry whichever allele fewer have, those of each site
    from `carrier_start` int64 [L + 1]; `carries_alternate` bool [L] says whether that is ALT.
    """

    span: np.ndarray
    strand: np.ndarray
    strand_offset: np.ndarray
    strand_members: np.ndarray
    typed: np.ndarray
    core: np.ndarray
    offset: np.ndarray
    members: np.ndarray
    group: np.ndarray
    group_start: np.ndarray
    typed_alleles: np.ndarray
    typed_start: np.ndarray
    carriers: np.ndarray
    carrier_start: np.ndarray
    carries_alternate: np.ndarray

    def measure(self) -> Sizes:
        """How large everything is."""
        return Sizes(
            haplotypes=self.strand.shape[1],
            spans=len(self.strand),
            strands=int(self.strand_offset[-1]),
            in_blocks=len(self.group),
            most_strands=int(np.diff(self.strand_offset).max()),
            blocks=len(self.group_start),
            groups=int(self.offset[-1]),
            most_groups=int(np.diff(self.offset).max()),
            longest=int(np.diff(self.typed).max()),
        )


class _Span(NamedTuple):
    """Blocks of a span: after which typed site each ends and how many groups it has, and the group
    uint32 of each strand in each; the strand uint32 [N] of each haplotype.
    """

    ends: list[int]
    groups: list[int]
    group: list[np.ndarray]
    strand: np.ndarray


class _Groups(NamedTuple):
    """Groups block by block: `strand` uint32 [A, N]; the span of each block int64 [B]; the groups
    of strands, where each block's begin, and how many there are, as in `HaplotypeBlocks`.
    """

    strand: np.ndarray
    span: np.ndarray
    group: np.ndarray
    start: np.ndarray
    sizes: np.ndarray


def cut_haplotype_blocks(
    typed: Carriers, core: Carriers, before: np.ndarray, haplotypes: int
) -> HaplotypeBlocks:
    """Cut the sites of a panel into blocks and these into spans, each as long as makes following
    haplotypes cheaper.

    `typed` and `core` say who of so many haplotypes carry at T typed and at L core sites, `before`
    int [L] is how many typed sites lie up to each core site. A core site belongs to the block of
    the typed site before it. After Minimac3 (Das et al. 2016, doi:10.1038/ng.3656), where
    haplotypes that are equal in a block share a state.
    """
    sites = len(typed.alternate)
    until = np.searchsorted(before, np.arange(1, max(sites, 1) + 1), side="right")
    until[-1] = len(core.alternate)
    spans = list(_cut_spans(typed, core, until, haplotypes))
    ends = np.array(list(chain.from_iterable(span.ends for span in spans)))
    count = np.array(list(chain.from_iterable(span.groups for span in spans)))
    group = list(chain.from_iterable(span.group for span in spans))
    sizes = [np.bincount(span.strand) for span in spans]
    blocks = [len(span.ends) for span in spans]
    of_span = np.repeat(np.arange(len(spans)), blocks)
    members = [np.bincount(own, sizes[of]) for of, own in zip(of_span, group, strict=True)]
    first, first_core = np.append(0, np.minimum(ends, sites)), np.append(0, until[ends - 1])
    strand = np.stack([span.strand for span in spans])
    groups = _Groups(strand, of_span, np.concatenate(group), _add_up(map(len, group))[:-1], count)
    typed_start = _add_up(np.diff(first) * count)
    alleles = np.empty(typed_start[-1], dtype=np.uint8)
    _fill_alleles(typed, first, groups, alleles)
    return HaplotypeBlocks(
        _add_up(blocks), strand, _add_up(map(len, sizes)),
        np.concatenate(sizes).astype(np.float32),
        first, first_core, _add_up(count), np.concatenate(members).astype(np.float32),
        groups.group, groups.start, alleles, typed_start[:-1],
        *_list_groups(core, first_core, groups),
    )  # fmt: skip


def _add_up(sizes: Iterable[int]) -> np.ndarray:
    """Where things of such sizes begin, and where the last one ends: int64."""
    return np.append(0, np.cumsum(list(sizes), dtype=np.int64))


def _cut_spans(
    typed: Carriers, core: Carriers, until: np.ndarray, haplotypes: int
) -> Iterator[_Span]:
    """Cut spans, from the first typed site on.

    A span ends when its next block makes the cost of a typed site rise, and so does a block when
    its next typed site does: many strands, or groups, beside few sites that share its ends.
    """
    room = _Room(*(np.zeros(haplotypes + 1, dtype) for dtype in (np.uint32, np.int64, np.int64)))
    site, expected = 0, haplotypes**USUAL_STRANDS
    while site < len(until):
        first, least, spent = site, np.inf, 0.0
        ends, groups, found = [], [], []
        strand, count = np.zeros(haplotypes, np.uint32), 1
        while site < len(until):
            start, border = site, STRAND_COST * max(expected, count)
            site, group, groups_here = _refine(typed, core, until, site, border, room)
            strand, count = _join(strand, count, group, groups_here)
            ends.append(site)
            groups.append(groups_here)
            found.append(group)
            spent += groups_here * (site - start)
            border = HAPLOTYPE_COST * haplotypes + STRAND_COST * count * len(ends)
            cost = (border + spent) / (site - first)
            if cost > least:
                break
            least = cost
        expected = count
        # The first haplotype of each strand.
        shown = np.unique(strand, return_index=True)[1]
        yield _Span(ends, groups, [group[shown] for group in found], strand)


class _Room(NamedTuple):
    """What `_split` works in, [N + 1]: new groups uint32, sizes of groups and how many of each
    carry, int64."""

    fresh: np.ndarray
    size: np.ndarray
    taken: np.ndarray


@jit
def _refine(
    typed: Carriers, core: Carriers, until: np.ndarray, first: int, border: float, room: _Room
) -> tuple[int, np.ndarray, int]:
    """After which typed site a block ends that begins with the first, the group uint32 [N] of each
    haplotype, and how many groups there are.

    `until` int [T] is the core site at which the block of a typed site ends, `border` what the ends
    of a block cost.
    """
    group = np.zeros(len(room.size) - 1, np.uint32)
    room.size[0], count, least, site = len(group), 1, np.inf, first
    done = until[first - 1] if first else 0
    while site < len(until):
        if site < len(typed.alternate):
            rows = typed.rows[typed.start[site] : typed.start[site + 1]]
            count = _split(rows, group, count, room)
        for column in range(done, until[site]):
            rows = core.rows[core.start[column] : core.start[column + 1]]
            count = _split(rows, group, count, room)
        done = until[site]
        site += 1
        cost = border / (site - first) + count
        if cost > least:
            break
        least = cost
    return site, group, count


@jit
def _split(rows: np.ndarray, group: np.ndarray, count: int, room: _Room) -> int:
    """Split the groups in which some haplotypes, `rows`, carry and others do not, in place; gives
    how many groups there are then.
    """
    fresh, size, taken = room.fresh, room.size, room.taken
    for row in rows:
        taken[group[row]] += 1
    for row in rows:
        old = group[row]
        if taken[old]:
            fresh[old] = old
            if taken[old] < size[old]:
                fresh[old], size[count] = count, taken[old]
                size[old] -= taken[old]
                count += 1
            taken[old] = 0
        group[row] = fresh[old]
    return count


@jit
def _join(
    strand: np.ndarray, strands: int, group: np.ndarray, groups: int
) -> tuple[np.ndarray, int]:
    """Split so many strands uint32 [N] by so many groups uint32 [N]; and how many there are then.

    Haplotypes are taken group by group, so that a strand is new where its last one was of another.
    """
    place = np.zeros(groups + 1, np.int64)
    for row in range(len(group)):
        place[group[row] + 1] += 1
    place = np.cumsum(place)
    order = np.empty(len(group), np.uint32)
    for row in range(len(group)):
        order[place[group[row]]] = row
        place[group[row]] += 1
    seen, number = np.full(strands, -1), np.empty(strands, np.uint32)
    joined, count = np.empty(len(strand), np.uint32), 0
    for haplotype in order:
        old = strand[haplotype]
        if seen[old] != group[haplotype]:
            seen[old], number[old] = group[haplotype], count
            count += 1
        joined[haplotype] = number[old]
    return joined, count


@jit
def _fill_alleles(typed: Carriers, first: np.ndarray, groups: _Groups, alleles: np.ndarray) -> None:
    """Alleles of the groups at typed sites, block by block and site by site."""
    place = 0
    for block in range(len(groups.span)):
        strand, of = groups.strand[groups.span[block]], groups.group[groups.start[block] :]
        for site in range(first[block], first[block + 1]):
            here = alleles[place : place + groups.sizes[block]]
            here[:] = 0 if typed.alternate[site] else 1
            for number in range(typed.start[site], typed.start[site + 1]):
                here[of[strand[typed.rows[number]]]] = 1 if typed.alternate[site] else 0
            place += groups.sizes[block]


@jit
def _list_groups(
    core: Carriers, first: np.ndarray, groups: _Groups
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups that carry whichever allele fewer have, where each site's begin, and which it is."""
    sites = len(core.alternate)
    found = np.empty(len(core.rows), np.uint32)
    start, alternate = np.zeros(sites + 1, np.int64), core.alternate.copy()
    # The site at which a group was last seen to carry.
    seen = np.full(max(groups.sizes), -1)
    for block in range(len(groups.span)):
        strand, within = groups.strand[groups.span[block]], groups.group[groups.start[block] :]
        count = groups.sizes[block]
        for site in range(first[block], first[block + 1]):
            place = start[site]
            for number in range(core.start[site], core.start[site + 1]):
                of = within[strand[core.rows[number]]]
                if seen[of] != site:
                    seen[of] = site
                    found[place] = of
                    place += 1
            if 2 * (place - start[site]) > count:
                place, alternate[site] = start[site], not core.alternate[site]
                for of in range(count):
                    if seen[of] != site:
                        found[place] = of
                        place += 1
            start[site + 1] = place
        seen[:] = -1
    return found[: start[-1]].copy(), start, alternate
