"""What the passes along a chromosome hold: lanes, their states, and the memory of a thread.

A lane is one haplotype under one setting of the model. `LANES` of them are followed side by side,
as one vector of the processor: what is dear about a panel, to look up the group of each haplotype,
is done once for all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.vectors import LANES

# Vectors that lie across two lines of the processor's cache are slower to read.
LINE = 64


class Lanes(NamedTuple):
    """What is followed along a segment with T typed sites and P groups of core sites.

    `alleles` int8 [T, lane] (-1 where missing); `own` int64 [lane, 2] the half-open range of the
    panel's rows that are the haplotype's own sample, empty for none. The panel's rows fall into
    pieces that begin at `pieces` int64 [K + 1]; `others` [K, lane] is 0 where a piece is the lane's
    own, and else 1. `share` [1, lane] is what a switch gives each haplotype; `counts` [lane] is 0
    for a lane that only fills up, or whose haplotype there is not; `evident` says whether evidence
    is wanted.

    Probabilities float32: `switch` [T + 1, lane] of a switch before each typed site and after the
    last one, `from_left` and `from_right` [P, lane] of one between a group of core sites and the
    typed site on that side. How well REF agrees with a haplotype at each typed site, and how much
    better ALT does, are `reference` and `change` [T, lane].
    """

    alleles: np.ndarray
    own: np.ndarray
    pieces: np.ndarray
    others: np.ndarray
    share: np.ndarray
    counts: np.ndarray
    evident: bool
    switch: np.ndarray
    from_left: np.ndarray
    from_right: np.ndarray
    reference: np.ndarray
    change: np.ndarray


class LaneStates(NamedTuple):
    """States of all haplotypes float32 [N, lane], on either side of a segment, and their sums [1,
    lane]."""

    entered: np.ndarray
    total: np.ndarray


class ReadOut(NamedTuple):
    """What lanes tell of a segment's core sites, float32.

    `alternate` [L, lane] is the probability of ALT; `posterior` [lane, P, I] that of copying each
    haplotype of interest, at each group of core sites. `agreement` [P, lane] is how much likelier
    it is that both sides copy the same haplotype than by chance. Where evidence is wanted, `ahead`
    and `behind` [L, lane] are the probability of ALT as the typed sites before and after a site
    alone have it.
    """

    alternate: np.ndarray
    posterior: np.ndarray
    ahead: np.ndarray
    behind: np.ndarray
    agreement: np.ndarray


class Scratch(NamedTuple):
    """Memory of one thread for a segment, float32; see `allocate_scratch`.

    `entered` [block, N, lane], `total` [block, lane] and `by_group` [groups of all blocks, lane]
    are the states that each block is entered with from the left, and their sums. Of a block,
    `members`, `behind` and `products` [group, lane] are the groups' sizes without a lane's own
    haplotypes, and sums of the states that haplotypes come with from the right and of their
    products with `entered`.

    After none, one, two, ... of a block's typed sites, `kept` and `gained` [sites + 1, group, lane]
    are what groups keep of the states they entered with and what they gain, `sums` [sites + 1,
    lane] the sum over all haplotypes. From the right `stays` and `gains` [2, group, lane] are the
    same, one row read while the other is written.
    """

    entered: np.ndarray
    total: np.ndarray
    by_group: np.ndarray
    members: np.ndarray
    behind: np.ndarray
    products: np.ndarray
    kept: np.ndarray
    gained: np.ndarray
    sums: np.ndarray
    stays: np.ndarray
    gains: np.ndarray


def allocate_scratch(
    blocks: int, haplotypes: int, groups: int, longest: int, widest: int
) -> Scratch:
    """Memory for segments of at most so many blocks, with so many groups in all, whose blocks have
    at most `longest` typed sites and `widest` groups.
    """
    return Scratch(
        _allocate(blocks, haplotypes), _allocate(blocks), _allocate(groups),
        _allocate(widest), _allocate(widest), _allocate(widest),
        _allocate(longest + 1, widest), _allocate(longest + 1, widest), _allocate(longest + 1),
        _allocate(2, widest), _allocate(2, widest),
    )  # fmt: skip


def allocate_read_out(core: int, places: int, interest: int) -> ReadOut:
    """Room for what lanes tell of so many core sites in so many groups."""
    posterior = np.empty((LANES, places, interest), dtype=np.float32)
    return ReadOut(_allocate(core), posterior, _allocate(core), _allocate(core), _allocate(places))


def start_states(haplotypes: int) -> LaneStates:
    """States at an end of a chromosome; the switch from there is certain."""
    states = LaneStates(_allocate(haplotypes), _allocate(1))
    states.entered[:] = 0
    states.total[:] = 1
    return states


def copy_states(states: LaneStates) -> LaneStates:
    """The same states in memory of their own."""
    copied = LaneStates(_allocate(len(states.entered)), _allocate(1))
    copied.entered[:], copied.total[:] = states
    return copied


def _allocate(*shape: int) -> np.ndarray:
    """An array [..., lane] that begins with a line of the cache."""
    size = int(np.prod(shape)) * LANES
    room = np.empty(size + LINE // 4, dtype=np.float32)
    first = -room.ctypes.data % LINE // 4
    return room[first : first + size].reshape(*shape, LANES)
