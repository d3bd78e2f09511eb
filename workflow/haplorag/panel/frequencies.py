"""Frequencies of a chromosome's alleles and genotypes as other steps read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.alleles import count_bits, find_different, find_whole, pack_alleles, pack_people
from haplorag.io.hdf5 import read_arrays

COMMON_MAF = 0.05
MAF_EDGES = np.array([0.005, 0.01, 0.05])


@dataclass(frozen=True)
class Frequencies:
    """ALT frequency [site], and by population ALT [P + 1, site] and genotypes [P + 1, site, 3].

    The last row is everyone.
    """

    populations: list[str]
    frequency: np.ndarray
    by_population: np.ndarray
    genotypes: np.ndarray

    def rank(self, names: pd.Series) -> np.ndarray:
        """Row of each super-population's name, the last row for an unknown one."""
        return np.array(
            [
                self.populations.index(n) if n in self.populations else len(self.populations)
                for n in names
            ]
        )


def read_frequencies(path: Path) -> Frequencies:
    """Read a chromosome's frequencies; the row after the last population is everyone's."""
    arrays = read_arrays(path, "frequencies")
    everyone = arrays["frequency"][None], arrays["genotype_frequency"][None]
    return Frequencies(
        arrays["populations"].tolist(),
        arrays["frequency"],
        np.concatenate([arrays["population_frequency"], everyone[0]]),
        np.concatenate([arrays["population_genotype_frequency"], everyone[1]]),
    )


def fill_major(haplotypes: np.ndarray) -> np.ndarray:
    """Replace missing alleles (-1) of haplotypes int8 [N, S] by the site's major allele: uint8."""
    known = haplotypes >= 0
    major = 2 * (haplotypes > 0).sum(axis=0) > known.sum(axis=0)
    return np.where(known, haplotypes, major).astype(np.uint8)


def count_alleles(calls: np.ndarray, groups: list[np.ndarray]) -> list[np.ndarray]:
    """Count in alleles int8 [S, n, 2], -1 missing, of each group of people (rows int).

    Gives int64 [S, 5] a group: ALT alleles, known alleles, and known genotypes 0, 1 and 2.
    """
    bits = pack_alleles(calls)
    whole, different = find_whole(bits), find_different(bits)
    both = bits.alternate & whole & ~different
    planes = *bits, whole & ~different & ~both, different, both
    counted = []
    for group in groups:
        members = np.zeros(calls.shape[1], dtype=bool)
        members[group] = True
        mask = pack_people(members)
        counted.append(np.stack([count_bits(plane & mask) for plane in planes], axis=1))
    return counted


def divide_counts(counts: np.ndarray, everyone: np.ndarray) -> np.ndarray:
    """Frequencies float32 [S, 4] (ALT, genotypes 0, 1, 2) of counts [S, 5].

    Everyone's where nothing is known; those of alleles paired at random where nobody has two.
    """
    counts = np.where(counts[:, 1:2] > 0, counts, everyone)
    share = counts[:, 0] / np.maximum(counts[:, 1], 1)
    whole = counts[:, 2:].sum(axis=1, keepdims=True)
    by_alleles = np.column_stack([(1 - share) ** 2, 2 * share * (1 - share), share**2])
    genotypes = np.where(whole > 0, counts[:, 2:] / np.maximum(whole, 1), by_alleles)
    return np.column_stack([share, genotypes]).astype(np.float32)
