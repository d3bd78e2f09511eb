"""Chooses rare alleles to show the imputation by, whatever became of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Rare alleles that are looked at.
CANDIDATES = 12


class RareAllele(NamedTuple):
    """A site, and a haplotype among those given that carries the site's rarer allele."""

    site: int
    haplotype: int
    minor: int


def choose_rare_alleles(
    haplotypes: np.ndarray, frequency: np.ndarray, hidden: np.ndarray, rare: float, seed: int
) -> list[RareAllele]:
    """The hidden rare alleles nearest to the middle of the chromosome that a haplotype carries.

    `haplotypes` int8 [Q, S] are the truth of test people, `frequency` [S] of ALT in the reference,
    `hidden` bool [S]. Alleles of a frequency below `rare`, but carried by somebody in the
    reference, count; at most `CANDIDATES`. Of several carriers one is drawn. What was imputed plays
    no part in the choice.
    """
    minor = (frequency <= 0.5).astype(np.int8)
    maf = np.minimum(frequency, 1 - frequency)
    sites = np.flatnonzero(hidden & (maf > 0) & (maf < rare))
    carried = sites[(haplotypes[:, sites] == minor[sites]).any(axis=0)]
    nearest = carried[np.argsort(np.abs(carried - len(frequency) / 2), kind="stable")]
    generator = np.random.default_rng(seed)
    chosen = []
    for site in nearest[:CANDIDATES].tolist():
        carriers = np.flatnonzero(haplotypes[:, site] == minor[site])
        chosen.append(RareAllele(site, int(generator.choice(carriers)), int(minor[site])))
    return chosen
