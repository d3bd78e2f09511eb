"""Finds people who stand in a panel twice: with the same haplotypes over a whole chromosome."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from itertools import combinations

import numpy as np

# With fewer sites people are alike by chance.
FEWEST_SITES = 50


class DuplicateFinder:
    """Hashes every haplotype block by block; memory does not grow with the number of sites."""

    def __init__(self, people: int) -> None:
        self._hashes = [hashlib.blake2b(digest_size=16) for _ in range(2 * people)]
        self._sites = 0

    def add(self, alleles: np.ndarray) -> None:
        """Take the next sites' alleles int8 [S, n, 2]."""
        if not len(alleles):
            return
        self._sites += len(alleles)
        rows = np.packbits(alleles.reshape(len(alleles), -1) > 0, axis=0).T
        for haplotype, row in zip(self._hashes, np.ascontiguousarray(rows), strict=True):
            haplotype.update(row)

    def find_pairs(self) -> list[tuple[int, int]]:
        """Pairs of people, by number, who carry the same two haplotypes in whichever order."""
        if self._sites < FEWEST_SITES:
            return []
        found = defaultdict(list)
        for person, digests in enumerate(zip(self._hashes[::2], self._hashes[1::2], strict=True)):
            found[tuple(sorted(one.digest() for one in digests))].append(person)
        return [pair for people in found.values() for pair in combinations(people, 2)]
