"""What is known of a person's phase: sites that are phased among themselves make a unit."""

from __future__ import annotations

import numpy as np

from haplorag.phasing.sweep import Units

# In an array of phases: a genotype that is not phased, and one that is phased with all others of
# the kind. Larger numbers are phase sets of their own.
UNPHASED, PHASED = 0, 1


def find_heterozygotes(alleles: np.ndarray) -> np.ndarray:
    """Sites int64 [H] at which two haplotypes int8 [2, T] are known and differ."""
    return np.flatnonzero((alleles[0] != alleles[1]) & (alleles >= 0).all(axis=0))


def find_units(alleles: np.ndarray, phase: np.ndarray) -> Units:
    """The units of a person with haplotypes int8 [2, T] and phases int32 [T].

    Heterozygotes of one set that follow one another are a unit, and one that is not phased is one
    by itself. Units of one set are not turned to one another. Where two sets cross, so that each
    begins or goes on within the other, the later one is cut there.
    """
    sites = find_heterozygotes(alleles)
    sets = phase[sites]
    starts = np.append(True, (sets[1:] != sets[:-1]) | (sets[1:] == UNPHASED))[: len(sites)]
    first = np.flatnonzero(starts)
    ends = np.append(first[1:], len(sites)) - 1 if len(first) else first
    named = _cut_crossing(sets[first])
    number = np.arange(len(first))
    low, high = number.copy(), number.copy()
    for name in np.unique(named):
        mine = np.flatnonzero(named == name)
        low[mine], high[mine] = mine[0], mine[-1]
    spanned = np.zeros(len(first) + 1, dtype=np.int64)
    apart = np.unique(np.stack([low, high]), axis=1)
    np.add.at(spanned, apart[0] + 1, 1)
    np.add.at(spanned, np.minimum(apart[1] + 1, len(first)), -1)
    return Units(sites[first], sites[ends], np.cumsum(spanned) == 0, low == high)


def _cut_crossing(sets: np.ndarray) -> np.ndarray:
    """Names int64 [U] of the sets of units: those that cross another are cut, the unphased and each
    piece have one of their own.
    """
    names = np.arange(len(sets))
    # Sets that are open at a unit, the innermost last: they may go on in this order only.
    last_of = {name: place for place, name in enumerate(sets.tolist())}
    open_sets: list[int] = []
    name_of: dict[int, int] = {}
    for place, name in enumerate(sets.tolist()):
        if name == UNPHASED:
            continue
        while open_sets and open_sets[-1] != name and last_of[open_sets[-1]] < place:
            open_sets.pop()
        if name in open_sets:
            while open_sets[-1] != name:
                # It began within this set and goes on after it: what comes is another piece.
                name_of.pop(open_sets.pop(), None)
            names[place] = name_of[name]
        else:
            open_sets.append(name)
            name_of[name] = place
    return names


def has_choice(units: Units) -> bool:
    """Whether anything of a person's phase is to be chosen."""
    return bool(units.may_split[1:-1].any() or (len(units.begin) > 1 and units.may_turn.any()))


def count_undecided(alleles: np.ndarray, phase: np.ndarray) -> int:
    """How many relative phases of a person are to be chosen: one less than there are unphased
    heterozygotes and sets.
    """
    sets = phase[find_heterozygotes(alleles)]
    parts = (sets == UNPHASED).sum() + len(np.unique(sets[sets != UNPHASED]))
    return max(int(parts) - 1, 0)


def join_sets(chosen: np.ndarray, given: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Haplotypes int8 [2, T] as another program has chosen them, with the given sets kept whole.

    Each set of phases int32 [T] lies as in `given` int8 [2, T], turned as most of it is in
    `chosen`. What is phased with all others of the kind keeps its order, and the others lie to it
    as they were chosen: sites that nobody looked at go with it. Missing genotypes come from
    `given`.
    """
    found = given.copy()
    sites = find_heterozygotes(given)
    turned = chosen[0, sites] != given[0, sites]
    for name in np.unique(phase[sites]):
        mine = phase[sites] == name
        if name != UNPHASED:
            turned[mine] = 2 * turned[mine].sum() > mine.sum()
    turned ^= turned[phase[sites] == PHASED].any()
    found[:, sites[turned]] = given[::-1, sites[turned]]
    return found
