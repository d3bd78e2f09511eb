"""The forward and the backward pass of Li and Stephens' model; docs/method.md gives the recursion.

A haplotype is a mosaic of those in the panel. Along a block of sites, equal haplotypes keep the
state they entered with times one number and gain another, so that a whole group is followed at the
cost of one, and exactly so. The same holds of haplotypes that are equal along several blocks, a
span: such a strand goes from block to block as one, and single haplotypes only from span to span.

`LANES` haplotypes under a setting are followed side by side, and a chromosome segment by segment.
States of haplotypes are handed on from one segment to the next by `LaneStates`; within a segment,
those that each span is entered with are kept. Where nothing is known at a segment's end, there are
no states to read, and none are made where nothing follows.
"""

from __future__ import annotations

import numpy as np

from haplorag.li_stephens.numba_jit import jit_in_order, jit_inline
from haplorag.li_stephens.vectors import LANES, load, spread, store, stream, take

# All kernels are in one module because numba keeps machine code until this file changes, whatever
# it was made of. It finds that code by name and line, and cannot read it where a class that a
# kernel takes is gone: then move the line. The code is of so many lanes, and `vectors` as it is:
# where that changes, so must this.
if LANES != 16:
    raise AssertionError("kernels of another number of lanes are kept until this line changes")
# With whole numbers of Python numba would reckon in float64.
NONE, ONE = np.float32(0), np.float32(1)
# What strands keep of a state is added to this and taken from it again, which leaves nothing of
# numbers so small that the processor is slow with them: all states sum to 1, and a switch alone
# gives each haplotype more.
TINY = np.float32(1e-8)


@jit_in_order
def read_segment(lanes, panel, core, ahead, behind, scratch, ids, told):
    """Follow lanes along a segment and back, reading out its core sites.

    `panel` HaplotypeBlocks, `core` SiteGroups, `ids` int64 [lane, I] haplotypes of interest. The
    LaneStates `ahead` are those at the segment's start and are taken to its end; `behind` are those
    at its end and are taken to its start. Fills the ReadOut `told`.
    """
    _follow(lanes, panel, ahead, scratch)
    place = len(core.before) - 1
    for span in range(len(panel.strand) - 1, -1, -1):
        _enter_back(lanes, panel, behind, scratch, span)
        for block in range(panel.span[span + 1] - 1, panel.span[span] - 1, -1):
            sites = _meet(lanes, panel, scratch, (span, block))
            row = 0
            for site in range(sites, -1, -1):
                last = place
                # Core sites before the first typed site of a block belong to the block before.
                if site or not block:
                    while place >= 0 and core.before[place] == panel.typed[block] + site:
                        place -= 1
                if place < last:
                    at, places = (block, site, row, span), (place + 1, last + 1)
                    _read_gap(lanes, panel, core, scratch, behind, at, places, ids, told)
                if site:
                    row = _step_back(lanes, panel, scratch, behind, (block, site, row, span))
            _leave_block(panel, scratch, (span, block), row, True)
        _leave_back(lanes, panel, behind, scratch, span)


@jit_in_order
def pass_back(lanes, panel, behind, scratch):
    """Take the LaneStates `behind` from a segment's end to its start, reading out nothing."""
    last = len(panel.strand) - 1
    for span in range(last, -1, -1):
        _count_strands(lanes, panel, scratch, span)
        if span == last:
            _sum_by_strand(panel, span, behind.entered, lanes.closes, scratch.strand_behind)
        _begin_back(panel, scratch, span, False)
        for block in range(panel.span[span + 1] - 1, panel.span[span] - 1, -1):
            _count_members(lanes, panel, scratch, (span, block))
            _begin(scratch.stays[0], scratch.gains[0], _count_groups(panel, block))
            row = 0
            for site in range(_count_typed(panel, block), 0, -1):
                row = _step_back(lanes, panel, scratch, behind, (block, site, row, span))
            _leave_block(panel, scratch, (span, block), row, False)
        moved = scratch.strand_stays, scratch.strand_gains
        fresh, nowhere = span == last and lanes.closes, behind.entered[:0]
        into = max(span - 1, 0)
        sums = scratch.strand_behind
        _hand_on(lanes, panel, (span, into), moved, behind.entered, fresh, sums, nowhere)


@jit_in_order
def count_events(lanes, panel, ahead, behind, scratch, mismatches, switches):
    """Follow lanes along a segment and back, adding up what is expected to have happened.

    As `read_segment`; to `mismatches` float64 [T] is added the probability that the copied allele
    is another one, to `switches` float64 [T] that of a switch in the gap before the typed site.
    """
    _follow(lanes, panel, ahead, scratch)
    for span in range(len(panel.strand) - 1, -1, -1):
        _enter_back(lanes, panel, behind, scratch, span)
        for block in range(panel.span[span + 1] - 1, panel.span[span] - 1, -1):
            sites = _meet(lanes, panel, scratch, (span, block))
            row = 0
            for site in range(sites, -1, -1):
                at = block, site, row, span
                both = _sum_pairs(panel, scratch, at)
                if site < sites:
                    _count_switch(lanes, panel, scratch, behind, at, both, switches)
                if site:
                    _count_mismatch(lanes, panel, scratch, behind, at, both, mismatches)
                    row = _step_back(lanes, panel, scratch, behind, at)
            _leave_block(panel, scratch, (span, block), row, True)
        _leave_back(lanes, panel, behind, scratch, span)


@jit_in_order
def _follow(lanes, panel, ahead, scratch):
    """Go forward to the segment's end, keeping the states that each span is entered with, what
    strands made of them before each block, and sums by group.
    """
    state, last = ahead.entered, len(panel.strand) - 1
    store(scratch.total, 0, load(ahead.total, 0))
    if not lanes.opens:
        for row in range(len(state)):
            stream(scratch.entered[0], row, load(state, row))
    _sum_by_strand(panel, 0, state, lanes.opens, _strands_ahead(panel, scratch, 0))
    for span in range(last + 1):
        _count_strands(lanes, panel, scratch, span)
        _begin_ahead(panel, scratch, span)
        for block in range(panel.span[span], panel.span[span + 1]):
            _count_members(lanes, panel, scratch, (span, block))
            sites = _go_forward(lanes, panel, scratch, block)
            moved = scratch.kept[sites], scratch.gained[sites]
            if block + 1 < panel.span[span + 1]:
                _take_strands_on(panel, scratch, (span, block), moved)
            else:
                _end_strands(panel, scratch, (span, block), moved)
            total = ahead.total if block + 2 == len(panel.typed) else scratch.total[block + 1 :]
            store(total, 0, load(scratch.sums, sites))
        moved = scratch.strand_stays, scratch.strand_gains
        fresh = span == 0 and lanes.opens
        if span < last:
            sums = _strands_ahead(panel, scratch, span + 1)
            into, copy = (span, span + 1), scratch.entered[span + 1]
            _hand_on(lanes, panel, into, moved, state, fresh, sums, copy)
        elif not lanes.closes:
            sums, nowhere = scratch.strand_behind, state[:0]
            _hand_on(lanes, panel, (span, span), moved, state, fresh, sums, nowhere)


@jit_in_order
def _begin_ahead(panel, scratch, span):
    """Strands before the first block of a span, and their sums by its groups."""
    block = panel.span[span]
    kept, gained = _ahead(panel, scratch, span, block)
    _begin(kept, gained, len(kept))
    entered, sums = _strands_ahead(panel, scratch, span), _sums_ahead(panel, scratch, block)
    group = _groups(panel, span, block)
    _clear(sums, len(sums))
    for strand in range(len(group)):
        of = group[strand]
        store(sums, of, load(sums, of) + load(entered, strand))


@jit_in_order
def _take_strands_on(panel, scratch, at, moved):
    """Take strands to the next block of a span, with their sums by its groups."""
    span, block = at
    group, into = _groups(panel, span, block), _groups(panel, span, block + 1)
    kept, gained = _ahead(panel, scratch, span, block)
    kept_on, gained_on = _ahead(panel, scratch, span, block + 1)
    entered, sums = _strands_ahead(panel, scratch, span), _sums_ahead(panel, scratch, block + 1)
    _clear(sums, len(sums))
    tiny = spread(TINY)
    for strand in range(len(group)):
        of, to = group[strand], into[strand]
        keeps = load(moved[0], of)
        gains = load(gained, strand) * keeps + load(moved[1], of)
        keeps = (load(kept, strand) * keeps + tiny) - tiny
        store(kept_on, strand, keeps)
        store(gained_on, strand, gains)
        state = keeps * load(entered, strand) + gains * load(scratch.strand_members, strand)
        store(sums, to, load(sums, to) + state)


@jit_in_order
def _end_strands(panel, scratch, at, moved):
    """Take strands to the end of a span."""
    span, block = at
    group = _groups(panel, span, block)
    kept, gained = _ahead(panel, scratch, span, block)
    for strand in range(len(group)):
        keeps = load(moved[0], group[strand])
        gains = load(gained, strand) * keeps + load(moved[1], group[strand])
        store(scratch.strand_stays, strand, load(kept, strand) * keeps)
        store(scratch.strand_gains, strand, gains)


@jit_in_order
def _enter_back(lanes, panel, behind, scratch, span):
    """Make strands ready for going back along a span."""
    _count_strands(lanes, panel, scratch, span)
    strands = _count_in_span(panel, span)
    if span + 1 == len(panel.strand):
        _sum_by_strand(panel, span, behind.entered, lanes.closes, scratch.strand_behind)
        _clear(scratch.strand_products, strands)
        if not (lanes.closes or (span == 0 and lanes.opens)):
            of, sums, entered = panel.strand[span], scratch.strand_products, scratch.entered[span]
            for row in range(len(of)):
                product = load(behind.entered, row) * load(entered, row)
                store(sums, of[row], load(sums, of[row]) + product)
    _begin_back(panel, scratch, span, True)


@jit_in_order
def _begin_back(panel, scratch, span, both):
    """Strands behind the last block of a span, and their sums by its groups; those of products too,
    where `both` are wanted.
    """
    block = panel.span[span + 1] - 1
    group = _groups(panel, span, block)
    kept, gained = _ahead(panel, scratch, span, block)
    _begin(scratch.strand_stays, scratch.strand_gains, len(group))
    _clear_back(panel, scratch, block)
    for strand in range(len(group)):
        of, back = group[strand], load(scratch.strand_behind, strand)
        store(scratch.behind, of, load(scratch.behind, of) + back)
        if both:
            product = load(kept, strand) * load(scratch.strand_products, strand)
            product = product + load(gained, strand) * back
            store(scratch.products, of, load(scratch.products, of) + product)


@jit_inline
def _clear_back(panel, scratch, block):
    groups = _count_groups(panel, block)
    _clear(scratch.behind, groups)
    _clear(scratch.products, groups)


@jit_in_order
def _meet(lanes, panel, scratch, at):
    """Make ready for going back along a block; gives how many typed sites it has."""
    _count_members(lanes, panel, scratch, at)
    sites = _go_forward(lanes, panel, scratch, at[1])
    _begin(scratch.stays[0], scratch.gains[0], _count_groups(panel, at[1]))
    return sites


@jit_in_order
def _leave_block(panel, scratch, at, row, both):
    """Take strands from behind to a block's start; they are added up as by `_begin_back` for the
    block before, if the span has one.
    """
    span, block = at
    first = block == panel.span[span]
    before = block if first else block - 1
    group, into = _groups(panel, span, block), _groups(panel, span, before)
    kept, gained = _ahead(panel, scratch, span, before)
    entered, tiny = _strands_ahead(panel, scratch, span), spread(TINY)
    _clear_back(panel, scratch, before)
    for strand in range(len(group)):
        of, to = group[strand], into[strand]
        keeps = load(scratch.stays[row], of)
        gains = load(scratch.strand_gains, strand) * keeps + load(scratch.gains[row], of)
        keeps = (load(scratch.strand_stays, strand) * keeps + tiny) - tiny
        store(scratch.strand_gains, strand, gains)
        store(scratch.strand_stays, strand, keeps)
        if not first:
            members = load(scratch.strand_members, strand)
            back = keeps * load(scratch.strand_behind, strand) + gains * members
            store(scratch.behind, to, load(scratch.behind, to) + back)
            if both:
                product = keeps * load(scratch.strand_products, strand)
                product = product + gains * load(entered, strand)
                product = load(kept, strand) * product + load(gained, strand) * back
                store(scratch.products, to, load(scratch.products, to) + product)


@jit_in_order
def _leave_back(lanes, panel, behind, scratch, span):
    """Take the states from behind to a span's start; they are added up for the span before."""
    moved = scratch.strand_stays, scratch.strand_gains
    fresh = span + 1 == len(panel.strand) and lanes.closes
    sums, into = scratch.strand_behind, max(span - 1, 0)
    if span > 1 or (span == 1 and not lanes.opens):
        states = behind.entered, scratch.entered[into]
        both = sums, scratch.strand_products
        _hand_back(lanes, panel, (span, into), moved, states, fresh, both)
    elif span or not lanes.opens:
        nowhere = behind.entered[:0]
        _hand_on(lanes, panel, (span, into), moved, behind.entered, fresh, sums, nowhere)
        _clear(scratch.strand_products, _count_in_span(panel, into))


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
    block, site, row, _ = at
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
    block, site, row, _ = at
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
    block, site, row, span = at
    (stay_ahead, leak_ahead), (stay, leak), weighed = led
    kept, gained = _ahead(panel, scratch, span, block)
    opens = span == 0 and lanes.opens
    closes = span + 1 == len(panel.strand) and lanes.closes
    for lane in range(LANES):
        for column in range(ids.shape[1]):
            copied = ids[lane, column]
            posterior[lane, column] = NONE
            if copied >= 0 and not lanes.own[lane, 0] <= copied < lanes.own[lane, 1]:
                strand = panel.strand[span, copied]
                of = _groups(panel, span, block)[strand]
                there, here = load(scratch.strand_gains, strand), load(gained, strand)
                if not closes:
                    stays = load(scratch.strand_stays, strand)
                    there = there + load(behind.entered, copied) * stays
                if not opens:
                    here = here + load(scratch.entered[span], copied) * load(kept, strand)
                there = there * load(scratch.stays[row], of) + load(scratch.gains[row], of)
                here = here * load(scratch.kept[site], of) + load(scratch.gained[site], of)
                there, here = there * stay + leak, here * stay_ahead + leak_ahead
                posterior[lane, column] = take(there * here / weighed, lane)


@jit_inline
def _count_mismatch(lanes, panel, scratch, behind, at, both, mismatches):
    """Add the probability that the copied allele at a typed site is not the haplotype's."""
    block, site, _, _ = at
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
    block, site, _, _ = at
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


@jit_inline
def _strands_ahead(panel, scratch, span):
    """Sums by strand of the states that a span is entered with."""
    return scratch.by_strand[panel.strand_offset[span] : panel.strand_offset[span + 1]]


@jit_inline
def _count_in_span(panel, span):
    return panel.strand_offset[span + 1] - panel.strand_offset[span]


@jit_inline
def _groups(panel, span, block):
    """The group of each of a span's strands in a block."""
    start = panel.group_start[block]
    return panel.group[start : start + _count_in_span(panel, span)]


@jit_inline
def _ahead(panel, scratch, span, block):
    """What strands have kept and gained since their span was entered, before a block."""
    start = panel.group_start[block]
    stop = start + _count_in_span(panel, span)
    return scratch.strand_kept[start:stop], scratch.strand_gained[start:stop]


@jit_in_order
def _count_members(lanes, panel, scratch, at):
    """Sizes of a block's groups without each lane's own haplotypes."""
    span, block = at
    members, group = scratch.members, _groups(panel, span, block)
    for number in range(_count_groups(panel, block)):
        store(members, number, spread(panel.members[panel.offset[block] + number]))
    for lane in range(LANES):
        for row in range(lanes.own[lane, 0], lanes.own[lane, 1]):
            members[group[panel.strand[span, row]], lane] -= ONE


@jit_in_order
def _count_strands(lanes, panel, scratch, span):
    """Sizes of a span's strands without each lane's own haplotypes."""
    members = scratch.strand_members
    for strand in range(_count_in_span(panel, span)):
        store(members, strand, spread(panel.strand_members[panel.strand_offset[span] + strand]))
    for lane in range(LANES):
        for row in range(lanes.own[lane, 0], lanes.own[lane, 1]):
            members[panel.strand[span, row], lane] -= ONE


@jit_in_order
def _sum_by_strand(panel, span, state, unknown, sums):
    """Sums by strand of states [N, lane]; nothing where these are not known."""
    _clear(sums, _count_in_span(panel, span))
    if not unknown:
        strand = panel.strand[span]
        for row in range(len(strand)):
            store(sums, strand[row], load(sums, strand[row]) + load(state, row))


@jit_in_order
def _hand_on(lanes, panel, spans, moved, state, fresh, sums, copy):
    """Take states of haplotypes, none of a lane's own, to the other end of a span; with their sums
    by the strands of the next, and a copy, if there is room for one. Fresh ones were nothing.
    """
    kept, gained = moved
    strand, into = panel.strand[spans[0]], panel.strand[spans[1]]
    _clear(sums, _count_in_span(panel, spans[1]))
    for piece in range(len(lanes.others)):
        others = load(lanes.others, piece)
        for row in range(lanes.pieces[piece], lanes.pieces[piece + 1]):
            of, to = strand[row], into[row]
            moved_on = load(gained, of)
            if not fresh:
                moved_on = load(state, row) * load(kept, of) + moved_on
            moved_on = moved_on * others
            store(state, row, moved_on)
            if len(copy):
                stream(copy, row, moved_on)
            store(sums, to, load(sums, to) + moved_on)


@jit_in_order
def _hand_back(lanes, panel, spans, moved, states, fresh, sums):
    """As `_hand_on`, to the span before and in place; with the sums of the products with what that
    span is entered with.
    """
    kept, gained = moved
    state, entered = states
    behind, products = sums
    strand, into = panel.strand[spans[0]], panel.strand[spans[1]]
    _clear(behind, _count_in_span(panel, spans[1]))
    _clear(products, _count_in_span(panel, spans[1]))
    for piece in range(len(lanes.others)):
        others = load(lanes.others, piece)
        for row in range(lanes.pieces[piece], lanes.pieces[piece + 1]):
            of, to = strand[row], into[row]
            moved_on = load(gained, of)
            if not fresh:
                moved_on = load(state, row) * load(kept, of) + moved_on
            moved_on = moved_on * others
            store(state, row, moved_on)
            store(behind, to, load(behind, to) + moved_on)
            store(products, to, load(products, to) + moved_on * load(entered, row))


@jit_in_order
def _clear(sums, groups):
    for group in range(groups):
        store(sums, group, spread(NONE))
