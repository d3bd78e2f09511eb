"""Kernels of the two passes of Li and Stephens' model; docs/gpu.md says how they go together.

A program follows `LANES` queries under one setting, its lanes, through all haplotypes of the panel.
These are its columns: `TILES` tiles of `BLOCK`. With one tile the states stay in registers from
site to site; with several they go through memory, tile by tile. A word of the panel's bits is read
once for all lanes of a program.

All arrays are padded: queries to whole programs, columns to whole tiles. What is padded has no
state. Lanes are numbered setting by setting. No array has 2^31 elements or more
(`following.MOST_CELLS`), so that int32 tells every place. Each sum is taken by one program in one
order, so that the same input gives the same bits.
"""

from __future__ import annotations

import triton
import triton.language as tl

# Numbers that differ from stretch to stretch; Triton would compile anew for some values of each.
VARY = ["sites", "places", "cores", "queries", "haplotypes"]


@triton.jit
def _read_alleles(bits, column):
    """Alleles 0/1 float32 [BLOCK] of a site, whose first word `bits` points to: four bytes, each
    with the first haplotype in its highest bit."""
    word = tl.load(bits + column // 32)
    return ((word >> ((column % 32) ^ 7)) & 1).to(tl.float32)


@triton.jit
def _tell_others(column, own, until, haplotypes):
    """Whether a column is a haplotype, and not one of a lane's own: bool [LANES, BLOCK]."""
    strange = (column[None, :] < own[:, None]) | (column[None, :] >= until[:, None])
    return strange & (column[None, :] < haplotypes)


@triton.jit
def _move(state, stay, leak):
    """States [LANES, BLOCK] after a switch by chance."""
    return state * stay[:, None] + leak[:, None]


@triton.jit
def _observe(observed, errs):
    """How well REF agrees with a lane's allele, and how much better ALT does: [LANES] each."""
    agrees = 1.0 - errs
    reference = tl.where(observed == 0, agrees, tl.where(observed == 1, errs, 1.0))
    alternate = tl.where(observed == 0, errs, tl.where(observed == 1, agrees, 1.0))
    return reference, alternate - reference


@triton.jit
def _take_site(
    state, total, given, chance, observed, errs, bits, own, until, haplotypes,
    source, target, kept, cell,
    KEEP: tl.constexpr, BLOCK: tl.constexpr, TILES: tl.constexpr,
):  # fmt: skip
    """States [LANES, BLOCK] and their sums [LANES] after a switch by chance, and how well the
    allele at a typed site agrees.

    Several tiles are read from `source` and put to `target`; where `KEEP`, states go to `kept` too.
    """
    stay = (1.0 - chance) / total
    leak = chance * given
    reference, change = _observe(observed, errs)
    column = tl.arange(0, BLOCK)
    total = tl.zeros_like(given)
    for tile in range(TILES):
        shift = tile * BLOCK
        if TILES > 1:
            state = tl.load(source + cell + shift)
        read = _read_alleles(bits, column + shift)
        others = _tell_others(column + shift, own, until, haplotypes)
        agrees = reference[:, None] + change[:, None] * read[None, :]
        state = tl.where(others, _move(state, stay, leak) * agrees, 0.0)
        total += tl.sum(state, axis=1)
        if KEEP:
            tl.store(kept + cell + shift, state)
        if TILES > 1:
            tl.store(target + cell + shift, state)
    if TILES > 1:
        # At the next site another thread may read what this one wrote.
        tl.debug_barrier()
    return state, total


@triton.jit(do_not_specialize=VARY)
def go_forward(
    bits, alleles, switch, mismatch, own, until, share, states, totals, last, last_total,
    sites, queries, haplotypes,
    KEEP: tl.constexpr, LANES: tl.constexpr, BLOCK: tl.constexpr, TILES: tl.constexpr,
):  # fmt: skip
    """Follow lanes forward over the typed sites of a stretch.

    `bits` int32 [site, word], `alleles` int8 [query, site], `switch` [setting, site + 1],
    `mismatch` [setting, site]; of each query, int32 [query], the first of its `own` columns and the
    one after the last, `until`, and `share` [query]. The first row of `states` [site + 1, lane,
    column] and `totals` [site + 1, lane] is what the stretch is entered with; where `KEEP`, the
    states after each site are put into the others. Those after the last one go to `last` [lane,
    column] and `last_total` [lane].
    """
    query = tl.program_id(0) * LANES + tl.arange(0, LANES)
    setting = tl.program_id(1)
    lanes = queries * tl.num_programs(1)
    cell = query[:, None] * (BLOCK * TILES) + tl.arange(0, BLOCK)[None, :]
    switch, mismatch = switch + setting * (sites + 1), mismatch + setting * sites
    # From here on arrays by lane begin with the setting's.
    skipped = setting * queries
    states, totals = states + skipped * (BLOCK * TILES), totals + skipped
    last, last_total = last + skipped * (BLOCK * TILES), last_total + skipped
    first, after = tl.load(own + query), tl.load(until + query)
    given = tl.load(share + query)
    total = tl.load(totals + query)
    state = tl.load(states + cell)
    source = states
    for site in range(sites):
        states += lanes * (BLOCK * TILES)
        totals += lanes
        state, total = _take_site(
            state, total, given, tl.load(switch + site),
            tl.load(alleles + query * sites + site), tl.load(mismatch + site),
            bits, first, after, haplotypes, source, last, states, cell, KEEP, BLOCK, TILES,
        )  # fmt: skip
        if KEEP:
            tl.store(totals + query, total)
        if TILES > 1:
            source = last
        bits += BLOCK * TILES // 32
    if TILES == 1:
        tl.store(last + cell, state)
    tl.store(last_total + query, total)


@triton.jit
def _sum_carriers(
    weight, bits, column, at, carried, first, until, BLOCK: tl.constexpr, TILES: tl.constexpr
):
    """Add the weights [LANES, BLOCK] of those who carry ALT at each core site from `first` to
    `until` to what stands at `carried + at`."""
    for core in range(first, until):
        read = _read_alleles(bits + core * (BLOCK * TILES // 32), column)
        found = tl.sum(weight * read[None, :], axis=1)
        if TILES > 1:
            found += tl.load(carried + at + core)
        tl.store(carried + at + core, found)


@triton.jit(do_not_specialize=VARY)
def go_back(
    bits, core_bits, alleles, switch, mismatch, from_left, from_right, own, until, share,
    front, front_total, behind, behind_total, place_of, core_of,
    carried, weighed, weights, before, beyond,
    sites, places, cores, queries, haplotypes,
    WEIGHTS: tl.constexpr, EVIDENT: tl.constexpr,
    LANES: tl.constexpr, BLOCK: tl.constexpr, TILES: tl.constexpr,
):  # fmt: skip
    """Follow lanes back over the typed sites of a stretch, and weigh haplotypes at core sites.

    As `go_forward`; `bits` points to the last site's, `front` and `front_total` to the row before
    the last site. `behind` [lane, column] and `behind_total` [lane] are the states at the right
    end, and are taken to the left one. `core_bits` int32 [core, word]; the places before typed site
    t, groups of core sites, are `place_of[t]` to `place_of[t + 1]`, and the core sites of place p
    `core_of[p]` to `core_of[p + 1]`; `from_left`, `from_right` [setting, place].

    Fills `weighed` [lane, place], the sum of all weights, and `carried` [lane, core], which enters
    as zeros, that of the haplotypes with ALT; where `WEIGHTS` also `weights` [place, lane, column].
    Of the setting `EVIDENT` (-1 for none) `before` and `beyond` [query, core], which enter as zeros
    too, are the same as the states ahead and those behind alone have it, of a whole of 1.
    """
    query = tl.program_id(0) * LANES + tl.arange(0, LANES)
    setting = tl.program_id(1)
    lanes = queries * tl.num_programs(1)
    column = tl.arange(0, BLOCK)
    cell = query[:, None] * (BLOCK * TILES) + column[None, :]
    switch, mismatch = switch + setting * (sites + 1), mismatch + setting * sites
    from_left, from_right = from_left + setting * places, from_right + setting * places
    # From here on arrays by lane begin with the setting's.
    skipped = setting * queries
    front, front_total = front + skipped * (BLOCK * TILES), front_total + skipped
    behind, behind_total = behind + skipped * (BLOCK * TILES), behind_total + skipped
    carried, weighed = carried + skipped * cores, weighed + skipped * places
    if WEIGHTS:
        weights += skipped * (BLOCK * TILES)
    first, after = tl.load(own + query), tl.load(until + query)
    given = tl.load(share + query)
    total = tl.load(behind_total + query)
    state = tl.load(behind + cell)
    for step in range(sites):
        site = sites - 1 - step
        state, total = _take_site(
            state, total, given, tl.load(switch + site + 1),
            tl.load(alleles + query * sites + site), tl.load(mismatch + site),
            bits, first, after, haplotypes, behind, behind, behind, cell, False, BLOCK, TILES,
        )  # fmt: skip
        ahead_total = tl.load(front_total + query)
        for place in range(tl.load(place_of + site), tl.load(place_of + site + 1)):
            near = tl.load(from_left + place)
            far = tl.load(from_right + place)
            stay, leak = (1.0 - near) / ahead_total, near * given
            stays, leaks = (1.0 - far) / total, far * given
            start = tl.load(core_of + place)
            stop = tl.load(core_of + place + 1)
            summed = tl.zeros_like(given)
            for tile in range(TILES):
                shift = tile * BLOCK
                if TILES > 1:
                    state = tl.load(behind + cell + shift)
                others = _tell_others(column + shift, first, after, haplotypes)
                here = _move(tl.load(front + cell + shift), stay, leak)
                weight = tl.where(others, here * _move(state, stays, leaks), 0.0)
                summed += tl.sum(weight, axis=1)
                if WEIGHTS:
                    tl.store(weights + place * lanes * (BLOCK * TILES) + cell + shift, weight)
                _sum_carriers(
                    weight, core_bits, column + shift, query * cores, carried, start, stop,
                    BLOCK, TILES,
                )  # fmt: skip
                if EVIDENT >= 0:  # noqa: SIM102 - known when it is compiled
                    if setting == EVIDENT:
                        # Made anew, so that registers hold one of them at a time.
                        side = _move(tl.load(front + cell + shift), stay, leak)
                        _sum_carriers(
                            tl.where(others, side, 0.0), core_bits, column + shift, query * cores,
                            before, start, stop, BLOCK, TILES,
                        )  # fmt: skip
                        side = _move(state, stays, leaks)
                        _sum_carriers(
                            tl.where(others, side, 0.0), core_bits, column + shift, query * cores,
                            beyond, start, stop, BLOCK, TILES,
                        )  # fmt: skip
                if TILES > 1:
                    tl.debug_barrier()
            tl.store(weighed + query * places + place, summed)
        front -= lanes * (BLOCK * TILES)
        front_total -= lanes
        bits -= BLOCK * TILES // 32
    if TILES == 1:
        tl.store(behind + cell, state)
    tl.store(behind_total + query, total)
