"""Who is related to whom, from genotypes alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# First degree and closer: parent and child, full siblings, one person twice (Manichaikul et al.
# 2010).
RELATED = 0.177
ROWS = 512


class KinshipEstimates(NamedTuple):
    """Pairs of people int64 [pairs, 2] of first degree or closer, their kinship float32 [pairs],
    and how widely the estimate spreads among people of one population (standard deviation, from the
    median distance to the median; nan if there is no pair).
    """

    pairs: np.ndarray
    kinship: np.ndarray
    spread: float


def find_relatives(dosage: np.ndarray, population: np.ndarray) -> KinshipEstimates:
    """Find relatives among all pairs of people.

    `dosage` int8 [n, S] counts ALT alleles at common sites, -1 where one is missing; `population`
    [n]. The estimate is KING-robust between families (Manichaikul et al. 2010,
    doi:10.1093/bioinformatics/btq559): shared heterozygotes count for kinship, opposite homozygotes
    against it, and no allele frequency is assumed, so that people of one population are not
    mistaken for relatives beside those of another. Strangers have about 0.
    """
    none, one, two, known = (
        flags.astype(np.float32) for flags in (dosage == 0, dosage == 1, dosage == 2, dosage >= 0)
    )
    pairs, estimates = [np.empty((0, 2), dtype=np.int64)], [np.empty(0, dtype=np.float32)]
    ordinary = [np.empty(0, dtype=np.float32)]
    for start in range(0, len(dosage), ROWS):
        rows, rest = slice(start, start + ROWS), slice(start, None)
        shared = one[rows] @ one[rest].T
        opposite = none[rows] @ two[rest].T + two[rows] @ none[rest].T
        theirs, others = one[rows] @ known[rest].T, known[rows] @ one[rest].T
        fewer = np.maximum(np.minimum(theirs, others), 1)
        kinship = (shared - 2 * opposite) / (2 * fewer) + 0.5 - (theirs + others) / (4 * fewer)
        # Haploids have no heterozygotes, and nothing is known of two of them.
        kinship[(theirs == 0) | (others == 0)] = 0
        once = np.triu(np.ones(kinship.shape, dtype=bool), k=1)
        found = np.argwhere(once & (kinship > RELATED))
        pairs.append(found + start)
        estimates.append(kinship[tuple(found.T)])
        ordinary.append(kinship[once & (population[rows, None] == population[None, rest])])
    strangers = np.concatenate(ordinary)
    spread = (
        1.4826 * float(np.median(np.abs(strangers - np.median(strangers))))
        if len(strangers)
        else float("nan")
    )
    return KinshipEstimates(np.concatenate(pairs), np.concatenate(estimates), spread)
