"""Who carries the rarer allele of each site of the panel: few of many haplotypes at most sites."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.numba_jit import jit
from haplorag.panel.haplotypes import ShardSet

# How many bits are set in a byte, and which, from the highest on.
SET = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
COUNT = SET.sum(axis=1).astype(np.int64)
PLACE = np.argsort(1 - SET, axis=1, kind="stable").astype(np.int64)


class Carriers(NamedTuple):
    """Haplotypes, in order, that carry whichever allele of a site fewer have: `rows` uint32, those
    of each site from `start` int64 [S + 1] on; `alternate` bool [S] says whether that is ALT.
    """

    rows: np.ndarray
    start: np.ndarray
    alternate: np.ndarray

    def count_alternate(self, haplotypes: int) -> np.ndarray:
        """How many of so many haplotypes have ALT at each site: int64 [S]."""
        count = np.diff(self.start)
        return np.where(self.alternate, count, haplotypes - count)


def find_carriers(shards: ShardSet, sites: np.ndarray, haplotypes: int) -> Carriers:
    """Find who of so many haplotypes of the panel carry the rarer allele of sorted sites int [S].

    Time and memory are those of who carries: alleles are never written out.
    """
    rows = [np.empty(0, dtype=np.uint32)]
    counts = [np.empty(0, dtype=np.int64)]
    alternates = [np.empty(0, dtype=bool)]
    for packed, columns in shards.iterate_packed(sites) if len(sites) else ():
        words = np.unique(columns >> 3)
        of = np.full(8 * packed.shape[1], -1)
        of[columns] = np.arange(len(columns))
        wanted = np.packbits(of >= 0)[words]
        count = np.zeros(len(columns), dtype=np.int64)
        _count_carriers(packed, words, wanted, np.zeros_like(wanted), of, count)
        alternate = 2 * count <= haplotypes
        turned = np.zeros(len(of), dtype=bool)
        turned[columns] = ~alternate
        count = np.where(alternate, count, haplotypes - count)
        found = np.empty(count.sum(), dtype=np.uint32)
        first = np.cumsum(count) - count
        _list_carriers(packed, words, wanted, np.packbits(turned)[words], of, first, found)
        rows.append(found)
        counts.append(count)
        alternates.append(alternate)
    start = np.append(0, np.cumsum(np.concatenate(counts)))
    return Carriers(np.concatenate(rows), start, np.concatenate(alternates))


@jit
def _count_carriers(
    packed: np.ndarray,
    words: np.ndarray,
    wanted: np.ndarray,
    turned: np.ndarray,
    of: np.ndarray,
    count: np.ndarray,
) -> None:
    """Add up who carries at the wanted sites of haplotypes uint8 [N, bytes].

    Of the bytes numbered `words` int [W], `wanted` and `turned` uint8 [W] are the bits of sites
    that are wanted, and of those at which REF counts; `of` int [8 * bytes] numbers the sites in
    `count`.
    """
    for row in range(len(packed)):
        for number in range(len(words)):
            bits = (packed[row, words[number]] ^ turned[number]) & wanted[number]
            for place in range(COUNT[bits]):
                count[of[8 * words[number] + PLACE[bits, place]]] += 1


@jit
def _list_carriers(
    packed: np.ndarray,
    words: np.ndarray,
    wanted: np.ndarray,
    turned: np.ndarray,
    of: np.ndarray,
    place_of: np.ndarray,
    rows: np.ndarray,
) -> None:
    """As `_count_carriers`, writing each haplotype down at its site's place in `rows`, `place_of`
    int64 [S], which moves on.
    """
    for row in range(len(packed)):
        for number in range(len(words)):
            bits = (packed[row, words[number]] ^ turned[number]) & wanted[number]
            for place in range(COUNT[bits]):
                site = of[8 * words[number] + PLACE[bits, place]]
                rows[place_of[site]] = row
                place_of[site] += 1
