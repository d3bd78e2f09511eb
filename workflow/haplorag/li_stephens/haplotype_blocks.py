"""Blocks of sites in which many haplotypes of the panel are equal, and their groups."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.carriers import Carriers
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
    typed: Carriers, core: Carriers, before: np.ndarray, haplotypes: int
) -> HaplotypeBlocks:
    """Cut the sites of a panel into blocks, each as long as makes following its groups cheaper.

    `typed` and `core` say who of so many haplotypes carry at T typed and at L core sites, `before`
    int [L] is how many typed sites lie up to each core site. A core site belongs to the block of
    the typed site before it. After Minimac3 (Das et al. 2016, doi:10.1038/ng.3656), where
    haplotypes that are equal in a block share a state.
    """
    sites = len(typed.alternate)
    until = np.searchsorted(before, np.arange(1, max(sites, 1) + 1), side="right")
    until[-1] = len(core.alternate)
    ends, group, groups = _refine(typed, core, until, haplotypes)
    first = np.append(0, np.minimum(ends, sites))
    first_core = np.append(0, until[ends - 1])
    offset = np.append(0, np.cumsum(groups))
    members = _count_members(group, offset)
    typed_start = np.cumsum(np.append(0, np.diff(first) * groups))
    alleles = np.empty(typed_start[-1], dtype=np.uint8)
    _fill_alleles(typed, first, group, groups, alleles)
    carried = _list_groups(core, first_core, group, groups)
    return HaplotypeBlocks(
        first, first_core, offset, group, members, alleles, typed_start[:-1], *carried
    )


@jit
def _fill_alleles(
    typed: Carriers, first: np.ndarray, group: np.ndarray, groups: np.ndarray, alleles: np.ndarray
) -> None:
    """Alleles of the groups at typed sites, block by block and site by site."""
    place = 0
    for block in range(len(group)):
        for site in range(first[block], first[block + 1]):
            here = alleles[place : place + groups[block]]
            here[:] = 0 if typed.alternate[site] else 1
            for number in range(typed.start[site], typed.start[site + 1]):
                here[group[block, typed.rows[number]]] = 1 if typed.alternate[site] else 0
            place += groups[block]


@jit
def _list_groups(
    core: Carriers, first: np.ndarray, group: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups that carry whichever allele fewer have, where each site's begin, and which it is."""
    sites = len(core.alternate)
    found = np.empty(len(core.rows), np.uint32)
    start, alternate = np.zeros(sites + 1, np.int64), core.alternate.copy()
    # The site at which a group was last seen to carry.
    seen = np.full(max(groups), -1)
    for block in range(len(group)):
        for site in range(first[block], first[block + 1]):
            place = start[site]
            for number in range(core.start[site], core.start[site + 1]):
                of = group[block, core.rows[number]]
                if seen[of] != site:
                    seen[of] = site
                    found[place] = of
                    place += 1
            if 2 * (place - start[site]) > groups[block]:
                place, alternate[site] = start[site], not core.alternate[site]
                for of in range(groups[block]):
                    if seen[of] != site:
                        found[place] = of
                        place += 1
            start[site + 1] = place
        seen[:] = -1
    return found[: start[-1]].copy(), start, alternate


@jit
def _refine(
    typed: Carriers, core: Carriers, until: np.ndarray, haplotypes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """After which typed site each block ends (int64 [B]), its groups uint32 [B, N], and how many
    there are, int64 [B].

    A block ends when the next typed site makes its cost per site rise: many groups beside few sites
    that share its ends.
    """
    group, fresh = np.zeros(haplotypes, np.uint32), np.zeros(haplotypes + 1, np.uint32)
    size, taken = np.zeros(haplotypes + 1, np.int64), np.zeros(haplotypes + 1, np.int64)
    ends, groups, counts = [0], [group], [0]
    size[0], count, least, done = haplotypes, 1, np.inf, 0
    for site in range(len(until)):
        if site < len(typed.alternate):
            rows = typed.rows[typed.start[site] : typed.start[site + 1]]
            count = _split(rows, group, count, size, taken, fresh)
        for column in range(done, until[site]):
            rows = core.rows[core.start[column] : core.start[column + 1]]
            count = _split(rows, group, count, size, taken, fresh)
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
    rows: np.ndarray,
    group: np.ndarray,
    count: int,
    size: np.ndarray,
    taken: np.ndarray,
    fresh: np.ndarray,
) -> int:
    """Split the groups in which some haplotypes, `rows`, carry and others do not, in place; gives
    how many groups there are then.
    """
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
def _count_members(group: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Size float32 of every group."""
    members = np.zeros(offset[-1], np.float32)
    for block in range(len(group)):
        for row in range(group.shape[1]):
            members[offset[block] + group[block, row]] += 1
    return members
