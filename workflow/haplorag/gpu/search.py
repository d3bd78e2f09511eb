"""Retrieval on a GPU: the same neighbours as `retrieval.search` finds with FAISS.

Mismatches of 0/1 alleles are a product of matrices: `|a| + |b| - 2 a b`, with a weight for each
column. All numbers in it are whole and small, so that the tensor cores' short floats have them
exactly, and ties fall to the lowest id by a key that holds both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from haplorag.retrieval.search import Comparison, Ranking, count_copies

# Pairs of a query and a reference haplotype that are compared at a time; 8 bytes each, some times.
MOST_PAIRS = 2**27


def rank_on(device: torch.device) -> Ranking:
    """What ranks the haplotypes of a window on a device; see `retrieval.search.Ranking`."""

    def rank(compared: Comparison) -> tuple[np.ndarray, np.ndarray]:
        reference = torch.from_numpy(compared.known).to(device, torch.float32)
        step = max(1, MOST_PAIRS // max(1, len(compared.known)))
        found = []
        for start in range(0, len(compared.queries), step):
            rows = slice(start, start + step)
            queries = torch.from_numpy(compared.queries[rows]).to(device, torch.float32)
            ranges = torch.from_numpy(compared.own[rows].astype(np.int64)).to(device)
            found.append(_rank(queries, reference, compared.segments, ranges, compared.wanted))
        ids, distances = (torch.cat(parts).to(torch.int32) for parts in zip(*found, strict=True))
        return ids.cpu().numpy(), distances.cpu().numpy()

    return rank


def _rank(
    asked: Tensor, known: Tensor, segments: list[tuple[int, int]], own: Tensor, wanted: int
) -> tuple[Tensor, Tensor]:
    """Ids and mismatches int64 [Q, wanted] of the best by their best rank in any segment."""
    haplotypes = len(known)
    number = torch.arange(haplotypes, device=known.device)
    is_own = (number >= own[:, :1]) & (number < own[:, 1:])
    with _exact_products():
        everywhere = _count_mismatches(asked, known)
        best = torch.full_like(everywhere, wanted)
        order = torch.arange(wanted, device=known.device).expand(len(asked), -1)
        for first, last in segments:
            inside = _count_mismatches(asked[:, first:last], known[:, first:last])
            keys = (inside * count_copies(first, last) + everywhere) * haplotypes + number
            keys.masked_fill_(is_own, torch.iinfo(torch.int64).max)
            nearest = keys.topk(wanted, largest=False, sorted=True).values % haplotypes
            best.scatter_reduce_(1, nearest, order, "amin")
    # By rank, then mismatches, then id; whoever is in no list comes after all others.
    columns = known.shape[1] + 1
    keys = (best * columns + everywhere) * haplotypes + number
    ids = keys.topk(wanted, largest=False, sorted=True).values % haplotypes
    return ids, everywhere.gather(1, ids)


def _count_mismatches(asked: Tensor, known: Tensor) -> Tensor:
    """Mismatches int64 [Q, N] of 0/1 float32 [Q, T] and [N, T]."""
    both = asked @ known.T
    return (asked.sum(1)[:, None] + known.sum(1)[None] - 2 * both).long()


@contextmanager
def _exact_products() -> Iterator[None]:
    """Let float32 products use tensor cores, whose 10 bits after the first hold 0 and 1 exactly."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
