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
    is wanted. `opens` and `closes` say that nothing is known before or behind the segment.

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
    opens: bool
    closes: bool
    switch: np.ndarray
    from_left: np.ndarray
    from_right: np.ndarray
    reference: np.ndarray
    change: np.ndarray


class LaneStates(NamedTuple):
    """States of all haplotypes float32 [N, lane], on either side of a segment, and their sums [1,
    lane]. Where a segment opens or closes, those outside are not looked at."""

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

    `entered` [span, N, lane] and `by_strand` [strands of all spans, lane] are the states that each
    span is entered with from the left, and their sums. `strand_kept` and `strand_gained` [strands
    of all blocks, lane] are what strands keep of these and gain up to a block, `total` [block,
    lane] and `by_group` [groups of all blocks, lane] the sums then. Of a span, `strand_members`,
    `strand_behind` and `strand_products` [strand, lane] are the sizes without a lane's own
    haplotypes, and sums of the states that haplotypes come with from the right end and of their
    products with `entered`; from there, `strand_stays` and `strand_gains` are what strands keep and
    gain. Of a block, `members`, `behind` and `products` [group, lane] are sizes and sums likewise.

    After none, one, two, ... of a block's typed sites, `kept` and `gained` [sites + 1, group, lane]
    are what groups keep of the states they entered with and what they gain, `sums` [sites + 1,
    lane] the sum over all haplotypes. From the right `stays` and `gains` [2, group, lane] are the
    same, one row read while the other is written.
    """

    entered: np.ndarray
    by_strand: np.ndarray
    strand_kept: np.ndarray
    strand_gained: np.ndarray
    strand_members: np.ndarray
    strand_behind: np.ndarray
    strand_products: np.ndarray
    strand_stays: np.ndarray
    strand_gains: np.ndarray
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


class Sizes(NamedTuple):
    """How large segments are: haplotypes, spans, strands of all spans and of all blocks, and the
    most of a span; blocks, groups of all blocks and the most of a block; most typed sites of one.
    """

    haplotypes: int
    spans: int
    strands: int
    in_blocks: int
    most_strands: int
    blocks: int
    groups: int
    most_groups: int
    longest: int


def allocate_scratch(sizes: Sizes) -> Scratch:
    """Memory for segments that are no larger."""
    strands, widest, longest = sizes.most_strands, sizes.most_groups, sizes.longest + 1
    return Scratch(
        _allocate(sizes.spans, sizes.haplotypes), _allocate(sizes.strands),
        _allocate(sizes.in_blocks), _allocate(sizes.in_blocks),
        _allocate(strands), _allocate(strands), _allocate(strands),
        _allocate(strands), _allocate(strands),
        _allocate(sizes.blocks), _allocate(sizes.groups),
        _allocate(widest), _allocate(widest), _allocate(widest),
        _allocate(longest, widest), _allocate(longest, widest), _allocate(longest),
        _allocate(2, widest), _allocate(2, widest),
    )  # fmt: skip


def allocate_read_out(core: int, places: int, interest: int) -> ReadOut:
    """Room for what lanes tell of so many core sites in so many groups."""
    posterior = np.empty((LANES, places, interest), dtype=np.float32)
    return ReadOut(_allocate(core), posterior, _allocate(core), _allocate(core), _allocate(places))


def start_states(haplotypes: int) -> LaneStates:
    """Room for states at an end of a chromosome, where nothing is known: the switch from there is
    certain."""
    states = LaneStates(_allocate(haplotypes), _allocate(1))
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
