"""What the passes along a chromosome hold: lanes, their states, and the memory of a thread.

A lane is one haplotype under one setting of the model. `LANES` of them are followed side by side:
what is dear about a panel, to look up the group of each haplotype, is done once for all. States of
haplotypes are [N, lane], all that is kept by group is [lane, group].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.forward_backward import LANES

# Numbers that two arrays lie apart at the least: four vectors of 512 bits, and as much again.
APART = 128


class Lanes(NamedTuple):
    """What is followed along a segment with T typed sites and P groups of core sites.

    `alleles` int8 [lane, T] (-1 where missing); `own` int64 [lane, 2] the half-open range of the
    panel's rows that are the haplotype's own sample, empty for none; `share` [lane] what a switch
    gives each haplotype; `counts` [lane] 0 for a lane that only fills up, or whose haplotype there
    is not; `evident` bool [lane] those of which evidence is wanted. Probabilities float32: `switch`
    [lane, T + 1] of a switch before each typed site and after the last one, `from_left` and
    `from_right` [lane, P] of one between a group of core sites and the typed site on that side,
    `mismatch` [lane, T] of an allele that is not the copied one.
    """

    alleles: np.ndarray
    own: np.ndarray
    share: np.ndarray
    counts: np.ndarray
    evident: np.ndarray
    switch: np.ndarray
    from_left: np.ndarray
    from_right: np.ndarray
    mismatch: np.ndarray


class LaneStates(NamedTuple):
    """States of all haplotypes float32 [N, lane], on either side of a segment, and their sums."""

    entered: np.ndarray
    total: np.ndarray


class ReadOut(NamedTuple):
    """What lanes tell of a segment's core sites, float32.

    `alternate` [lane, L] is the probability of ALT; `posterior` [lane, P, I] that of copying each
    haplotype of interest, at each group of core sites. Of lanes that are `evident`: `ahead` and
    `behind` [lane, L], the probability of ALT as the typed sites before and after a site alone have
    it, and `agreement` [lane, P], how much likelier it is that both sides copy the same haplotype
    than by chance.
    """

    alternate: np.ndarray
    posterior: np.ndarray
    ahead: np.ndarray
    behind: np.ndarray
    agreement: np.ndarray


class Scratch(NamedTuple):
    """Memory of one thread for a segment, float32; see `allocate_scratch`.

    `entered` [block, N, lane], `total` [block, lane] and `by_group` [lane, groups of all blocks]
    are the states that each block is entered with from the left, and their sums. Of a block,
    `members`, `behind` and `products` [lane, group] are the groups' sizes without a lane's own
    haplotypes, and sums of the states that haplotypes come with from the right and of their
    products with `entered`.

    Lane after lane goes through a block, so that what it needs stays near the processor. After
    none, one, two, ... of its typed sites, `kept` and `gained` [sites + 1, group] are what groups
    keep of the states they entered with and what they gain, `sums` [sites + 1] the sum over all
    haplotypes. From the right `stays` and `gains` [2, group] are the same, one row read while the
    other is written. `weight` [group] are weights of copying. `keeps` and `adds` [group, lane] hold
    sums, or what groups keep and gain, while haplotypes are gone through.
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
    weight: np.ndarray
    keeps: np.ndarray
    adds: np.ndarray


def allocate_scratch(
    blocks: int, haplotypes: int, groups: int, longest: int, widest: int
) -> Scratch:
    """Memory for segments of at most so many blocks, with so many groups in all, whose blocks have
    at most `longest` typed sites and `widest` groups.

    Compiled loops add up by vectors only what lies far enough apart, and otherwise one by one, with
    other last bits. Where arrays come to lie in memory is chance: rows that are read and written at
    once are kept apart.
    """
    width = max(widest, APART)

    def make(*shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        return np.empty(size + 2 * APART, dtype=np.float32)[APART : APART + size].reshape(shape)

    return Scratch(
        make(blocks, haplotypes, LANES), make(blocks, LANES), make(LANES, groups),
        make(LANES, width), make(LANES, width), make(LANES, width),
        make(longest + 1, width), make(longest + 1, width), make(longest + 1),
        make(2, width), make(2, width), make(width), make(width, LANES), make(width, LANES),
    )  # fmt: skip


def allocate_read_out(core: int, places: int, interest: int) -> ReadOut:
    """Room for what lanes tell of so many core sites in so many groups."""

    def make(*shape: int) -> np.ndarray:
        return np.empty((LANES, *shape), dtype=np.float32)

    return ReadOut(make(core), make(places, interest), make(core), make(core), make(places))


def start_states(haplotypes: int) -> LaneStates:
    """States at an end of a chromosome; the switch from there is certain."""
    entered = np.zeros((haplotypes, LANES), np.float32)
    return LaneStates(entered, np.ones(LANES, np.float32))
