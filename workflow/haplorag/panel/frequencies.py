"""Frequencies of a chromosome's alleles and genotypes as other steps read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.io.hdf5 import read_arrays

COMMON_MAF = 0.05
MAF_EDGES = np.array([0.005, 0.01, 0.05])


@dataclass(frozen=True)
class Frequencies:
    """ALT frequency [site], and by population (the last row is everyone): ALT [P + 1, site], genotypes [P + 1, site, 3]."""

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
    """Replace missing alleles (-1) of haplotypes int8 [N, S] by the site's major allele; gives uint8."""
    known = haplotypes >= 0
    major = 2 * (haplotypes > 0).sum(axis=0) > known.sum(axis=0)
    return np.where(known, haplotypes, major).astype(np.uint8)


def count_alleles(calls: np.ndarray) -> np.ndarray:
    """Count in alleles int8 [S, n, 2]: ALT alleles, known alleles, known genotypes 0, 1 and 2; int64 [S, 5]."""
    known = calls >= 0
    alternate = (calls > 0).sum(axis=2)
    whole = known.all(axis=2)
    genotypes = [(whole & (alternate == number)).sum(axis=1) for number in range(3)]
    return np.stack([alternate.sum(axis=1), known.sum(axis=(1, 2)), *genotypes], axis=1)


def divide_counts(counts: np.ndarray, everyone: np.ndarray) -> np.ndarray:
    """Frequencies float32 [S, 4] (ALT, genotypes 0, 1, 2) of counts [S, 5], everyone's where nothing is known."""
    counts = np.where(counts[:, 1:2] > 0, counts, everyone)
    genotypes = counts[:, 2:] / np.maximum(counts[:, 2:].sum(axis=1, keepdims=True), 1)
    return np.column_stack([counts[:, 0] / np.maximum(counts[:, 1], 1), genotypes]).astype(
        np.float32
    )
