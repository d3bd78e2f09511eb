"""Frequencies of a chromosome's alleles and genotypes as other steps read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.io import hdf5 as store


@dataclass(frozen=True)
class Frequencies:
    """ALT frequency [site], and by population (the last row is everyone): ALT [P + 1, site], genotypes [P + 1, site, 3]."""

    populations: list[str]
    frequency: np.ndarray
    by_population: np.ndarray
    genotypes: np.ndarray

    def rank(self, names: pd.Series) -> np.ndarray:
        """Row of each super-population's name, the last row for an unknown one."""
        return np.array([self.populations.index(n) if n in self.populations else len(self.populations) for n in names])


def read_frequencies(path: Path) -> Frequencies:
    """Read a chromosome's frequencies; the row after the last population is everyone's."""
    arrays = store.read_arrays(path, "frequencies")
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
