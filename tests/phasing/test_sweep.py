"""The passes that phase one person draw from the posterior of all phases, as enumerated plainly."""

from itertools import product

import numpy as np
import pytest

from haplorag.phasing.sweep import Track, go_back, go_forward
from haplorag.phasing.units import PHASED, find_units
from haplorag.seeding import seed_of
from support import SEED

SITES, STATES, SWEEPS = 7, 3, 10000
GENOTYPES = np.array([[0, 0, 0, 1, 0, -1, 0], [1, 1, 0, 1, 1, -1, 1]], np.int8)


def track_of(first: list[int], origin: list[list[int]]) -> Track:
    generator = np.random.default_rng(seed_of(SEED, "track"))
    carried = generator.integers(0, 2, (SITES, STATES)).astype(np.uint8)
    switch = np.append(1, generator.uniform(0.05, 0.5, SITES - 1)).astype(np.float32)
    mismatch = generator.uniform(0.05, 0.3, SITES).astype(np.float32)
    return Track(carried, np.array([*first, SITES]), np.array(origin, np.int32), switch, mismatch)


def chance_plainly(alleles: np.ndarray, track: Track) -> float:
    """Probability of a haplotype by the forward recursion, in float64."""
    states = np.full(STATES, 1 / STATES)
    for site in range(SITES):
        if site:
            total, stretch = states.sum(), np.searchsorted(track.first, site)
            if site in track.first[1:-1]:
                origin = track.origin[stretch]
                states = np.where(origin >= 0, states[origin], 0)
            chance = float(track.switch[site])
            states = states * (1 - chance) + chance / STATES * total
        mismatch = float(track.mismatch[site])
        if alleles[site] >= 0:
            agrees = track.carried[site] == alleles[site]
            states = states * np.where(agrees, 1 - mismatch, mismatch)
    return states.sum()


def enumerate_phases(track: Track, sets: np.ndarray) -> dict[bytes, float]:
    """Probability of every phase that keeps the sets, by its first haplotype or the second."""
    heterozygous = np.flatnonzero((GENOTYPES[0] != GENOTYPES[1]) & (GENOTYPES >= 0).all(axis=0))
    found: dict[bytes, float] = {}
    for turned in product([False, True], repeat=len(heterozygous)):
        haplotypes = GENOTYPES.copy()
        sites = heterozygous[list(turned)]
        haplotypes[:, sites] = GENOTYPES[::-1, sites]
        by_set = {}
        for place, site in enumerate(heterozygous):
            by_set.setdefault(sets[site] or -site - 1, set()).add(turned[place])
        if all(len(ways) == 1 for ways in by_set.values()):
            chance = np.prod([chance_plainly(one, track) for one in haplotypes])
            key = name(haplotypes)
            found[key] = found.get(key, 0) + chance
    total = sum(found.values())
    return {key: chance / total for key, chance in found.items()}


def name(haplotypes: np.ndarray) -> bytes:
    """A phase, whichever haplotype is the first."""
    known = haplotypes[:, (GENOTYPES >= 0).all(axis=0)]
    return min(known.tobytes(), known[::-1].tobytes())


@pytest.mark.parametrize(
    ("first", "origin"),
    [
        ([0], [[0, 1, 2]]),
        # The second stretch has two of the three states, in another order, the third all.
        ([0, 2, 5], [[0, 1, 2], [1, -1, 0], [0, 1, 2]]),
    ],
)
@pytest.mark.parametrize("sets", [[0] * SITES, [0, 5, 0, 0, 0, 0, 5], [PHASED] * 2 + [0] * 5])
def test_sweeps_draw_phases_by_their_probability(first, origin, sets):
    track = track_of(first, origin)
    expected = enumerate_phases(track, np.array(sets))
    units = find_units(GENOTYPES, np.array(sets, np.int32))
    generator = np.random.default_rng(seed_of(SEED, "sweeps", first, sets))
    alleles = GENOTYPES.copy()
    back = np.empty((len(units.begin), 2, STATES), np.float32)
    counts = dict.fromkeys(expected, 0)
    for _ in range(SWEEPS):
        go_back(alleles, track, units, back)
        go_forward(alleles, track, units, back, generator.random(len(units.begin)))
        counts[name(alleles)] += 1
    assert len(expected) > 1
    for key, chance in expected.items():
        assert counts[key] / SWEEPS == pytest.approx(chance, abs=0.02)


def test_the_most_probable_phase_is_that_of_two_haplotypes_of_the_panel():
    panel = np.array([[0, 0, 0, 0, 0, 0], [1, 1, 0, 1, 1, 1], [0, 1, 1, 0, 1, 0]], np.uint8)
    sites = panel.shape[1]
    track = Track(
        panel.T.copy(), np.array([0, sites]), np.zeros((1, 3), np.int32),
        np.array([1, *[0.01] * (sites - 1)], np.float32), np.full(sites, 0.01, np.float32),
    )  # fmt: skip
    # The panel's first and second haplotype, their alleles mixed up.
    alleles = np.array([[0, 1, 0, 0, 1, 1], [1, 0, 0, 1, 0, 0]], np.int8)
    units = find_units(alleles, np.zeros(sites, np.int32))
    back = np.ones((len(units.begin), 2, 3), np.float32)
    for _ in range(3):
        go_forward(alleles, track, units, back, np.full(len(units.begin), -1.0))
        go_back(alleles, track, units, back)
    np.testing.assert_array_equal(alleles[np.argsort(alleles[:, 0])], panel[:2])
