"""The passes along a chromosome that phase one person; docs/method.md gives the recursion.

All kernels of phasing stand here, because numba keeps machine code until this file changes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.numba_jit import jit, jit_inline

# With whole numbers of Python numba would reckon in float64.
NONE, ONE = np.float32(0), np.float32(1)
# What may be done at a unit: as it is or turned, what follows as it is or turned: 2 unit + rest.
CHOICES = 4


class Track(NamedTuple):
    """The states that a person's two haplotypes may copy along T typed sites.

    `carried` uint8 [T, K] their alleles. States change at the start of each stretch: `first` int64
    [S + 1] its first site, and T; `origin` int32 [S, K] the place of each state in the stretch
    before, -1 where it had none. Float32: `switch` [T] the chance of a switch before each site,
    `mismatch` [T] that of an allele that is not the copied one.
    """

    carried: np.ndarray
    first: np.ndarray
    origin: np.ndarray
    switch: np.ndarray
    mismatch: np.ndarray


class Units(NamedTuple):
    """Heterozygous sites whose phase is known among themselves, in order along the chromosome.

    Int64 [U]: the first and the last site of each, `begin` and `last`. Bool: `may_split` [U + 1],
    whether what lies on both sides of the start of each unit, and of the end, may be turned to one
    another; `may_turn` [U], whether a unit may be turned by itself. At both ends there is nothing
    on one side, and turning is true: which haplotype is called the first is drawn with the rest.
    """

    begin: np.ndarray
    last: np.ndarray
    may_split: np.ndarray
    may_turn: np.ndarray


@jit
def go_back(alleles, track, units, back):
    """Follow both haplotypes int8 [2, T] from the right, with what lies right of each unit.

    Where a genotype is missing both alleles are -1. Fills `back` float32 [U, 2, K]: up to a factor,
    the probability of all alleles after a unit's last site where the state there is copied.
    """
    sites, width = track.carried.shape
    states = np.ones((2, width), np.float32)
    moved = np.empty(width, np.float32)
    unit, stretch = len(units.last) - 1, len(track.first) - 2
    for site in range(sites - 1, -1, -1):
        if unit >= 0 and units.last[unit] == site:
            for side in range(2):
                for state in range(width):
                    back[unit, side, state] = states[side, state]
            unit -= 1
        chance = track.switch[site]
        for side in range(2):
            row = states[side]
            total = _step(row, track, site, alleles[side, site], ONE, NONE)
            stay, leak = (ONE - chance) / total, chance / np.float32(width)
            if site and track.first[stretch] == site:
                _leave(row, track.origin[stretch], moved)
            for state in range(width):
                row[state] = row[state] * stay + leak
        if track.first[stretch] == site:
            stretch -= 1


@jit
def go_forward(alleles, track, units, back, uniform):
    """Follow both haplotypes int8 [2, T] from the left, and choose unit by unit how they go on.

    `back` is what `go_back` made of the same haplotypes, which are changed in place. `uniform`
    float64 [U] in [0, 1) draws each choice by its probability; a negative number takes the most
    probable.
    """
    sites, width = track.carried.shape
    # By way (the unit as it is, or turned), side and state, and what they sum to.
    states = np.full((2, 2, width), ONE / np.float32(width), np.float32)
    total = np.ones((2, 2), np.float32)
    logarithm = np.zeros(2)
    moved = np.empty(width, np.float32)
    chances = np.empty(CHOICES)
    # Whether what lies to the right is turned to what `alleles` and `back` say.
    turned, ways, unit, stretch = 0, 1, 0, 0
    for site in range(sites):
        if unit < len(units.begin) and units.begin[unit] == site:
            ways = 2 if units.may_split[unit] or units.may_turn[unit] else 1
            _part(states, total, logarithm)
        enters = site > 0 and track.first[stretch + 1] == site
        stretch += enters
        for way in range(ways):
            for side in range(2):
                row = states[way, side]
                if enters:
                    _enter(row, track.origin[stretch], moved)
                chance = track.switch[site]
                stay, leak = (ONE - chance) / total[way, side], chance / np.float32(width)
                allele = alleles[side ^ way ^ turned, site]
                total[way, side] = _step(row, track, site, allele, stay, leak)
                logarithm[way] += np.log(total[way, side])
        if unit < len(units.last) and units.last[unit] == site:
            _weigh(states, total, logarithm, back[unit], (turned, ways), units, unit, chances)
            way, rest = divmod(_choose(chances, uniform[unit]), 2)
            if way ^ turned:
                _turn(alleles, units.begin[unit], site + 1)
            if way:
                _take_over(states, total)
            turned ^= rest
            unit, ways = unit + 1, 1


@jit_inline
def _step(row, track, site, allele, stay, leak):
    """Move states on in place: a switch by chance, then how well their allele agrees; their sum."""
    carried, mismatch = track.carried[site], track.mismatch[site]
    reference, alternate = ONE, ONE
    if allele >= 0:
        reference = ONE - mismatch if allele == 0 else mismatch
        alternate = ONE - reference
    change = alternate - reference
    total = NONE
    for state in range(len(carried)):
        value = (row[state] * stay + leak) * (reference + change * np.float32(carried[state]))
        row[state] = value
        total += value
    return total


@jit
def _enter(row, origin, moved):
    """Take states on into a stretch; those that are new there have nothing yet."""
    for state in range(len(row)):
        moved[state] = row[origin[state]] if origin[state] >= 0 else NONE
    for state in range(len(row)):
        row[state] = moved[state]


@jit
def _leave(row, origin, moved):
    """Take states from the right out of a stretch into the one before."""
    for state in range(len(row)):
        moved[state] = NONE
    for state in range(len(row)):
        if origin[state] >= 0:
            moved[origin[state]] = row[state]
    for state in range(len(row)):
        row[state] = moved[state]


@jit
def _part(states, total, logarithm):
    """From here on a unit is followed as it is and turned."""
    for side in range(2):
        logarithm[side] = 0
        total[1, side] = total[0, side]
        for state in range(states.shape[2]):
            states[1, side, state] = states[0, side, state]


@jit
def _take_over(states, total):
    """Go on from the turned unit."""
    for side in range(2):
        total[0, side] = total[1, side]
        for state in range(states.shape[2]):
            states[0, side, state] = states[1, side, state]


@jit
def _turn(alleles, start, stop):
    for site in range(start, stop):
        kept = alleles[0, site]
        alleles[0, site] = alleles[1, site]
        alleles[1, site] = kept


@jit
def _weigh(states, total, logarithm, behind, how, units, unit, chances):
    """Fill `chances` float64 [4] with the probabilities of what may be done at a unit."""
    turned, ways = how
    chances[:] = -np.inf
    for way in range(ways):
        for rest in range(2):
            if way == 0:
                allowed = rest == 0 or units.may_split[unit + 1]
            else:
                allowed = units.may_turn[unit] if rest == 0 else units.may_split[unit]
            if not allowed:
                continue
            chance = logarithm[way]
            for side in range(2):
                front, right = states[way, side], behind[side ^ rest ^ turned]
                both = NONE
                for state in range(len(front)):
                    both += front[state] * right[state]
                chance += np.log(both / total[way, side])
            chances[2 * way + rest] = chance
    best = chances.max()
    for choice in range(CHOICES):
        chances[choice] = np.exp(chances[choice] - best)


@jit
def _choose(chances, uniform):
    """One of the choices by its chance, or the most probable where `uniform` is negative."""
    if uniform < 0:
        return np.argmax(chances)
    left = uniform * chances.sum()
    chosen = 0
    for choice in range(CHOICES):
        if chances[choice] > 0:
            chosen = choice
            left -= chances[choice]
            if left < 0:
                break
    return chosen
