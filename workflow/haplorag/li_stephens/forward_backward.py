"""The forward and the backward pass of Li and Stephens' model; docs/method.md gives the recursion.

A haplotype is a mosaic of those in the panel. Along a block of sites, equal haplotypes keep the
state they entered with times one number and gain another, so that a whole group is followed at the
cost of one, and exactly so.

`LANES` haplotypes under a setting are followed side by side, and a chromosome segment by segment.
States of haplotypes are handed on from one segment to the next by `LaneStates`; within a segment,
those that each block is entered with are kept.
"""

from __future__ import annotations

import numpy as np

from haplorag.li_stephens.numba_jit import jit_in_order, jit_inline
from haplorag.li_stephens.vectors import LANES, load, spread, store, stream, take

# All kernels are in one module because numba keeps machine code until this file changes, whatever
# it was made of; `vectors` too. It finds that code by name and line, and cannot read it where a
# class that a kernel takes is gone: then move the line.
# With whole numbers of Python numba would reckon in float64.
NONE, ONE = np.float32(0), np.float32(1)


@jit_in_order
def read_segment(lanes, panel, core, ahead, behind, scratch, ids, told):
    """Follow lanes along a segment and back, reading out its core sites.

    `panel` HaplotypeBlocks, `core` SiteGroups, `ids` int64 [lane, I] haplotypes of interest. The
    LaneStates `ahead` are those at the segment's start and are taken to its end; `behind` are those
    at its end and are taken to its start. Fills the ReadOut `told`.
    """
    _follow(lanes, panel, ahead, scratch)
    place = len(core.before) - 1
    for block in range(len(panel.group) - 1, -1, -1):
        sites = _meet(lanes, panel, ahead, behind, scratch, block)
        row = 0
        for site in range(sites, -1, -1):
            last = place
            # Core sites before the first typed site of a block belong to the block before.
            if site or not block:
                while place >= 0 and core.before[place] == panel.typed[block] + site:
                    place -= 1
            if place < last:
                at, places = (block, site, row), (place + 1, last + 1)
                _read_gap(lanes, panel, core, scratch, behind, at, places, ids, told)
            if site:
                row = _step_back(lanes, panel, scratch, behind, (block, site, row))
        _leave_back(lanes, panel, behind, scratch, block, row)


@jit_in_order
def pass_back(lanes, panel, behind, scratch):
    """Take the LaneStates `behind` from a segment's end to its start, reading out nothing."""
    last = len(panel.group) - 1
    _sum_by_group(panel, last, behind.entered, scratch.behind)
    for block in range(last, -1, -1):
        _count_members(lanes, panel, scratch, block)
        _begin(scratch.stays[0], scratch.gains[0], _count_groups(panel, block))
        row = 0
        for site in range(_count_typed(panel, block), 0, -1):
            row = _step_back(lanes, panel, scratch, behind, (block, site, row))
        into = max(block - 1, 0)
        moved = scratch.stays[row], scratch.gains[row]
        nowhere = behind.entered[:0]
        _hand_on(lanes, panel, (block, into), moved, behind.entered, scratch.behind, nowhere)


@jit_in_order
def count_events(lanes, panel, ahead, behind, scratch, mismatches, switches):
    """Follow lanes along a segment and back, adding up what is expected to have happened.

    As `read_segment`; to `mismatches` float64 [T] is added the probability that the copied allele
    is another one, to `switches` float64 [T] that of a switch in the gap before the typed site.
    """
    _follow(lanes, panel, ahead, scratch)
    for block in range(len(panel.group) - 1, -1, -1):
        sites = _meet(lanes, panel, ahead, behind, scratch, block)
        row = 0
        for site in range(sites, -1, -1):
            at = block, site, row
            both = _sum_pairs(panel, scratch, at)
            if site < sites:
                _count_switch(lanes, panel, scratch, behind, at, both, switches)
            if site:
                _count_mismatch(lanes, panel, scratch, behind, at, both, mismatches)
                row = _step_back(lanes, panel, scratch, behind, at)
        _leave_back(lanes, panel, behind, scratch, block, row)


@jit_in_order
def _follow(lanes, panel, ahead, scratch):
    """Go forward to the last block, keeping the states that each block is entered with."""
    state = ahead.entered
    for row in range(len(state)):
        stream(scratch.entered[0], row, load(state, row))
    store(scratch.total, 0, load(ahead.total, 0))
    _sum_by_group(panel, 0, state, _sums_ahead(panel, scratch, 0))
    for block in range(len(panel.group) - 1):
        _count_members(lanes, panel, scratch, block)
        sites = _go_forward(lanes, panel, scratch, block)
        moved = scratch.kept[sites], scratch.gained[sites]
        sums = _sums_ahead(panel, scratch, block + 1)
        into = block, block + 1
        _hand_on(lanes, panel, into, moved, state, sums, scratch.entered[block + 1])
        store(scratch.total, block + 1, load(scratch.sums, sites))


@jit_in_order
def _meet(lanes, panel, ahead, behind, scratch, block):
    """Make ready for going back along a block; gives how many typed sites it has.

    From the last block, `ahead` leaves the segment.
    """
    _count_members(lanes, panel, scratch, block)
    sites = _go_forward(lanes, panel, scratch, block)
    if block + 1 == len(panel.group):
        moved = scratch.kept[sites], scratch.gained[sites]
        nowhere = ahead.entered[:0]
        _hand_on(lanes, panel, (block, block), moved, ahead.entered, scratch.behind, nowhere)
        store(ahead.total, 0, load(scratch.sums, sites))
        _sum_by_group(panel, block, behind.entered, scratch.behind)
        _sum_products(panel, block, behind.entered, scratch.entered[block], scratch.products)
    _begin(scratch.stays[0], scratch.gains[0], _count_groups(panel, block))
    return sites


@jit_in_order
def _leave_back(lanes, panel, behind, scratch, block, row):
    """Take the states from behind to a block's start; they are added up for the block before."""
    moved = scratch.stays[row], scratch.gains[row]
    if block:
        sums, entered = (scratch.behind, scratch.products), scratch.entered[block - 1]
        _hand_back(lanes, panel, block, moved, (behind.entered, entered), sums)
    else:
        nowhere = behind.entered[:0]
        _hand_on(lanes, panel, (0, 0), moved, behind.entered, scratch.behind, nowhere)


@jit_in_order
def _go_forward(lanes, panel, scratch, block):
    """Fill what groups keep and gain along a block; gives how many typed sites it has."""
    sites = _count_typed(panel, block)
    kept, gained, sums = scratch.kept, scratch.gained, scratch.sums
    _begin(kept[0], gained[0], _count_groups(panel, block))
    store(sums, 0, load(scratch.total, block))
    for site in range(sites):
        number = panel.typed[block] + site
        total = _step(
            (kept[site], gained[site]),
            (kept[site + 1], gained[site + 1]),
            _alleles(panel, block, site),
            (load(lanes.reference, number), load(lanes.change, number)),
            _change(lanes, number, load(sums, site)),
            (_sums_ahead(panel, scratch, block), scratch.members),
        )
        store(sums, site + 1, total)
    return sites


@jit_in_order
def _begin(kept, gained, groups):
    """What groups keep and gain before any typed site."""
    for group in range(groups):
        store(kept, group, spread(ONE))
        store(gained, group, spread(NONE))


@jit_inline
def _step_back(lanes, panel, scratch, behind, at):
    """Go back over a typed site of a block; gives the row that holds the states then."""
    block, site, row = at
    number = panel.typed[block] + site
    total = _step(
        (scratch.stays[row], scratch.gains[row]),
        (scratch.stays[1 - row], scratch.gains[1 - row]),
        _alleles(panel, block, site - 1),
        (load(lanes.reference, number - 1), load(lanes.change, number - 1)),
        _change(lanes, number, load(behind.total, 0)),
        (scratch.behind, scratch.members),
    )
    store(behind.total, 0, total)
    return 1 - row


@jit_inline
def _change(lanes, number, total):
    """What is left of states of so large a sum in a gap before a typed site, and what each gets."""
    chance = load(lanes.switch, number)
    return (spread(ONE) - chance) / total, chance * load(lanes.share, 0)


@jit_in_order
def _step(old, new, carried, observed, chances, sums):
    """Move the groups on by a typed site: a switch by chance, then how well their allele agrees.

    Gives the sum of all states.
    """
    kept, gained = old
    kept_on, gained_on = new
    reference, change = observed
    stay, leak = chances
    entered, members = sums
    total = spread(NONE)
    for group in range(len(carried)):
        agrees = reference + change * spread(np.float32(carried[group]))
        keeps = load(kept, group) * stay * agrees
        gains = (load(gained, group) * stay + leak) * agrees
        store(kept_on, group, keeps)
        store(gained_on, group, gains)
        total = total + (keeps * load(entered, group) + gains * load(members, group))
    return total


@jit_inline
def _read_gap(lanes, panel, core, scratch, behind, at, places, ids, told):
    """Fill what is told at the groups of core sites in a gap between typed sites."""
    one, share = spread(ONE), load(lanes.share, 0)
    ahead_total, behind_total = load(scratch.sums, at[1]), load(behind.total, 0)
    both_total = _sum_pairs(panel, scratch, at)
    for place in range(places[0], places[1]):
        near, far = load(lanes.from_left, place), load(lanes.from_right, place)
        stay_ahead, leak_ahead = (one - near) / ahead_total, near * share
        stay, leak = (one - far) / behind_total, far * share
        # A weight is the state ahead times the state behind, both led to the place.
        weighed = (
            stay_ahead * (stay * both_total + leak * ahead_total)
            + leak_ahead * (stay * behind_total + leak / share)
        )  # fmt: skip
        store(told.agreement, place, weighed / share)
        for number in range(core.first[place], core.first[place + 1]):
            both, ahead, back, members = _sum_carriers(panel, scratch, at, number)
            from_ahead = stay_ahead * ahead + leak_ahead * members
            from_behind = stay * back + leak * members
            found = (stay * (stay_ahead * both + leak_ahead * back) + leak * from_ahead) / weighed
            if not panel.carries_alternate[number]:
                found, from_ahead, from_behind = one - found, one - from_ahead, one - from_behind
            store(told.alternate, number, found)
            if lanes.evident:
                store(told.ahead, number, from_ahead)
                store(told.behind, number, from_behind)
        if ids.shape[1]:
            led = (stay_ahead, leak_ahead), (stay, leak), weighed
            _look_up(lanes, panel, scratch, behind, at, led, ids, told.posterior[:, place])


@jit_inline
def _pair(panel, scratch, at, group):
    """Of a group: sums over its haplotypes of the state ahead times that behind, of the state
    ahead, of that behind, and how many there are; after so many typed sites of a block.
    """
    block, site, row = at
    kept, gained = load(scratch.kept[site], group), load(scratch.gained[site], group)
    stays, gains = load(scratch.stays[row], group), load(scratch.gains[row], group)
    entered, members = (
        load(scratch.by_group, panel.offset[block] + group),
        load(scratch.members, group),
    )
    back = stays * load(scratch.behind, group) + gains * members
    both = kept * (stays * load(scratch.products, group) + gains * entered) + gained * back
    return both, kept * entered + gained * members, back, members


@jit_in_order
def _sum_pairs(panel, scratch, at):
    """Sum over all haplotypes of the state ahead times that behind."""
    total = spread(NONE)
    for group in range(_count_groups(panel, at[0])):
        total = total + _pair(panel, scratch, at, group)[0]
    return total


@jit_in_order
def _sum_carriers(panel, scratch, at, number):
    """Sums as in `_pair`, over the groups that carry whichever allele of a core site fewer have."""
    both = ahead = back = members = spread(NONE)
    for carrier in range(panel.carrier_start[number], panel.carrier_start[number + 1]):
        found = _pair(panel, scratch, at, panel.carriers[carrier])
        both, ahead = both + found[0], ahead + found[1]
        back, members = back + found[2], members + found[3]
    return both, ahead, back, members


@jit_in_order
def _look_up(lanes, panel, scratch, behind, at, led, ids, posterior):
    """Posterior [lane, I] of single haplotypes; none of the lane's own, nor of id -1."""
    block, site, row = at
    (stay_ahead, leak_ahead), (stay, leak), weighed = led
    for lane in range(LANES):
        for column in range(ids.shape[1]):
            copied = ids[lane, column]
            posterior[lane, column] = NONE
            if copied >= 0 and not lanes.own[lane, 0] <= copied < lanes.own[lane, 1]:
                of = panel.group[block, copied]
                there = load(behind.entered, copied) * load(scratch.stays[row], of)
                there = (there + load(scratch.gains[row], of)) * stay + leak
                here = load(scratch.entered[block], copied) * load(scratch.kept[site], of)
                here = (here + load(scratch.gained[site], of)) * stay_ahead + leak_ahead
                posterior[lane, column] = take(there * here / weighed, lane)


@jit_inline
def _count_mismatch(lanes, panel, scratch, behind, at, both, mismatches):
    """Add the probability that the copied allele at a typed site is not the haplotype's."""
    block, site, _ = at
    number = panel.typed[block] + site
    stay, leak = _change(lanes, number, load(behind.total, 0))
    weighed = stay * both + leak * load(scratch.sums, site)
    carried, ahead = _sum_where(panel, scratch, at, _alleles(panel, block, site - 1))
    alternate = (stay * carried + leak * ahead) / weighed
    for lane in range(LANES):
        allele = lanes.alleles[number - 1, lane]
        if allele >= 0:
            found = take(alternate, lane)
            other = found if allele == 0 else ONE - found
            mismatches[number - 1] += lanes.counts[lane] * other


@jit_inline
def _count_switch(lanes, panel, scratch, behind, at, both, switches):
    """Add the probability of a switch in the gap before a typed site."""
    block, site, _ = at
    number = panel.typed[block] + site
    stay, leak = _change(lanes, number, load(scratch.sums, site))
    switched = leak * load(behind.total, 0)
    chance = switched / (stay * both + switched)
    for lane in range(LANES):
        switches[number] += lanes.counts[lane] * take(chance, lane)


@jit_in_order
def _sum_where(panel, scratch, at, alleles):
    """Sums as the first two in `_pair`, over the groups that have ALT."""
    both = ahead = spread(NONE)
    for group in range(len(alleles)):
        found = _pair(panel, scratch, at, group)
        carries = spread(np.float32(alleles[group]))
        both, ahead = both + found[0] * carries, ahead + found[1] * carries
    return both, ahead


@jit_inline
def _count_groups(panel, block):
    return panel.offset[block + 1] - panel.offset[block]


@jit_inline
def _count_typed(panel, block):
    return panel.typed[block + 1] - panel.typed[block]


@jit_inline
def _alleles(panel, block, site):
    """Alleles of the groups at a typed site of a block."""
    groups = _count_groups(panel, block)
    at = panel.typed_start[block] + site * groups
    return panel.typed_alleles[at : at + groups]


@jit_inline
def _sums_ahead(panel, scratch, block):
    """Sums by group of the states that a block is entered with."""
    return scratch.by_group[panel.offset[block] : panel.offset[block + 1]]


@jit_in_order
def _count_members(lanes, panel, scratch, block):
    """Sizes of a block's groups without each lane's own haplotypes."""
    members = scratch.members
    for group in range(_count_groups(panel, block)):
        store(members, group, spread(panel.members[panel.offset[block] + group]))
    for lane in range(LANES):
        for row in range(lanes.own[lane, 0], lanes.own[lane, 1]):
            members[panel.group[block, row], lane] -= ONE


@jit_in_order
def _sum_by_group(panel, block, state, sums):
    """Sums by group of states [N, lane]."""
    _clear(sums, _count_groups(panel, block))
    group = panel.group[block]
    for row in range(len(group)):
        store(sums, group[row], load(sums, group[row]) + load(state, row))


@jit_in_order
def _sum_products(panel, block, state, entered, sums):
    """Sums by group of the states from either side, multiplied."""
    _clear(sums, _count_groups(panel, block))
    group = panel.group[block]
    for row in range(len(group)):
        product = load(state, row) * load(entered, row)
        store(sums, group[row], load(sums, group[row]) + product)


@jit_in_order
def _hand_on(lanes, panel, blocks, moved, state, sums, copy):
    """Take states of haplotypes, none of a lane's own, to the other end of a block; with their sums
    by the groups of the next block, and a copy, if there is room for one.
    """
    kept, gained = moved
    group, into = panel.group[blocks[0]], panel.group[blocks[1]]
    _clear(sums, _count_groups(panel, blocks[1]))
    for piece in range(len(lanes.others)):
        others = load(lanes.others, piece)
        for row in range(lanes.pieces[piece], lanes.pieces[piece + 1]):
            of, to = group[row], into[row]
            moved_on = (load(state, row) * load(kept, of) + load(gained, of)) * others
            store(state, row, moved_on)
            if len(copy):
                stream(copy, row, moved_on)
            store(sums, to, load(sums, to) + moved_on)


@jit_in_order
def _hand_back(lanes, panel, block, moved, states, sums):
    """As `_hand_on`, to the block before and in place; with the sums of the products with what that
    block is entered with.
    """
    kept, gained = moved
    state, entered = states
    behind, products = sums
    group, into = panel.group[block], panel.group[block - 1]
    _clear(behind, _count_groups(panel, block - 1))
    _clear(products, _count_groups(panel, block - 1))
    for piece in range(len(lanes.others)):
        others = load(lanes.others, piece)
        for row in range(lanes.pieces[piece], lanes.pieces[piece + 1]):
            of, to = group[row], into[row]
            moved_on = (load(state, row) * load(kept, of) + load(gained, of)) * others
            store(state, row, moved_on)
            store(behind, to, load(behind, to) + moved_on)
            store(products, to, load(products, to) + moved_on * load(entered, row))


@jit_in_order
def _clear(sums, groups):
    for group in range(groups):
        store(sums, group, spread(NONE))
