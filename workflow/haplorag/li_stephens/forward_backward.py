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

from haplorag.li_stephens.numba_jit import jit, jit_inline

# Eight float32 are one vector of AVX2. It stands here, and all kernels in one module, because
# numba keeps machine code until this file changes, whatever it was made of. It finds that code by
# name and line, and cannot read it where a class that a kernel takes is gone: then move the line.
LANES = 8
# With whole numbers of Python numba would reckon in float64.
NONE, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)


@jit
def read_segment(lanes, panel, core, ahead, behind, scratch, ids, told):
    """Follow lanes along a segment and back, reading out its core sites.

    `panel` HaplotypeBlocks, `core` SiteGroups, `ids` int64 [lane, I] haplotypes of interest. The
    LaneStates `ahead` are those at the segment's start and are taken to its end; `behind` are those
    at its end and are taken to its start. Fills the ReadOut `told`.
    """
    _follow(lanes, panel, ahead, scratch)
    last = len(core.before) - 1
    for block in range(len(panel.group) - 1, -1, -1):
        _meet(lanes, panel, ahead, behind, scratch, block)
        place = last
        for lane in range(LANES):
            sites = _go_forward(lanes, panel, scratch, block, lane)
            row = _start_back(panel, scratch, block)
            place = last
            for site in range(sites, -1, -1):
                # Core sites before the first typed site of a block belong to the block before.
                number = panel.typed[block] + site
                while place >= 0 and core.before[place] == number and (site or not block):
                    at = block, lane, site, place, row
                    _read_out(lanes, panel, core, scratch, behind, at, ids[lane], told)
                    place -= 1
                if site:
                    row = _step_back(lanes, panel, scratch, behind, (block, lane, site, row))
            _keep(scratch, panel, block, lane, scratch.stays[row], scratch.gains[row])
        last = place
        _carry(lanes, panel.group[block], scratch, behind.entered, behind.entered)


@jit
def pass_back(lanes, panel, behind, scratch):
    """Take the LaneStates `behind` from a segment's end to its start, reading out nothing."""
    for block in range(len(panel.group) - 1, -1, -1):
        _count_members(lanes, panel, scratch, block)
        _sum_by_group(scratch, panel, block, behind.entered, scratch.behind, 0)
        for lane in range(LANES):
            row = _start_back(panel, scratch, block)
            for site in range(panel.typed[block + 1] - panel.typed[block], 0, -1):
                row = _step_back(lanes, panel, scratch, behind, (block, lane, site, row))
            _keep(scratch, panel, block, lane, scratch.stays[row], scratch.gains[row])
        _carry(lanes, panel.group[block], scratch, behind.entered, behind.entered)


@jit
def count_events(lanes, panel, ahead, behind, scratch, mismatches, switches):
    """Follow lanes along a segment and back, adding up what is expected to have happened.

    As `read_segment`; to `mismatches` float64 [T] is added the probability that the copied allele
    is another one, to `switches` float64 [T] that of a switch in the gap before the typed site.
    """
    _follow(lanes, panel, ahead, scratch)
    for block in range(len(panel.group) - 1, -1, -1):
        _meet(lanes, panel, ahead, behind, scratch, block)
        for lane in range(LANES):
            sites = _go_forward(lanes, panel, scratch, block, lane)
            row = _start_back(panel, scratch, block)
            for site in range(sites, 0, -1):
                at = block, lane, site, row
                _count_mismatch(lanes, panel, scratch, behind, at, mismatches)
                row = _step_back(lanes, panel, scratch, behind, at)
                _count_switch(lanes, panel, scratch, (block, lane, site, row), switches)
            _keep(scratch, panel, block, lane, scratch.stays[row], scratch.gains[row])
        _carry(lanes, panel.group[block], scratch, behind.entered, behind.entered)


@jit
def _follow(lanes, panel, ahead, scratch):
    """Go forward, keeping the states that each block is entered with."""
    _copy(ahead.entered, scratch.entered[0])
    for lane in range(LANES):
        scratch.total[0, lane] = ahead.total[lane]
    for block in range(len(panel.group)):
        first = panel.offset[block]
        _sum_by_group(scratch, panel, block, scratch.entered[block], scratch.by_group, first)
        if block + 1 < len(panel.group):
            _count_members(lanes, panel, scratch, block)
            _leave(
                lanes, panel, scratch, block, scratch.entered[block + 1], scratch.total[block + 1]
            )


@jit
def _leave(lanes, panel, scratch, block, entered, total):
    """Go forward along a block with all lanes, to the states [N, lane] that the next is entered
    with.
    """
    for lane in range(LANES):
        sites = _go_forward(lanes, panel, scratch, block, lane)
        _keep(scratch, panel, block, lane, scratch.kept[sites], scratch.gained[sites])
        total[lane] = scratch.sums[sites]
    _carry(lanes, panel.group[block], scratch, scratch.entered[block], entered)


@jit
def _meet(lanes, panel, ahead, behind, scratch, block):
    """Make ready for going back along a block; from the last one, `ahead` leaves the segment."""
    _count_members(lanes, panel, scratch, block)
    _sum_both(scratch, panel, block, behind.entered)
    if block + 1 == len(panel.group):
        _leave(lanes, panel, scratch, block, ahead.entered, ahead.total)


@jit
def _go_forward(lanes, panel, scratch, block, lane):
    """Fill what groups keep and gain along a block; gives how many typed sites it has."""
    start = panel.typed[block]
    groups = panel.offset[block + 1] - panel.offset[block]
    sites = panel.typed[block + 1] - start
    kept, gained, sums = scratch.kept, scratch.gained, scratch.sums
    for group in range(groups):
        kept[0, group] = ONE
        gained[0, group] = NONE
    sums[0] = scratch.total[block, lane]
    for site in range(sites):
        chance = lanes.switch[lane, start + site]
        sums[site + 1] = _step(
            (kept[site], gained[site]),
            (kept[site + 1], gained[site + 1]),
            _alleles(panel, block, site),
            (lanes.alleles[lane, start + site], lanes.mismatch[lane, start + site]),
            ((ONE - chance) / sums[site], chance * lanes.share[lane]),
            scratch.members[lane],
            _entered_sums(panel, scratch, block, lane),
        )
    return sites


@jit_inline
def _start_back(panel, scratch, block):
    """Begin a block from behind; gives the row of `stays` and `gains` to go on from."""
    groups = panel.offset[block + 1] - panel.offset[block]
    for group in range(groups):
        scratch.stays[0, group] = ONE
        scratch.gains[0, group] = NONE
    return 0


@jit_inline
def _step_back(lanes, panel, scratch, behind, at):
    """Go back over a typed site of a block; gives the row that holds the states then."""
    block, lane, site, row = at
    number = panel.typed[block] + site
    chance = lanes.switch[lane, number]
    behind.total[lane] = _step(
        (scratch.stays[row], scratch.gains[row]),
        (scratch.stays[1 - row], scratch.gains[1 - row]),
        _alleles(panel, block, site - 1),
        (lanes.alleles[lane, number - 1], lanes.mismatch[lane, number - 1]),
        ((ONE - chance) / behind.total[lane], chance * lanes.share[lane]),
        scratch.members[lane],
        scratch.behind[lane],
    )
    return 1 - row


@jit
def _step(old, new, carried, observed, chances, members, sums):
    """Move the groups on by a typed site: a switch by chance, then how well their allele agrees.

    Gives the sum of all states.
    """
    kept, gained = old
    kept_on, gained_on = new
    allele, mismatch = observed
    stay, leak = chances
    reference, change = ONE, NONE
    if allele == 0:
        reference, change = ONE - mismatch, TWO * mismatch - ONE
    elif allele == 1:
        reference, change = mismatch, ONE - TWO * mismatch
    total = NONE
    for group in range(len(carried)):
        agrees = reference + change * np.float32(carried[group])
        keeps = kept[group] * stay * agrees
        gains = (gained[group] * stay + leak) * agrees
        kept_on[group] = keeps
        gained_on[group] = gains
        total += keeps * sums[group] + gains * members[group]
    return total


@jit_inline
def _read_out(lanes, panel, core, scratch, behind, at, ids, told):
    """Weigh the groups of haplotypes at a group of core sites, and fill what is told there."""
    block, lane, site, place, row = at
    near, far = lanes.from_left[lane, place], lanes.from_right[lane, place]
    share = lanes.share[lane]
    front = (
        scratch.kept[site], scratch.gained[site], (ONE - near) / scratch.sums[site], near * share,
    )  # fmt: skip
    back = (
        scratch.stays[row], scratch.gains[row], (ONE - far) / behind.total[lane], far * share,
    )  # fmt: skip
    weighed = _weigh(scratch, panel, block, lane, back, front)
    sites = core.first[place], core.first[place + 1]
    _sum_carriers(scratch.weight, panel, sites, weighed, told.alternate[lane])
    if lanes.evident[lane]:
        told.agreement[lane, place] = weighed / share
        entered = _entered_sums(panel, scratch, block, lane)
        _weigh_side(front, scratch.members[lane], entered, scratch.weight)
        _sum_carriers(scratch.weight, panel, sites, ONE, told.ahead[lane])
        _weigh_side(back, scratch.members[lane], scratch.behind[lane], scratch.weight)
        _sum_carriers(scratch.weight, panel, sites, ONE, told.behind[lane])
    if len(ids):
        states = scratch.entered[block, :, lane], behind.entered[:, lane]
        group = panel.group[block]
        posterior = told.posterior[lane, place]
        _look_up(ids, lanes.own[lane], group, states, back, front, weighed, posterior)


@jit
def _weigh_side(side, members, sums, weight):
    """Weights of the groups at a place as one side alone has them; all together they are one."""
    kept, gained, stay, leak = side
    for group in range(len(sums)):
        gains = gained[group] * stay + leak
        weight[group] = kept[group] * stay * sums[group] + gains * members[group]


@jit
def _weigh(scratch, panel, block, lane, back, front):
    """Weights of the groups at a place, of one lane; gives their sum.

    A weight is the sum over the group's haplotypes of state behind times state ahead. `back` and
    `front` hold what groups keep of the states that haplotypes come with from either side and gain,
    and the chances of neither switching nor having switched on the way to the place.
    """
    stays, gains, stay, leak = back
    kept, gained, stay_ahead, leak_ahead = front
    weight, members = scratch.weight, scratch.members[lane]
    both, behind = scratch.products[lane], scratch.behind[lane]
    ahead = _entered_sums(panel, scratch, block, lane)
    weighed = NONE
    for group in range(len(ahead)):
        there, there_gained = stays[group] * stay, gains[group] * stay + leak
        here, here_gained = kept[group] * stay_ahead, gained[group] * stay_ahead + leak_ahead
        from_behind = there * (here * both[group] + here_gained * behind[group])
        found = from_behind + there_gained * (here * ahead[group] + here_gained * members[group])
        weight[group] = found
        weighed += found
    return weighed


@jit
def _sum_carriers(weight, panel, sites, weighed, alternate):
    """Share of the weights that groups with ALT have at each core site of a group.

    Summed over whichever allele fewer groups have.
    """
    for site in range(sites[0], sites[1]):
        carried = NONE
        for number in range(panel.carrier_start[site], panel.carrier_start[site + 1]):
            carried += weight[panel.carriers[number]]
        share = carried / weighed
        alternate[site] = share if panel.carries_alternate[site] else ONE - share


@jit
def _look_up(ids, own, group, states, back, front, weighed, posterior):
    """Posterior of single haplotypes; none of the lane's own, nor of id -1."""
    entered, state = states
    stays, gains, stay, leak = back
    kept, gained, stay_ahead, leak_ahead = front
    for column in range(len(ids)):
        row = ids[column]
        posterior[column] = 0
        if row >= 0 and not own[0] <= row < own[1]:
            of = group[row]
            there = (state[row] * stays[of] + gains[of]) * stay + leak
            here = (entered[row] * kept[of] + gained[of]) * stay_ahead + leak_ahead
            posterior[column] = there * here / weighed


@jit
def _count_mismatch(lanes, panel, scratch, behind, at, mismatches):
    """Add the probability that the copied allele at a typed site is not the haplotype's."""
    block, lane, site, row = at
    number = panel.typed[block] + site
    allele = lanes.alleles[lane, number - 1]
    if allele >= 0:
        chance = lanes.switch[lane, number]
        stay = (ONE - chance) / behind.total[lane]
        back = scratch.stays[row], scratch.gains[row], stay, chance * lanes.share[lane]
        front = scratch.kept[site], scratch.gained[site], ONE, NONE
        weighed = _weigh(scratch, panel, block, lane, back, front)
        alternate = _sum_where(scratch.weight, _alleles(panel, block, site - 1)) / weighed
        other = alternate if allele == 0 else ONE - alternate
        mismatches[number - 1] += lanes.counts[lane] * other


@jit
def _count_switch(lanes, panel, scratch, at, switches):
    """Add the probability of a switch in the gap before a typed site."""
    block, lane, site, row = at
    number = panel.typed[block] + site
    chance = lanes.switch[lane, number - 1]
    stay = (ONE - chance) / scratch.sums[site - 1]
    back = scratch.stays[row], scratch.gains[row], ONE, NONE
    kept, gained = scratch.kept[site - 1], scratch.gained[site - 1]
    stayed = _weigh(scratch, panel, block, lane, back, (kept, gained, stay, NONE))
    leak = chance * lanes.share[lane]
    either = _weigh(scratch, panel, block, lane, back, (kept, gained, stay, leak))
    switches[number - 1] += lanes.counts[lane] * (ONE - stayed / either)


@jit
def _sum_where(weight, alleles):
    carried = NONE
    for group in range(len(alleles)):
        carried += weight[group] * np.float32(alleles[group])
    return carried


@jit_inline
def _alleles(panel, block, site):
    """Alleles of the groups at a typed site of a block."""
    groups = panel.offset[block + 1] - panel.offset[block]
    at = panel.typed_start[block] + site * groups
    return panel.typed_alleles[at : at + groups]


@jit_inline
def _entered_sums(panel, scratch, block, lane):
    """Sums by group of the states that a lane enters a block with."""
    return scratch.by_group[lane][panel.offset[block] : panel.offset[block + 1]]


@jit
def _count_members(lanes, panel, scratch, block):
    """Sizes of a block's groups without each lane's own haplotypes."""
    groups = panel.offset[block + 1] - panel.offset[block]
    sizes = panel.members[panel.offset[block] : panel.offset[block + 1]]
    for lane in range(LANES):
        members = scratch.members[lane]
        for group in range(groups):
            members[group] = sizes[group]
        for row in range(lanes.own[lane, 0], lanes.own[lane, 1]):
            members[panel.group[block, row]] -= 1


@jit
def _sum_by_group(scratch, panel, block, state, by_group, first):
    """Sums of states [N, lane] by group, into [lane, group] from the group numbered `first` on."""
    group = panel.group[block]
    groups = panel.offset[block + 1] - panel.offset[block]
    sums = scratch.keeps
    _clear(sums, groups)
    for row in range(len(group)):
        of = group[row]
        for lane in range(LANES):
            sums[of, lane] += state[row, lane]
    _turn(sums, groups, by_group, first)


@jit
def _sum_both(scratch, panel, block, state):
    """Sums by group of the states from behind, and of their products with those entered."""
    group = panel.group[block]
    groups = panel.offset[block + 1] - panel.offset[block]
    entered, sums, products = scratch.entered[block], scratch.keeps, scratch.adds
    _clear(sums, groups)
    _clear(products, groups)
    for row in range(len(group)):
        of = group[row]
        for lane in range(LANES):
            sums[of, lane] += state[row, lane]
            products[of, lane] += state[row, lane] * entered[row, lane]
    _turn(sums, groups, scratch.behind, 0)
    _turn(products, groups, scratch.products, 0)


@jit
def _clear(sums, groups):
    for group in range(groups):
        for lane in range(LANES):
            sums[group, lane] = NONE


@jit
def _turn(sums, groups, by_group, first):
    """Turn [group, lane] into [lane, group]."""
    for lane in range(LANES):
        for group in range(groups):
            by_group[lane, first + group] = sums[group, lane]


@jit
def _copy(state, onward):
    for row in range(len(state)):
        for lane in range(LANES):
            onward[row, lane] = state[row, lane]


@jit
def _keep(scratch, panel, block, lane, kept, gained):
    """Keep what the groups of a lane keep and gain along a block, for `_carry`."""
    for group in range(panel.offset[block + 1] - panel.offset[block]):
        scratch.keeps[group, lane] = kept[group]
        scratch.adds[group, lane] = gained[group]


@jit
def _carry(lanes, group, scratch, state, onward):
    """States of haplotypes at the other end of a block; a lane's own have none."""
    kept, gained = scratch.keeps, scratch.adds
    for row in range(len(group)):
        of = group[row]
        for lane in range(LANES):
            onward[row, lane] = state[row, lane] * kept[of, lane] + gained[of, lane]
    for lane in range(LANES):
        for row in range(lanes.own[lane, 0], lanes.own[lane, 1]):
            onward[row, lane] = 0
