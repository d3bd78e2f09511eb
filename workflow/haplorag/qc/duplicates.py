"""Finds people who stand in a panel twice: with the same haplotypes over a whole chromosome."""

from __future__ import annotations

import numpy as np

from haplorag.alleles import pack_sites

# With fewer sites people are alike by chance.
FEWEST_SITES = 50


class DuplicateFinder:
    """Sums up every haplotype block by block, each eight sites times a random number, modulo 2^64:
    sums of others are equal by a chance of 2^-56. Memory does not grow with the number of sites.
    """

    def __init__(self, people: int) -> None:
        self._sums = np.zeros(2 * people, dtype=np.uint64)
        self._generator = np.random.default_rng(0)
        self._sites = 0

    def add(self, alleles: np.ndarray) -> None:
        """Take the next sites' alleles int8 [S, n, 2]."""
        if not len(alleles):
            return
        self._sites += len(alleles)
        for row in pack_sites(_flatten(alleles)):
            factor = self._generator.integers(2**63, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
            self._sums += row * factor

    def find_groups(self) -> list[np.ndarray]:
        """People, by number, who carry the same two haplotypes in whichever order: int64, two or
        more each, in the order of their first.
        """
        if self._sites < FEWEST_SITES:
            return []
        keys = np.sort(self._sums.reshape(-1, 2), axis=1)
        order = np.lexsort((keys[:, 1], keys[:, 0]))
        differs = (np.diff(keys[order], axis=0) != 0).any(axis=1)
        bounds = np.flatnonzero(np.concatenate([[True], differs, [True]]))
        several = np.flatnonzero(np.diff(bounds) > 1)
        groups = (order[bounds[number] : bounds[number + 1]] for number in several)
        return sorted(groups, key=lambda group: group[0])


def count_pairs(sizes: np.ndarray) -> int:
    """Pairs within groups of so many people, int [G]."""
    return int((sizes * (sizes - 1) // 2).sum())


def _flatten(alleles: np.ndarray) -> np.ndarray:
    """Which alleles are ALT: 0/1 uint8 [S, 2n] of int8 [S, n, 2]."""
    flat = alleles.reshape(len(alleles), -1)
    return (flat > 0 if flat.min(initial=0) < 0 else flat).view(np.uint8)
