"""Chooses the haplotypes of the panel that a person is phased against, stretch by stretch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Typed sites that are compared in one word of 64 bits.
WORD = 64
# Stretches beside a stretch, on each side, over which a haplotype is compared: near and wide.
NEAR, WIDE = 1, 4


class PanelWords(NamedTuple):
    """The panel at the typed sites of a chromosome.

    `alleles` uint8 [T, N]; `words` uint64 [N, W] the same as bits, 64 sites a word, the first in
    the highest bit; `first` int64 [S] the first word of each stretch.
    """

    alleles: np.ndarray
    words: np.ndarray
    first: np.ndarray


class States(NamedTuple):
    """Haplotypes by stretch: `ids` int32 [S, K], rising; `origin` int32 [S, K] the place of each in
    the stretch before, -1 where it was not chosen there; `site` int64 [S] the first typed site of
    each stretch.
    """

    ids: np.ndarray
    origin: np.ndarray
    site: np.ndarray


def pack_words(alleles: np.ndarray) -> np.ndarray:
    """Pack 0/1 [N, T] into words uint64 [N, ceil(T / 64)]."""
    bits = np.packbits(alleles.astype(bool), axis=1)
    padded = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), dtype=np.uint8)
    padded[:, : bits.shape[1]] = bits
    return padded.view(np.uint64)


def cut_stretches(sites: int, centimorgan: np.ndarray, least: float) -> np.ndarray:
    """First words int64 [S] of stretches of whole words that span at least so many cM each."""
    starts = centimorgan[np.arange(0, sites, WORD)]
    first, last = [0], starts[0]
    for word, position in enumerate(starts):
        if position - last >= least:
            first.append(word)
            last = position
    return np.array(first)


def choose_states(alleles: np.ndarray, panel: PanelWords, count: int) -> States:
    """Choose `count` haplotypes of the panel for each stretch: those most like either of two.

    `alleles` int8 [2, T] (-1 where not known, which counts for nothing). For each haplotype and
    for a near and a wide surrounding of the stretch, a quarter of the states has the fewest
    mismatches there; what is left goes to those nearest to either haplotype in the wide one.
    """
    haplotypes = panel.alleles.shape[1]
    if haplotypes <= count:
        everyone = np.arange(haplotypes, dtype=np.int32)[None]
        return States(everyone, everyone, np.zeros(1, np.int64))
    known = pack_words(alleles >= 0)
    asked = pack_words(alleles > 0)
    near, wide = [], []
    for side in range(2):
        different = np.bitwise_count((panel.words ^ asked[side]) & known[side])
        apart = np.add.reduceat(different.astype(np.int32), panel.first, axis=1).T
        near.append(_sum_around(apart, NEAR))
        wide.append(_sum_around(apart, WIDE))
    either = np.minimum(*wide)
    quarter = count // 4
    ids = np.empty((len(panel.first), count), dtype=np.int32)
    for stretch in range(len(panel.first)):
        # Ties are the rule: the other surrounding decides, then the number.
        orders = [
            (near[0][stretch] * 4096 + wide[0][stretch], quarter),
            (near[1][stretch] * 4096 + wide[1][stretch], quarter),
            (wide[0][stretch] * 4096 + near[0][stretch], quarter),
            (wide[1][stretch] * 4096 + near[1][stretch], quarter),
            (either[stretch] * 4096, count),
        ]
        ids[stretch] = _take_first(np.concatenate([_find_least(*order) for order in orders]), count)
    return States(ids, _find_origins(ids), panel.first * WORD)


def _sum_around(apart: np.ndarray, reach: int) -> np.ndarray:
    """Sums over each stretch [S, N] and `reach` on either side."""
    total = np.concatenate([np.zeros((1, apart.shape[1]), apart.dtype), np.cumsum(apart, axis=0)])
    stretch = np.arange(len(apart))
    low, high = np.maximum(stretch - reach, 0), np.minimum(stretch + reach + 1, len(apart))
    return total[high] - total[low]


def _find_least(key: np.ndarray, count: int) -> np.ndarray:
    """Places of the `count` least, by number where they are equal."""
    unique = key.astype(np.int64) * len(key) + np.arange(len(key))
    return np.argpartition(unique, count - 1)[:count]


def _take_first(ids: np.ndarray, count: int) -> np.ndarray:
    """The first `count` different ones, sorted."""
    found, place = np.unique(ids, return_index=True)
    return np.sort(found[np.argpartition(place, count - 1)[:count]])


def _find_origins(ids: np.ndarray) -> np.ndarray:
    origin = np.full(ids.shape, -1, dtype=np.int32)
    for stretch in range(1, len(ids)):
        place = np.minimum(np.searchsorted(ids[stretch - 1], ids[stretch]), ids.shape[1] - 1)
        same = ids[stretch - 1][place] == ids[stretch]
        origin[stretch, same] = place[same]
    return origin
