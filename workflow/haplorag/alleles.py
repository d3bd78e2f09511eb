"""Alleles as numbers, wherever they are held: 0 is REF, 1 is ALT, and two that are neither."""

from __future__ import annotations

import numpy as np

# Not known; and not there, as the second allele of a haploid genotype. VCF Zarr has the same two.
MISSING, ABSENT = -1, -2


def sum_genotypes(alleles: np.ndarray) -> np.ndarray:
    """ALT alleles of genotypes, in those of a diploid: int8 [...] of alleles int8 [..., 2].

    -1 where an allele is missing. A haploid genotype counts twice, as it does where frequencies of
    men and women are compared: 0 or 2.
    """
    first, second = alleles[..., 0], alleles[..., 1]
    second = np.where(second == ABSENT, first, second)
    return np.where((first < 0) | (second < 0), MISSING, first + second).astype(np.int8)


def sum_dosages(probability: np.ndarray, alleles: np.ndarray) -> np.ndarray:
    """The dosages float64 [...] that go with `sum_genotypes`, of probabilities of ALT [..., 2]."""
    first, second = (probability[..., number].astype(np.float64) for number in (0, 1))
    return first + np.where(alleles[..., 1] == ABSENT, first, second)
