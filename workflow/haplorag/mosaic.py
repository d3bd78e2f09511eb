"""Li and Stephens' model: a haplotype is a mosaic of those in the panel, which says what its hidden alleles are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

# Switches of the copied haplotype per cM, times the number of haplotypes in the panel: 4 Ne / 100 with Ne = 3e5; and the chance
# of an allele that is not the copied one. Chosen on validation people, see docs/experiments.md.
SWITCHES_PER_CENTIMORGAN = 12000.0
MISMATCH = 3e-3
# Core sites between the same typed sites, and so close that this many switches are expected between them, are copied with the
# same weights.
PLACE_SWITCHES = 0.01
MOST_THREADS = int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
# However near two sites are: without any switch a weight once lost would never come back.
LEAST_CHANCE = 1e-7


@dataclass(frozen=True)
class Places:
    """Stretches of core sites that share their weights.

    `of_site` int64 [L] is the place of each core site, `first` int64 [P + 1] where each begins, `before` int64 [P] how many
    typed sites lie up to it, `centimorgan` float64 [P] where it lies.
    """

    of_site: np.ndarray
    first: np.ndarray
    before: np.ndarray
    centimorgan: np.ndarray


def find_places(typed: np.ndarray, core: np.ndarray, centimorgan: np.ndarray, haplotypes: int) -> Places:
    """Group core sites that lie between the same typed sites and in the same short stretch.

    `typed` int [T] and `core` int [L] are sorted columns of `centimorgan` [C]; `haplotypes` is the size of the panel.
    """
    before = np.searchsorted(typed, core, side="right")
    stretch = np.floor(centimorgan[core] / (PLACE_SWITCHES * haplotypes / SWITCHES_PER_CENTIMORGAN))
    starts = np.append(True, (np.diff(before) != 0) | (np.diff(stretch) != 0))[: len(core)]
    of_site = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)
    mean = np.add.reduceat(centimorgan[core].astype(np.float64), first) / np.diff(np.append(first, len(core)))
    return Places(of_site, np.append(first, len(core)), before[first], mean)


def trace_mosaic(
    asked: np.ndarray,
    known: np.ndarray,
    typed_cm: np.ndarray,
    core: np.ndarray,
    places: Places,
    ids: np.ndarray,
    owner: np.ndarray,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Trace haplotypes through the whole panel, forward and backward over the typed sites.

    `asked` int8 [Q, T] (-1 where missing), `known` 0/1 uint8 [T, N] and genetic positions `typed_cm` [T] at typed sites,
    `core` 0/1 uint8 [L, N] at the sites wanted, `ids` int [Q, K] haplotypes of interest (-1 for none), `owner` int [Q] the
    rank of the query's person among the reference people, -1 for nobody; a person's own two haplotypes are never copied.

    Gives the probability of ALT float32 [Q, L], and that of copying each of `ids` float32 [Q, P, K] at each place. Linear in
    the panel; after Li and Stephens 2003 (doi:10.1093/genetics/165.4.2213).
    """
    per_cm = SWITCHES_PER_CENTIMORGAN / known.shape[1]
    # Beyond the first and the last typed site nothing is known: a switch from there is certain.
    around = np.concatenate([[-np.inf], typed_cm, [np.inf]])
    gaps = np.diff(around), places.centimorgan - around[places.before], around[places.before + 1] - places.centimorgan
    chances = [np.maximum(-np.expm1(-np.maximum(gap, 0) * per_cm), LEAST_CHANCE).astype(np.float32) for gap in gaps]
    numba.set_num_threads(min(threads, MOST_THREADS))
    alternate = np.empty((len(asked), len(core)), dtype=np.float32)
    posterior = np.empty((len(asked), len(places.before), ids.shape[1]), dtype=np.float32)
    numbers = np.float32(MISMATCH), ids.astype(np.int64), owner.astype(np.int64)
    shape = places.first, places.before.astype(np.int64)
    _trace(np.ascontiguousarray(asked), known, *chances, core, *shape, *numbers, alternate, posterior)
    return alternate, posterior


def _compile(**options: Any) -> Callable[[Callable], Callable]:
    """Compile, and keep the machine code beside the module where that can be written; else every process compiles."""

    def decorate(function: Callable) -> Callable:
        try:
            return numba.njit(nogil=True, fastmath=True, error_model="numpy", cache=True, **options)(function)
        except RuntimeError:
            return numba.njit(nogil=True, fastmath=True, error_model="numpy", **options)(function)

    return decorate


@_compile(parallel=True)
def _trace(
    asked, known, chance, reach_left, reach_right, core, first, before, mismatch, ids, owner, alternate, posterior
):  # fmt: skip
    """Fill `alternate` and `posterior`; `chance` [T + 1] is that of a switch before each typed site and after the last."""
    typed, haplotypes = known.shape
    places = len(before)
    if places == 0:
        return
    carriers, offset, turned = _list_carriers(core)
    # Forward states are kept for the typed sites next to a place only.
    start = max(before[0] - 1, 0)
    stop = before[places - 1]
    for query in numba.prange(len(asked)):
        own = 2 * owner[query]
        share = np.float32(1) / np.float32(haplotypes - (2 if own >= 0 else 0))
        kept = np.zeros((max(stop - start, 1), haplotypes), dtype=np.float32)
        state = np.zeros(haplotypes, dtype=np.float32)
        weight = np.empty(haplotypes, dtype=np.float32)
        total = np.float32(1)
        for site in range(stop):
            total = _step(state, total, chance[site], share, known[site], asked[query, site], mismatch)
            total -= _strike_out(state, own)
            if site >= start:
                scale = 1 / total
                for row in range(haplotypes):
                    kept[site - start, row] = state[row] * scale
        state[:] = 0
        total = np.float32(1)
        site = typed
        for place in range(places - 1, -1, -1):
            while site > before[place]:
                site -= 1
                total = _step(state, total, chance[site + 1], share, known[site], asked[query, site], mismatch)
                total -= _strike_out(state, own)
            ahead = kept[max(before[place] - 1 - start, 0)]
            far, near = reach_right[place], reach_left[place]
            stay, leak, stay_ahead, leak_ahead = (1 - far) / total, far * share, 1 - near, near * share
            weighed = np.float32(0)
            for row in range(haplotypes):
                here = (state[row] * stay + leak) * (ahead[row] * stay_ahead + leak_ahead)
                weight[row] = here
                weighed += here
            inverse = 1 / (weighed - _strike_out(weight, own))
            for column in range(ids.shape[1]):
                row = ids[query, column]
                posterior[query, place, column] = weight[row] * inverse if row >= 0 else np.float32(0)
            for column in range(first[place], first[place + 1]):
                carried = np.float32(0)
                for entry in range(offset[column], offset[column + 1]):
                    carried += weight[carriers[entry]]
                carried *= inverse
                alternate[query, column] = 1 - carried if turned[column] else carried


@_compile()
def _list_carriers(core):
    """Who carries the rarer allele at each site: rows, where each site's begin, and whether that allele is REF."""
    sites, haplotypes = core.shape
    offset = np.zeros(sites + 1, dtype=np.int64)
    turned = np.zeros(sites, dtype=np.bool_)
    for site in range(sites):
        held = 0
        for row in range(haplotypes):
            held += core[site, row]
        turned[site] = 2 * held > haplotypes
        offset[site + 1] = offset[site] + (haplotypes - held if turned[site] else held)
    carriers = np.empty(offset[sites], dtype=np.int32)
    for site in range(sites):
        entry = offset[site]
        for row in range(haplotypes):
            if core[site, row] != turned[site]:
                carriers[entry] = row
                entry += 1
    return carriers, offset, turned


@_compile()
def _step(state, total, switch, share, held, allele, mismatch):
    """Move the state on to the next typed site: a switch by chance, then how well each haplotype's allele agrees; its sum."""
    stay, leak = (1 - switch) / total, switch * share
    reference, change = np.float32(1), np.float32(0)
    if allele == 0:
        reference, change = 1 - mismatch, 2 * mismatch - 1
    elif allele == 1:
        reference, change = mismatch, 1 - 2 * mismatch
    moved = np.float32(0)
    for row in range(len(state)):
        here = (state[row] * stay + leak) * (reference + change * np.float32(held[row]))
        state[row] = here
        moved += here
    return moved


@_compile()
def _strike_out(state, own):
    """Set the query's own haplotypes to zero; gives what they held."""
    if own < 0:
        return np.float32(0)
    held = state[own] + state[own + 1]
    state[own] = 0
    state[own + 1] = 0
    return held
