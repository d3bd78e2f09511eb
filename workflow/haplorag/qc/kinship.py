"""Who is related to whom, from genotypes alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

# First degree and closer: parent and child, full siblings, one person twice (Manichaikul et al.
# 2010).
RELATED = 0.177
# People compared with so many others at a time.
ROWS = 2048
# How widely estimates spread is told from the pairs of so many people, evenly spread.
SPREAD_PEOPLE = 2000
# On a short stretch of a large panel millions of strangers are as alike as relatives: the closest
# are kept.
MOST_PAIRS = 100_000


class KinshipEstimates(NamedTuple):
    """Pairs of people int64 [pairs, 2] of first degree or closer, their kinship float32 [pairs],
    how many such pairs there are, of which no more than `MOST_PAIRS`, the closest, are among
    `pairs`, and how widely the estimate spreads among people of one population (standard deviation,
    from the median distance to the median; nan if there is no pair).
    """

    pairs: np.ndarray
    kinship: np.ndarray
    found: int
    spread: float


class People(NamedTuple):
    """Dosages of some people from -1 to 1, whether they are homozygous, and whether they are known,
    each float32 [n, S], 0 where an allele is missing.
    """

    dosage: np.ndarray
    homozygous: np.ndarray
    known: np.ndarray


def find_relatives(dosage: np.ndarray, population: np.ndarray) -> KinshipEstimates:
    """Find relatives among all pairs of people.

    `dosage` int8 [n, S] counts ALT alleles at common sites, -1 where one is missing; `population`
    [n]. The estimate is KING-robust between families (Manichaikul et al. 2010,
    doi:10.1093/bioinformatics/btq559): shared heterozygotes count for kinship, opposite homozygotes
    against it, and no allele frequency is assumed, so that people of one population are not
    mistaken for relatives beside those of another. Strangers have about 0. Beyond the dosages
    memory does not grow with the number of people.
    """
    found = 0
    pairs, kinship = np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.float32)
    for first, second, estimates in _compare_all(dosage):
        close = np.argwhere(estimates > RELATED)
        found += len(close)
        pairs = np.concatenate([pairs, close + np.array([first, second])])
        kinship = np.concatenate([kinship, estimates[tuple(close.T)]])
        if len(pairs) > MOST_PAIRS:
            kept = np.lexsort((pairs[:, 1], pairs[:, 0], -kinship))[:MOST_PAIRS]
            pairs, kinship = pairs[kept], kinship[kept]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    sample = np.linspace(0, len(dosage) - 1, min(len(dosage), SPREAD_PEOPLE)).astype(np.int64)
    spread = _measure_spread(dosage[sample], population[sample])
    return KinshipEstimates(pairs[order], kinship[order], found, spread)


def _compare_all(dosage: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Kinship float32 [a, b] of so many people with so many others, and the first of each; -1 where
    a pair is one of a person with themselves, or was given before.
    """
    starts = range(0, len(dosage), ROWS)
    complete = _is_complete(dosage)
    for first in starts:
        ours = _describe(dosage[first : first + ROWS])
        for second in starts[first // ROWS :]:
            theirs = ours if second == first else _describe(dosage[second : second + ROWS])
            estimates = _estimate(ours, theirs, complete)
            if second == first:
                estimates[np.tril_indices(len(estimates))] = -1
            yield first, second, estimates


def _describe(dosage: np.ndarray) -> People:
    known = dosage >= 0
    return People(
        np.where(known, dosage - 1, 0).astype(np.float32),
        (known & (dosage != 1)).astype(np.float32),
        known.astype(np.float32),
    )


def _estimate(ours: People, theirs: People, complete: bool) -> np.ndarray:
    """Kinship float32 [a, b]: 1/2 less a quarter of the squared differences of dosages at sites
    that both know, over the heterozygotes of who has fewer there.
    """
    both, our_homozygous, their_homozygous = _count_sites(ours, theirs, complete)
    our_heterozygous, their_heterozygous = both - our_homozygous, both - their_homozygous
    differences = our_homozygous + their_homozygous - 2 * (ours.dosage @ theirs.dosage.T)
    fewer = np.minimum(our_heterozygous, their_heterozygous)
    kinship = 0.5 - differences / (4 * np.maximum(fewer, 1))
    # Haploids have no heterozygotes, and nothing is known of two of them.
    kinship[fewer == 0] = 0
    return kinship


def _count_sites(
    ours: People, theirs: People, complete: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sites that both know, and at how many of these one and the other is homozygous: float32 that
    is [a, b] or spreads to it.
    """
    if complete:
        sites = np.full((1, 1), ours.known.shape[1], dtype=np.float32)
        ours_alone, theirs_alone = (one.homozygous.sum(axis=1) for one in (ours, theirs))
        return sites, ours_alone[:, None], theirs_alone[None]
    return (
        ours.known @ theirs.known.T,
        ours.homozygous @ theirs.known.T,
        ours.known @ theirs.homozygous.T,
    )


def _measure_spread(dosage: np.ndarray, population: np.ndarray) -> float:
    """Standard deviation of kinship among people of one population, nan where there is no pair."""
    described = _describe(dosage)
    first, second = np.triu_indices(len(dosage), k=1)
    alike = population[first] == population[second]
    if not alike.any():
        return float("nan")
    estimates = _estimate(described, described, _is_complete(dosage))
    strangers = estimates[first[alike], second[alike]]
    return 1.4826 * float(np.median(np.abs(strangers - np.median(strangers))))


def _is_complete(dosage: np.ndarray) -> bool:
    """Whether no genotype is missing: a panel seldom lacks any, and one product does for four."""
    return bool(dosage.min(initial=0) >= 0)
