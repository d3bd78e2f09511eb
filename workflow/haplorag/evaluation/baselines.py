"""What plain methods say of hidden alleles from the retrieved haplotypes."""

from __future__ import annotations

import numpy as np


def copy_nearest(alleles: np.ndarray, distances: np.ndarray, count: int) -> np.ndarray:
    """Mean allele of the `count` nearest neighbours of each haplotype: float32 [Q, L].

    `alleles` 0/1 [Q, K, L], `distances` int [Q, K] (-1 where there is no neighbour); equal
    distances go by rank.
    """
    far = np.iinfo(np.int32).max
    ranked = np.argsort(np.where(distances < 0, far, distances), axis=1, kind="stable")
    nearest = ranked[:, :count]
    valid = np.take_along_axis(distances, nearest, axis=1) >= 0
    copied = np.take_along_axis(alleles, nearest[:, :, None], axis=1) * valid[:, :, None]
    return (copied.sum(axis=1) / np.maximum(valid.sum(axis=1), 1)[:, None]).astype(np.float32)
