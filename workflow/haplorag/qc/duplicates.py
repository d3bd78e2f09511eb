"""Finds people who stand in a panel twice: whose two haplotypes are the same over a whole chromosome."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.vcf.biallelic import BiallelicReader

log = logging.getLogger(__name__)
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

    def report(self, vcf: Path, reader: BiallelicReader, roles: pd.Series) -> None:
        """Count the pairs in the reader's tally and warn of them; those of two roles let the answer into the reference."""
        pairs = self.find_pairs()
        if not pairs:
            return
        across = [pair for pair in pairs if roles.iloc[pair[0]] != roles.iloc[pair[1]]]
        reader.tally["duplicate_people_across_roles"] = len(across)
        first, second = (across or pairs)[0]
        log.warning(
            "%s: duplicate_genome_pairs=%d of people have the same haplotypes, %d of them different roles (for one, rows %d "
            "and %d of the table of samples); remove one of each, or set their roles by samples.roles",
            vcf, len(pairs), len(across), first + 1, second + 1,
        )  # fmt: skip
