"""Retrieves reference haplotypes.

Typed columns become packed codes, FAISS finds the nearest, and nobody finds themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import faiss
import numpy as np

from haplorag.panel.haplotypes import pack
from haplorag.settings import NeighbourSettings

# Within its segment a column counts several times what it counts in the whole context, so that the
# context decides among haplotypes a segment cannot tell apart. Such ties are the rule where few
# sites are typed; see docs/retrieval.md. The copies make a code longer and its search slower, so
# that a wide segment, where ties are rarer, gets fewer.
MOST_COPIES, FEWEST_COPIES, COPIED_BITS = 64, 8, 2048
# The counting search has room for K ids at every distance, for each query of a batch. Up to 32 MB
# of it glibc gives again what was freed; beyond, every batch gets fresh pages, which takes longer
# than the search.
BATCH_IDS = 3 * 2**20


class Comparison(NamedTuple):
    """Queries 0/1 uint8 [Q, T] that are compared with reference haplotypes, `known` [N, T], in
    segments; the range int [Q, 2] of each query's own, and how many are wanted."""

    queries: np.ndarray
    known: np.ndarray
    segments: list[tuple[int, int]]
    own: np.ndarray
    wanted: int


# Gives ids and mismatches [Q, wanted].
Ranking = Callable[[Comparison], tuple[np.ndarray, np.ndarray]]


class EqualHaplotypes(NamedTuple):
    """Haplotypes that are equal at all typed sites, by groups, in the order of their first: `first`
    int64 [G] is the first of each, `members` int64 [N] are all, group by group and rising, and
    `start` int64 [G + 1] says where those of a group begin.
    """

    first: np.ndarray
    members: np.ndarray
    start: np.ndarray


def search_neighbours(
    queries: np.ndarray,
    reference: np.ndarray,
    core: tuple[int, int],
    own: np.ndarray,
    settings: NeighbourSettings,
    threads: int = 1,
    rank: Ranking | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the reference haplotypes most alike at the typed sites of a window, around each part of
    it.

    `queries` int8 [Q, T] (-1 where missing, which counts as the reference's major allele),
    `reference` 0/1 uint8 [N, T], `core` the half-open range of the columns in the core, `own` int
    [Q, 2] the half-open range of reference haplotypes that are the query's person's, empty for
    nobody's. A person's own haplotypes are never returned.

    Each segment at each scale orders all haplotypes by mismatches within it, then by mismatches in
    the whole typed context, then by id; the K returned have the best rank in any of these orders.
    Gives ids int32 [Q, K], best first and -1 where the panel has fewer, and mismatches over the
    whole typed context int32 [Q, K] (-1 there). `rank` compares; without it FAISS does, in so many
    threads.
    """
    columns = queries.shape[1]
    most_own = int((own[:, 1] - own[:, 0]).max(initial=0))
    wanted = min(settings.count, max(len(reference) - most_own, 0))
    ids = np.full((len(queries), settings.count), -1, dtype=np.int32)
    distances = ids.copy()
    if not columns:
        ids[:, :wanted] = _spread_ids(len(reference) - most_own, wanted, own)
        distances[:, :wanted] = 0
        return ids, distances
    asked = np.where(queries < 0, reference.mean(axis=0) > 0.5, queries).astype(np.uint8)
    faiss.omp_set_num_threads(threads)
    segments = cut_segments(*core, columns, settings)
    compared = Comparison(asked, reference, segments, own, wanted)
    found = (rank or _rank_by_faiss)(compared)
    ids[:, :wanted], distances[:, :wanted] = found
    return ids, distances


def cut_segments(
    start: int, stop: int, columns: int, settings: NeighbourSettings
) -> list[tuple[int, int]]:
    """Cut the typed columns into overlapping half-open segments, at every scale.

    The segments tile the core's typed columns [start, stop) and `flank_typed` beyond on each side,
    evenly and with no fewer than `min_typed` columns each where there are so many; a scale widens
    each about its centre, within [0, columns).
    """
    low, high = max(start - settings.flank_typed, 0), min(stop + settings.flank_typed, columns)
    if high == low:
        return [(0, columns)]
    number = max(1, min(settings.segments, (high - low) // settings.min_typed))
    edges = np.linspace(low, high, number + 1)
    width = max(edges[1] - edges[0], settings.min_typed)
    segments: dict[tuple[int, int], None] = {}
    for scale in settings.scales:
        for centre in (edges[:-1] + edges[1:]) / 2:
            first = int(np.floor(np.clip(centre - scale * width / 2, 0, columns - 1)))
            last = int(np.ceil(np.clip(centre + scale * width / 2, first + 1, columns)))
            segments[first, last] = None
    return list(segments)


def count_copies(first: int, last: int) -> int:
    """How many times a segment's columns count beside once in the whole context."""
    return min(max(COPIED_BITS // (last - first), FEWEST_COPIES), MOST_COPIES) - 1


def _rank_by_faiss(compared: Comparison) -> tuple[np.ndarray, np.ndarray]:
    asked, known, segments, own, wanted = compared
    packed = pack(known)
    equal = group_equal(packed)
    distinct = known[equal.first]
    ranked = [_rank_segment(asked, distinct, equal, segment, own, wanted) for segment in segments]
    return _merge_ranks(np.stack(ranked, axis=1), pack(asked), packed, wanted)


def group_equal(packed: np.ndarray) -> EqualHaplotypes:
    """Group equal rows of packed haplotypes uint8 [N, bytes]: of a large panel a window sees few
    that differ.
    """
    rows = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, group = np.unique(rows, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    group = rank[group]
    start = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=len(first)))])
    return EqualHaplotypes(np.sort(first), np.argsort(group, kind="stable"), start)


def _rank_segment(
    asked: np.ndarray,
    known: np.ndarray,
    equal: EqualHaplotypes,
    segment: tuple[int, int],
    own: np.ndarray,
    wanted: int,
) -> np.ndarray:
    """Ids of the `wanted` nearest for one segment, int32 [Q, wanted], in order of (segment,
    context, id); `known` 0/1 [G, T] are the first of each group of equal haplotypes.
    """

    first, last = segment
    copies = count_copies(first, last)

    def encode(haplotypes: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [np.tile(pack(haplotypes[:, first:last]), (1, copies)), pack(haplotypes)], axis=1
        )

    codes = encode(known)
    index = faiss.IndexBinaryFlat(codes.shape[1] * 8)
    # The counting search keeps the lowest ids among equal distances; the heap does not.
    index.use_heap = False
    index.add(codes)
    nearest = min(wanted + 2, len(known))
    index.query_batch_size = max(1, BATCH_IDS // (index.d * nearest))
    distances, groups = index.search(encode(asked), nearest)
    found = _list_members(distances, groups, equal, min(wanted + 2, len(equal.members)))
    is_own = (found >= own[:, :1]) & (found < own[:, 1:])
    order = np.argsort(is_own, axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)[:, :wanted]


def _list_members(
    distances: np.ndarray, groups: np.ndarray, equal: EqualHaplotypes, wanted: int
) -> np.ndarray:
    """The `wanted` nearest haplotypes, by distance and id, int32 [Q, wanted], of the nearest groups
    int [Q, k] at distances int [Q, k].

    Groups that were not found begin with later ids than those found at the same distance, so that
    none of theirs is among the wanted.
    """
    if len(equal.first) == len(equal.members):
        return groups.astype(np.int32)
    sizes = np.minimum(np.diff(equal.start)[groups], wanted)
    before = np.cumsum(sizes, axis=1) - sizes
    last = np.where(before < wanted, distances, -1).max(axis=1, keepdims=True)
    kept = distances <= last
    counts = sizes[kept]
    places = np.repeat(equal.start[groups[kept]] - np.cumsum(counts) + counts, counts)
    members = equal.members[places + np.arange(counts.sum())]
    rows = np.repeat(np.nonzero(kept)[0], counts)
    order = np.lexsort((members, np.repeat(distances[kept], counts), rows))
    begins = np.searchsorted(rows, np.arange(len(groups)))
    return members[order[begins[:, None] + np.arange(wanted)]].astype(np.int32)


def _merge_ranks(
    ranked: np.ndarray, asked: np.ndarray, known: np.ndarray, wanted: int
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the `wanted` ids of best rank over all searches; `ranked` int32 [Q, searches, wanted],
    packed haplotypes.
    """
    queries, searches, depth = ranked.shape
    keys = ranked.astype(np.int64) * depth + np.arange(depth)
    keys = np.sort(keys.reshape(queries, searches * depth), axis=1)
    ids, ranks = keys // depth, keys % depth
    repeated = np.zeros(ids.shape, dtype=bool)
    repeated[:, 1:] = ids[:, 1:] == ids[:, :-1]
    ranks[repeated] = depth
    # A rank is held by one haplotype of each search, so that no more than these can be among the
    # wanted.
    kept = np.argsort(ranks, axis=1, kind="stable")[:, : wanted + searches]
    ids, ranks = np.take_along_axis(ids, kept, axis=1), np.take_along_axis(ranks, kept, axis=1)
    distances = np.bitwise_count(known[ids] ^ asked[:, None]).sum(axis=2, dtype=np.int64)
    order = np.lexsort((ids, distances, ranks))[:, :wanted]
    return np.take_along_axis(ids, order, axis=1), np.take_along_axis(distances, order, axis=1)


def _spread_ids(others: int, wanted: int, own: np.ndarray) -> np.ndarray:
    """With no site typed nobody is near: ids spread evenly over the panel, a person's own left
    out.
    """
    ids = np.tile(np.arange(wanted) * others // max(wanted, 1), (len(own), 1))
    return np.where(ids >= own[:, :1], ids + own[:, 1:] - own[:, :1], ids)
