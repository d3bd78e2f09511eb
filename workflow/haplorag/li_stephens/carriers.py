"""Who carries the rarer allele of each site of the panel: few of many haplotypes at most sites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from haplorag.alleles import count_bits
from haplorag.li_stephens.numba_jit import jit
from haplorag.panel.haplotypes import ShardSet

# How many bits are set in a byte, and which, from the highest on.
COUNT = np.bitwise_count(np.arange(256, dtype=np.uint8)).astype(np.int64)
PLACE = np.argsort(
    1 - np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1), axis=1, kind="stable"
)
# Bytes are looked at eight at a time, and haplotypes turned so many bytes at a time that these stay
# near the processor.
WORD, TILE = 8, 64
# A square of eight by eight bits is turned by changing places of single bits, of pairs and of
# fours (Warren 2012, Hacker's Delight, 7-3).
SINGLE, PAIRS, FOURS = (np.uint64(7 * factor) for factor in (1, 2, 4))
OF_SINGLE = np.uint64(0x00AA00AA00AA00AA)
OF_PAIRS = np.uint64(0x0000CCCC0000CCCC)
OF_FOURS = np.uint64(0x00000000F0F0F0F0)
BYTE = np.uint64(8)


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
    there = np.packbits(np.arange(8 * _measure_row(haplotypes)) < haplotypes)
    for bits in turn_sites(shards, sites, haplotypes):
        count = count_bits(bits.view(np.uint64))
        alternate = 2 * count <= haplotypes
        bits[~alternate] ^= there
        count = np.where(alternate, count, haplotypes - count)
        found = np.empty(count.sum(), dtype=np.uint32)
        _list_set(bits, bits.view(np.uint64), found)
        rows.append(found)
        counts.append(count)
        alternates.append(alternate)
    start = np.append(0, np.cumsum(np.concatenate(counts)))
    return Carriers(np.concatenate(rows), start, np.concatenate(alternates))


def turn_sites(shards: ShardSet, sites: np.ndarray, haplotypes: int) -> Iterator[np.ndarray]:
    """Bits uint8 [S, bytes] of so many haplotypes of the panel at sorted sites, some at a time: the
    first haplotype in the highest bit, rows of whole words, padded by zeros."""
    for packed, columns in shards.iterate_packed(sites) if len(sites) else ():
        words, place = np.unique(columns >> 3, return_inverse=True)
        turned = np.zeros((8 * len(words), _measure_row(haplotypes)), dtype=np.uint8)
        _turn(packed, words, turned)
        yield turned[8 * place + (columns & 7)]


def _measure_row(haplotypes: int) -> int:
    """Bytes, in whole words, that hold a bit of each haplotype."""
    return -(-haplotypes // (8 * WORD)) * WORD


@jit
def _turn(packed: np.ndarray, words: np.ndarray, turned: np.ndarray) -> None:
    """Turn some bytes, numbered `words`, of haplotypes uint8 [N, bytes] into those of their sites,
    uint8 [8 * words, at least N / 8], with the first haplotype in the highest bit.
    """
    whole = len(packed) // 8
    for tile in range(0, whole, TILE):
        for number in range(len(words)):
            for byte in range(tile, min(tile + TILE, whole)):
                square = np.uint64(0)
                for row in range(8):
                    square = square << BYTE | np.uint64(packed[8 * byte + row, words[number]])
                _put(_turn_square(square), turned, 8 * number, byte)
    for number in range(len(words)):
        square = np.uint64(0)
        for row in range(8 * whole, 8 * whole + 8):
            last = packed[row, words[number]] if row < len(packed) else 0
            square = square << BYTE | np.uint64(last)
        if 8 * whole < len(packed):
            _put(_turn_square(square), turned, 8 * number, whole)


@jit
def _turn_square(square: np.uint64) -> np.uint64:
    square = _change(square, SINGLE, OF_SINGLE)
    square = _change(square, PAIRS, OF_PAIRS)
    return _change(square, FOURS, OF_FOURS)


@jit
def _change(square: np.uint64, shift: np.uint64, those: np.uint64) -> np.uint64:
    """Let bits change places with those so far behind them."""
    moved = (square ^ (square >> shift)) & those
    return square ^ moved ^ (moved << shift)


@jit
def _put(square: np.uint64, turned: np.ndarray, first: int, byte: int) -> None:
    """Write the eight bytes of a square, from the highest on, each in a row of its own."""
    for place in range(8):
        turned[first + place, byte] = square >> np.uint64(56 - 8 * place)


@jit
def _list_set(bits: np.ndarray, words: np.ndarray, rows: np.ndarray) -> None:
    """List which bits of uint8 [S, bytes] are set, site by site; `words` uint64 are the same bits
    by eight bytes.
    """
    found = 0
    for site in range(len(bits)):
        for word in range(words.shape[1]):
            if words[site, word]:
                for byte in range(WORD * word, WORD * word + WORD):
                    here = bits[site, byte]
                    for place in range(COUNT[here]):
                        rows[found] = 8 * byte + PLACE[here, place]
                        found += 1
