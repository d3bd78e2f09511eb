"""Blocks of sites in which many haplotypes of the panel are equal, and their groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.numba_jit import jit

# What a haplotype costs at the ends of a block, beside a group at one typed site of it.
HAPLOTYPE_COST = 0.7


class HaplotypeBlocks(NamedTuple):
    """Consecutive blocks of sites, and the groups of equal haplotypes in each.

    `typed` and `core` int64 [B + 1] are the first typed and the first core site of each block,
    `offset` int64 [B + 1] where its groups begin, `group` uint32 [B, N] each haplotype's within the
    block, `members` float32 [groups] their sizes. `typed_alleles` 0/1 uint8 holds, typed site by
    typed site, the alleles of the groups of the site's block, those of a block's first site from
    `typed_start` int64 [B]. Of core sites, `carriers` uint32 lists the groups that carry whichever
    allele fewer have, those of each site from `carrier_start` int64 [L + 1]; `carries_alternate`
    bool [L] says whether that is ALT.
    """

    typed: np.ndarray
    core: np.ndarray
    offset: np.ndarray
    group: np.ndarray
    members: np.ndarray
    typed_alleles: np.ndarray
    typed_start: np.ndarray
    carriers: np.ndarray
    carrier_start: np.ndarray
    carries_alternate: np.ndarray


def cut_haplotype_blocks(
    typed_panel: np.ndarray, core_panel: np.ndarray, before: np.ndarray
) -> HaplotypeBlocks:
    """Cut the sites of a panel into blocks, each as long as makes following its groups cheaper.

    `typed_panel` 0/1 uint8 [T, N] and `core_panel` 0/1 uint8 [L, N] are the haplotypes at typed and
    at core sites, `before` int [L] is how many typed sites lie up to each core site. A core site
    belongs to the block of the typed site before it. After Minimac3 (Das et al. 2016,
    doi:10.1038/ng.3656), where haplotypes that are equal in a block share a state.
    """
    until = np.searchsorted(before, np.arange(1, max(len(typed_panel), 1) + 1), side="right")
    until[-1] = len(core_panel)
    ends, group, groups = _refine(typed_panel, core_panel, until)
    typed = np.append(0, np.minimum(ends, len(typed_panel)))
    core = np.append(0, until[ends - 1])
    offset = np.append(0, np.cumsum(groups))
    members, examples = _describe(group, offset)
    rows = np.split(examples, offset[1:-1])
    alleles = [part.ravel() for part in _take_alleles(typed_panel, typed, rows)]
    typed_start = np.cumsum([0, *map(len, alleles)])[:-1]
    carried = _list_carriers(_take_alleles(core_panel, core, rows))
    return HaplotypeBlocks(
        typed, core, offset, group, members, np.concatenate(alleles), typed_start, *carried
    )


def _take_alleles(
    panel: np.ndarray, first: np.ndarray, rows: list[np.ndarray]
) -> Iterator[np.ndarray]:
    """Alleles uint8 [site, group] of every block, given a haplotype of each group."""
    for start, stop, examples in zip(first[:-1], first[1:], rows, strict=True):
        yield panel[start:stop][:, examples]


def _list_carriers(
    blocks: Iterable[np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups that carry whichever allele fewer have, where each site's begin, and which it is."""
    carriers, counts, alternates = [], [], []
    for alleles in blocks:
        alternate = 2 * alleles.sum(axis=1, dtype=np.int64) <= alleles.shape[1]
        fewer = alleles == alternate[:, None]
        carriers.append(np.nonzero(fewer)[1].astype(np.uint32))
        counts.append(fewer.sum(axis=1))
        alternates.append(alternate)
    start = np.append(0, np.cumsum(np.concatenate(counts)))
    return np.concatenate(carriers), start, np.concatenate(alternates)


@jit
def _refine(
    known: np.ndarray, core: np.ndarray, until: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """After which typed site each block ends (int64 [B]), its groups uint32 [B, N], and how many
    there are, int64 [B].

    A block ends when the next typed site makes its cost per site rise: many groups beside few sites
    that share its ends.
    """
    typed, haplotypes = known.shape
    group, fresh = np.zeros(haplotypes, np.uint32), np.zeros(haplotypes + 1, np.uint32)
    size, taken = np.zeros(haplotypes + 1, np.int64), np.zeros(haplotypes + 1, np.int64)
    ends, groups, counts = [0], [group], [0]
    size[0], count, least, done = haplotypes, 1, np.inf, 0
    for site in range(len(until)):
        if site < typed:
            count = _split(known[site], group, count, size, taken, fresh)
        for column in range(done, until[site]):
            count = _split(core[column], group, count, size, taken, fresh)
        done = until[site]
        cost = HAPLOTYPE_COST * haplotypes / (site + 1 - ends[-1]) + count
        if cost > least or site + 1 == len(until):
            ends.append(site + 1)
            groups.append(group.copy())
            counts.append(count)
            group[:] = 0
            size[0], count, least = haplotypes, 1, np.inf
        else:
            least = cost
    stacked = np.empty((len(ends) - 1, haplotypes), np.uint32)
    for block in range(len(stacked)):
        stacked[block] = groups[block + 1]
    return np.array(ends[1:]), stacked, np.array(counts[1:])


@jit
def _split(
    alleles: np.ndarray,
    group: np.ndarray,
    count: int,
    size: np.ndarray,
    taken: np.ndarray,
    fresh: np.ndarray,
) -> int:
    """Split the groups that hold both alleles, in place; gives how many groups there are then."""
    rarer = 1 if 2 * np.count_nonzero(alleles) <= len(alleles) else 0
    rows = np.flatnonzero(alleles == rarer)
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
def _describe(group: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Size float32 and one haplotype int64 of every group."""
    members, carrier = np.zeros(offset[-1], np.float32), np.zeros(offset[-1], np.int64)
    for block in range(len(group)):
        for row in range(group.shape[1]):
            members[offset[block] + group[block, row]] += 1
            carrier[offset[block] + group[block, row]] = row
    return members, carrier
