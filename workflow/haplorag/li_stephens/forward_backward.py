"""The forward and the backward pass of Li and Stephens' model; docs/method.md gives the recursion.

A haplotype is a mosaic of those in the panel. Along a block of sites, equal haplotypes keep the
state they entered with times one number and gain another, so that a whole group is followed at the
cost of one, and exactly so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.numba_jit import jit


class Chances(NamedTuple):
    """Probabilities of the model, float32.

    `switch` [T + 1] is that of a switch before each typed site and after the last one, `from_left`
    and `from_right` [P] of one between a group of core sites and the typed site on that side, and
    `mismatch` of an allele that is not the copied one.
    """

    switch: np.ndarray
    from_left: np.ndarray
    from_right: np.ndarray
    mismatch: np.float32


class CoreGroups(NamedTuple):
    """Where weights are read: first core site int64 [P + 1], typed sites up to it int64 [P]."""

    first: np.ndarray
    before: np.ndarray


class Query(NamedTuple):
    """One haplotype: its typed alleles int8 [T], whose rows of the panel are its own, and the share
    that a switch gives each haplotype of the panel."""

    alleles: np.ndarray
    own: int
    share: np.float32


class BlockStates(NamedTuple):
    """States within one block, after none, one, two, ... of its typed sites: what each group keeps
    of the state it entered with and what it gains, float32 [sites + 1, groups], their sum over all
    haplotypes [sites + 1], and the groups' sizes without the query's own haplotypes."""

    kept: np.ndarray
    gained: np.ndarray
    total: np.ndarray
    members: np.ndarray


class ForwardStates(NamedTuple):
    """States that haplotypes enter each block with, float32 [block, N], their sums over all
    haplotypes [block] and over those of each group [groups of all blocks]."""

    entered: np.ndarray
    total: np.ndarray
    by_group: np.ndarray


class BackwardStates(NamedTuple):
    """States from behind: of haplotypes at the end of the block, float32 [N], their sums by group,
    and those of their products with the states entered; and two rows, of which one is read while
    the other is written, of what groups keep and gain."""

    entered: np.ndarray
    by_group: np.ndarray
    products: np.ndarray
    kept: np.ndarray
    gained: np.ndarray


@jit
def run_queries(alleles, panel, chances, core, ids, owner, alternate, posterior):
    """Fill `alternate` float32 [Q, L] and `posterior` float32 [Q, P, K], query by query.

    `alleles` int8 [Q, T], `panel` HaplotypeBlocks, `chances` Chances, `core` CoreGroups, `ids`
    int64 [Q, K] haplotypes of interest and `owner` int64 [Q], as in `model.run_forward_backward`.
    """
    blocks, haplotypes = panel.group.shape
    longest = np.diff(panel.typed).max()
    widest = np.diff(panel.offset).max()
    entered = np.zeros((blocks, haplotypes), np.float32)
    for number in range(len(alleles)):
        own = 2 * owner[number]
        share = np.float32(1) / np.float32(haplotypes - (2 if own >= 0 else 0))
        query = Query(alleles[number], own, share)
        states = BlockStates(
            np.empty((longest + 1, widest), np.float32),
            np.empty((longest + 1, widest), np.float32),
            np.ones(longest + 1, np.float32),
            np.empty(widest, np.float32),
        )
        forward = ForwardStates(
            entered, np.ones(blocks, np.float32), np.empty(len(panel.members), np.float32)
        )
        _run_forward(query, panel, chances, states, forward)
        outputs = alternate[number], posterior[number]
        _run_backward(query, panel, chances, core, states, forward, ids[number], outputs)


@jit
def _run_forward(query, panel, chances, states, forward):
    """Fill `forward`, block by block."""
    blocks = len(panel.group)
    for block in range(blocks):
        group = panel.group[block]
        by_group = forward.by_group[panel.offset[block] : panel.offset[block + 1]]
        _sum_by_group(by_group, forward.entered[block], group)
        if block + 1 < blocks:
            _count_members(states.members, panel, block, query.own)
            states.total[0] = forward.total[block]
            sites = _go_forward(query, panel, chances, states, block, by_group)
            kept, gained = states.kept[sites], states.gained[sites]
            onward = forward.entered[block + 1]
            _carry(forward.entered[block], kept, gained, group, query.own, onward)
            forward.total[block + 1] = states.total[sites]


@jit
def _run_backward(query, panel, chances, core, states, forward, ids, outputs):
    """Go back block by block, each gone through forward once more, and read out the core sites."""
    haplotypes = panel.group.shape[1]
    widest = len(states.members)
    backward = BackwardStates(
        np.zeros(haplotypes, np.float32),
        np.empty(widest, np.float32),
        np.empty(widest, np.float32),
        np.empty((2, widest), np.float32),
        np.empty((2, widest), np.float32),
    )
    weight = np.empty(widest, np.float32)
    total = np.float32(1)
    place = len(core.before) - 1
    for block in range(len(panel.group) - 1, -1, -1):
        group = panel.group[block]
        by_group = forward.by_group[panel.offset[block] : panel.offset[block + 1]]
        groups = _count_members(states.members, panel, block, query.own)
        entered = forward.entered[block]
        sums = backward.by_group[:groups], backward.products[:groups]
        _sum_both(sums[0], sums[1], backward.entered, entered, group)
        states.total[0] = forward.total[block]
        sites = _go_forward(query, panel, chances, states, block, by_group)
        at = block, sites, place, total
        place, total, row = _go_backward(
            query, panel, chances, core, states, forward, backward, (weight, ids, at, outputs)
        )
        kept, gained = backward.kept[row], backward.gained[row]
        _carry(backward.entered, kept, gained, group, query.own, backward.entered)


@jit
def _go_backward(query, panel, chances, core, states, forward, backward, reading):
    """Go back along a block, reading out each group of core sites that it passes.

    Gives the group of core sites that comes next, the sum of all states, and which row holds them.
    """
    weight, ids, at, outputs = reading
    block, sites, place, total = at
    groups = panel.offset[block + 1] - panel.offset[block]
    row = 0
    backward.kept[row, :groups] = 1
    backward.gained[row, :groups] = 0
    for site in range(sites, -1, -1):
        # Core sites before the first typed site of a block belong to the block before.
        number = panel.typed[block] + site
        while place >= 0 and core.before[place] == number and (site or not block):
            _read_out(
                query, panel, chances, states, forward, backward,
                (block, site, place, row, total), (weight[:groups], core.first, ids, outputs),
            )  # fmt: skip
            place -= 1
        if site:
            chance = chances.switch[number]
            stay = (1 - chance) / total
            leak = chance * query.share
            carried = _alleles(panel, block, site - 1)
            old = backward.kept[row], backward.gained[row]
            new = backward.kept[1 - row], backward.gained[1 - row]
            allele = query.alleles[number - 1]
            total = _step(
                old, new, carried, allele, stay, leak, states.members, backward.by_group,
                chances.mismatch,
            )  # fmt: skip
            row = 1 - row
    return place, total, row


@jit
def _read_out(query, panel, chances, states, forward, backward, at, wanted):
    """Weigh the groups of haplotypes at a group of core sites; fill ALT and the posterior there."""
    block, site, place, row, total = at
    weight, first, ids, outputs = wanted
    alternate, posterior = outputs
    by_group = forward.by_group[panel.offset[block] : panel.offset[block + 1]]
    far, near = chances.from_right[place], chances.from_left[place]
    share = query.share
    back = (
        backward.entered, backward.kept[row], backward.gained[row], (1 - far) / total, far * share,
    )  # fmt: skip
    front = (
        forward.entered[block], states.kept[site], states.gained[site],
        (1 - near) / states.total[site], near * share,
    )  # fmt: skip
    sums = backward.products, backward.by_group, by_group, states.members
    weighed = _weigh(weight, back, front, sums)
    _sum_carriers(
        weight, panel, block, first[place], weighed, alternate[first[place] : first[place + 1]]
    )
    _look_up(ids, query.own, panel.group[block], back, front, weighed, posterior[place])


@jit
def _go_forward(query, panel, chances, states, block, by_group):
    """Fill what groups keep and gain along a block; gives how many typed sites it has."""
    start = panel.typed[block]
    groups = panel.offset[block + 1] - panel.offset[block]
    sites = panel.typed[block + 1] - start
    states.kept[0, :groups] = 1
    states.gained[0, :groups] = 0
    for site in range(sites):
        number = start + site
        stay = (1 - chances.switch[number]) / states.total[site]
        leak = chances.switch[number] * query.share
        carried = _alleles(panel, block, site)
        old = states.kept[site], states.gained[site]
        new = states.kept[site + 1], states.gained[site + 1]
        states.total[site + 1] = _step(
            old, new, carried, query.alleles[number], stay, leak, states.members, by_group,
            chances.mismatch,
        )  # fmt: skip
    return sites


@jit
def _alleles(panel, block, site):
    """Alleles of the groups at a typed site of a block."""
    groups = panel.offset[block + 1] - panel.offset[block]
    at = panel.typed_start[block] + site * groups
    return panel.typed_alleles[at : at + groups]


@jit
def _step(old, new, carried, allele, stay, leak, members, sums, mismatch):
    """Move the groups on by a typed site: a switch by chance, then how well their allele agrees.

    Gives the sum of all states.
    """
    kept, gained = old
    kept_on, gained_on = new
    reference, change = np.float32(1), np.float32(0)
    if allele == 0:
        reference, change = 1 - mismatch, 2 * mismatch - 1
    elif allele == 1:
        reference, change = mismatch, 1 - 2 * mismatch
    total = np.float32(0)
    for group in range(len(carried)):
        agrees = reference + change * np.float32(carried[group])
        keeps, gains = kept[group] * stay * agrees, (gained[group] * stay + leak) * agrees
        kept_on[group], gained_on[group] = keeps, gains
        total += keeps * sums[group] + gains * members[group]
    return total


@jit
def _weigh(weight, back, front, sums):
    """Weights of the groups at a group of core sites; gives their sum.

    A weight is the sum over the group's haplotypes of state behind times state ahead. `back` and
    `front` hold the states that haplotypes come with from either side, what groups keep of them and
    gain, and the chances of neither switching nor having switched on the way to the core sites.
    """
    _, stays, gains, stay, leak = back
    _, kept, gained, stay_ahead, leak_ahead = front
    both, behind, ahead, members = sums
    weighed = np.float32(0)
    for group in range(len(weight)):
        there, there_gained = stays[group] * stay, gains[group] * stay + leak
        here, here_gained = kept[group] * stay_ahead, gained[group] * stay_ahead + leak_ahead
        from_behind = there * (here * both[group] + here_gained * behind[group])
        weight[group] = from_behind + there_gained * (
            here * ahead[group] + here_gained * members[group]
        )
        weighed += weight[group]
    return weighed


@jit
def _look_up(ids, own, group, back, front, weighed, posterior):
    """Posterior of single haplotypes; none of the query's own, nor of id -1."""
    state, stays, gains, stay, leak = back
    entered, kept, gained, stay_ahead, leak_ahead = front
    for column in range(len(ids)):
        row = ids[column]
        posterior[column] = 0
        if row >= 0 and row != own and row != own + 1:
            of = group[row]
            there = (state[row] * stays[of] + gains[of]) * stay + leak
            here = (entered[row] * kept[of] + gained[of]) * stay_ahead + leak_ahead
            posterior[column] = there * here / weighed


@jit
def _sum_carriers(weight, panel, block, site, weighed, alternate):
    """Share of the weights that groups with ALT have at each core site of a group."""
    for number in range(len(alternate)):
        at = panel.core_start[block] + (site + number - panel.core[block]) * len(weight)
        alternate[number] = _sum_where(weight, panel.core_alleles[at : at + len(weight)]) / weighed


@jit
def _sum_where(weight, alleles):
    carried = np.float32(0)
    for group in range(len(weight)):
        carried += weight[group] * np.float32(alleles[group])
    return carried


@jit
def _count_members(members, panel, block, own):
    """Sizes of a block's groups without the query's own haplotypes; gives how many groups."""
    groups = panel.offset[block + 1] - panel.offset[block]
    members[:groups] = panel.members[panel.offset[block] : panel.offset[block + 1]]
    if own >= 0:
        members[panel.group[block, own]] -= 1
        members[panel.group[block, own + 1]] -= 1
    return groups


@jit
def _sum_by_group(sums, state, group):
    sums[:] = 0
    for row in range(len(state)):
        sums[group[row]] += state[row]


@jit
def _sum_both(sums, products, state, other, group):
    sums[:], products[:] = 0, 0
    for row in range(len(state)):
        sums[group[row]] += state[row]
        products[group[row]] += state[row] * other[row]


@jit
def _carry(state, kept, gained, group, own, onward):
    """States of haplotypes at the other end of a block; the query's own two have none."""
    for row in range(len(state)):
        of = group[row]
        onward[row] = state[row] * kept[of] + gained[of]
    if own >= 0:
        onward[own : own + 2] = 0
