"""Kernels of the two passes of Li and Stephens' model; docs/gpu.md says how they go together.

A program follows `LANES` lanes, each a haplotype under a setting, through all haplotypes of the
panel. These are its columns: `TILES` tiles of `BLOCK`. With one tile the states stay in registers
from site to site; with several they go through memory, tile by tile. A word of the panel's bits is
read once for all lanes of a program.

All arrays are padded: lanes to whole programs, columns to whole tiles. What is padded has no state.
No array has 2^31 elements or more (`copying.MOST_CELLS`), so that int32 tells every place. Each sum
is taken by one program in one order, so that the same input gives the same bits.
"""

from __future__ import annotations

import triton
import triton.language as tl

# Numbers that differ from stretch to stretch; Triton would compile anew for some values of each.
VARY = ["sites", "places", "cores", "lanes", "haplotypes"]


@triton.jit
def _read_alleles(bits, column):
    """Alleles 0/1 float32 [BLOCK] of a site, whose first word `bits` points to."""
    word = tl.load(bits + column // 32)
    return ((word >> (column % 32)) & 1).to(tl.float32)


@triton.jit
def _tell_others(column, own, haplotypes):
    """Whether a column is a haplotype, and not one of a lane's own two: bool [LANES, BLOCK]."""
    strange = (column[None, :] != own[:, None]) & (column[None, :] != own[:, None] + 1)
    return strange & (column[None, :] < haplotypes)


@triton.jit
def _move(state, stay, leak):
    """States [LANES, BLOCK] after a switch by chance."""
    return state * stay[:, None] + leak[:, None]


@triton.jit
def _observe(alleles, mismatch, at_allele, at_mismatch):
    """How well REF agrees with a lane's allele, and how much better ALT does: [LANES] each."""
    observed = tl.load(alleles + at_allele)
    errs = tl.load(mismatch + at_mismatch)
    agrees = 1.0 - errs
    reference = tl.where(observed == 0, agrees, tl.where(observed == 1, errs, 1.0))
    alternate = tl.where(observed == 0, errs, tl.where(observed == 1, agrees, 1.0))
    return reference, alternate - reference


@triton.jit
def _step(state, stay, leak, reference, change, read, others):
    """States [LANES, BLOCK] after a typed site: a switch by chance, then how the allele agrees."""
    agrees = reference[:, None] + change[:, None] * read[None, :]
    return tl.where(others, _move(state, stay, leak) * agrees, 0.0)


@triton.jit(do_not_specialize=VARY)
def go_forward(
    bits, alleles, switch, mismatch, kind, own, share, states, totals, last, last_total,
    sites, lanes, haplotypes,
    KEEP: tl.constexpr, LANES: tl.constexpr, BLOCK: tl.constexpr, TILES: tl.constexpr,
):  # fmt: skip
    """Follow lanes forward over the typed sites of a stretch.

    `bits` int32 [site, word], `alleles` int8 [lane, site], `switch` [setting, site + 1], `mismatch`
    [setting, site], `kind` int32 [lane] each lane's setting, `own` int32 [lane] (-2 for nobody),
    `share` [lane]. The first row of `states` [site + 1, lane, column] and `totals` [site + 1, lane]
    is what the stretch is entered with; where `KEEP`, the states after each site are put into the
    others. Those after the last one go to `last` [lane, column] and `last_total` [lane].
    """
    lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
    column = tl.arange(0, BLOCK)
    cell = lane[:, None] * (BLOCK * TILES) + column[None, :]
    setting = tl.load(kind + lane)
    mine = tl.load(own + lane)
    given = tl.load(share + lane)
    total = tl.load(totals + lane)
    state = tl.load(states + cell)
    source = states
    for site in range(sites):
        chance = tl.load(switch + setting * (sites + 1) + site)
        stay = (1.0 - chance) / total
        leak = chance * given
        at_allele, at_mismatch = lane * sites + site, setting * sites + site
        reference, change = _observe(alleles, mismatch, at_allele, at_mismatch)
        states += lanes * (BLOCK * TILES)
        totals += lanes
        total = tl.zeros_like(given)
        for tile in range(TILES):
            shift = tile * BLOCK
            if TILES > 1:
                state = tl.load(source + cell + shift)
            read = _read_alleles(bits, column + shift)
            others = _tell_others(column + shift, mine, haplotypes)
            state = _step(state, stay, leak, reference, change, read, others)
            total += tl.sum(state, axis=1)
            if KEEP:
                tl.store(states + cell + shift, state)
            if TILES > 1:
                tl.store(last + cell + shift, state)
        if KEEP:
            tl.store(totals + lane, total)
        if TILES > 1:
            source = last
            # At the next site another thread may read what this one wrote.
            tl.debug_barrier()
        bits += BLOCK * TILES // 32
    if TILES == 1:
        tl.store(last + cell, state)
    tl.store(last_total + lane, total)


@triton.jit
def _sum_carriers(weight, bits, column, at, carried, MORE: tl.constexpr):
    """Add the weights of those who carry ALT at a core site to what stands at `carried + at`."""
    found = tl.sum(weight * _read_alleles(bits, column)[None, :], axis=1)
    if MORE:
        found += tl.load(carried + at)
    tl.store(carried + at, found)


@triton.jit(do_not_specialize=VARY)
def go_back(
    bits, core_bits, alleles, switch, mismatch, from_left, from_right, kind, own, share,
    front, front_total, behind, behind_total, place_of, core_of, carried, weighed, weights,
    sites, places, cores, lanes, haplotypes,
    WEIGHTS: tl.constexpr, LANES: tl.constexpr, BLOCK: tl.constexpr, TILES: tl.constexpr,
):  # fmt: skip
    """Follow lanes back over the typed sites of a stretch, and weigh haplotypes at core sites.

    As `go_forward`; `bits` points to the last site's, `front` and `front_total` to the row before
    the last site. `behind` [lane, column] and `behind_total` [lane] are the states at the right
    end, and are taken to the left one. `core_bits` int32 [core, word]; the places before typed site
    t, groups of core sites, are `place_of[t]` to `place_of[t + 1]`, and the core sites of place p
    `core_of[p]` to `core_of[p + 1]`; `from_left`, `from_right` [setting, place]. Fills `weighed`
    [lane, place], the sum of all weights, and `carried` [lane, core], which enters as zeros, that
    of the haplotypes with ALT; where `WEIGHTS` also `weights` [place, lane, column].
    """
    lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
    column = tl.arange(0, BLOCK)
    cell = lane[:, None] * (BLOCK * TILES) + column[None, :]
    words = BLOCK * TILES // 32
    setting = tl.load(kind + lane)
    mine = tl.load(own + lane)
    given = tl.load(share + lane)
    total = tl.load(behind_total + lane)
    state = tl.load(behind + cell)
    for step in range(sites):
        site = sites - 1 - step
        chance = tl.load(switch + setting * (sites + 1) + site + 1)
        stay = (1.0 - chance) / total
        leak = chance * given
        at_allele, at_mismatch = lane * sites + site, setting * sites + site
        reference, change = _observe(alleles, mismatch, at_allele, at_mismatch)
        total = tl.zeros_like(given)
        for tile in range(TILES):
            shift = tile * BLOCK
            if TILES > 1:
                state = tl.load(behind + cell + shift)
            read = _read_alleles(bits, column + shift)
            others = _tell_others(column + shift, mine, haplotypes)
            state = _step(state, stay, leak, reference, change, read, others)
            total += tl.sum(state, axis=1)
            if TILES > 1:
                tl.store(behind + cell + shift, state)
        if TILES > 1:
            tl.debug_barrier()
        ahead_total = tl.load(front_total + lane)
        for place in range(tl.load(place_of + site), tl.load(place_of + site + 1)):
            near = tl.load(from_left + setting * places + place)
            far = tl.load(from_right + setting * places + place)
            first = tl.load(core_of + place)
            until = tl.load(core_of + place + 1)
            summed = tl.zeros_like(given)
            for tile in range(TILES):
                shift = tile * BLOCK
                if TILES > 1:
                    state = tl.load(behind + cell + shift)
                here = _move(
                    tl.load(front + cell + shift), (1.0 - near) / ahead_total, near * given
                )
                there = _move(state, (1.0 - far) / total, far * given)
                others = _tell_others(column + shift, mine, haplotypes)
                weight = tl.where(others, here * there, 0.0)
                summed += tl.sum(weight, axis=1)
                if WEIGHTS:
                    tl.store(weights + place * lanes * (BLOCK * TILES) + cell + shift, weight)
                for core in range(first, until):
                    _sum_carriers(
                        weight, core_bits + core * words, column + shift, lane * cores + core,
                        carried, TILES > 1,
                    )  # fmt: skip
                if TILES > 1:
                    tl.debug_barrier()
            tl.store(weighed + lane * places + place, summed)
        front -= lanes * (BLOCK * TILES)
        front_total -= lanes
        bits -= words
    if TILES == 1:
        tl.store(behind + cell, state)
    tl.store(behind_total + lane, total)
