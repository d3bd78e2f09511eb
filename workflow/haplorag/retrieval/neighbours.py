"""What a draw retrieves: its items, and the file of their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from haplorag.io.hdf5 import COMPRESSION, opening_arrays, put_array, read_rows
from haplorag.seeding import seed_of
from haplorag.settings import Curriculum, NeighbourSettings


@dataclass(frozen=True)
class Neighbours:
    """What a draw retrieved: mask, window and person int32 [n] of each item. Its neighbours stay in
    the file.
    """

    path: Path
    mask: np.ndarray
    window: np.ndarray
    person: np.ndarray

    def group(self) -> list[np.ndarray]:
        """Items of each (mask, window), in that order."""
        return group_items(self.mask, self.window)

    def read(self, name: str, items: np.ndarray) -> np.ndarray:
        """`ids` or `distances` int32 [2n, K] of sorted items that share mask and window."""
        with opening_arrays(self.path, "neighbours") as file:
            return read_items(file, name, items)


def read_items(file: h5py.File, name: str, items: np.ndarray) -> np.ndarray:
    """Read `ids` or `distances` int32 [2n, K] of sorted items that share mask and window from an
    open file of neighbours.
    """
    return read_rows(file, name, items).reshape(2 * len(items), -1)


def create_neighbours(
    file: h5py.File, mask: np.ndarray, window: np.ndarray, person: np.ndarray, count: int
) -> None:
    """Write a draw's items, int32 [n] each, and lay out their neighbours: ids and distances int32
    [n, 2, K], to fill in.
    """
    for name, values in (("mask", mask), ("window", window), ("person", person)):
        put_array(file, name, values)
    chunk = max(1, min(len(person), 2**15 // count)), 2, count
    for name in ("ids", "distances"):
        file.create_dataset(
            name,
            (len(person), 2, count),
            np.int32,
            chunks=chunk,
            maxshape=(None, 2, count),
            **COMPRESSION,
        )


def choose_items(
    curriculum: Curriculum,
    people: np.ndarray,
    windows: int,
    settings: NeighbourSettings,
    seed: int,
    *names: object,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose what an epoch trains on: for all windows, or about `settings.windows` of more, one
    mask of the mixture and some people each.

    `people` int [n] are the people to choose from; gives mask, window and person, int32 [items]
    each, sorted in that order.
    """
    weights = np.array([mask.weight for mask in curriculum.mixture.values()])
    share = settings.windows / max(windows, 1)
    items = [np.zeros((3, 0), dtype=np.int32)]
    for window in range(windows):
        generator = np.random.default_rng(seed_of(seed, *names, window))
        taken = generator.random() < share
        mask = generator.choice(len(weights), p=weights / weights.sum())
        chosen = generator.choice(
            people, min(settings.people_per_window, len(people)), replace=False
        )
        if taken:
            items.append(
                np.stack([np.full(len(chosen), mask), np.full(len(chosen), window), chosen]).astype(
                    np.int32
                )
            )
    mask, window, person = np.concatenate(items, axis=1)
    order = np.lexsort((person, window, mask))
    return mask[order], window[order], person[order]


def group_items(mask: np.ndarray, window: np.ndarray) -> list[np.ndarray]:
    """Rows of the items of each (mask, window), given those of sorted items, int32 [n] each."""
    cuts = np.flatnonzero((np.diff(mask) != 0) | (np.diff(window) != 0)) + 1
    return [part for part in np.split(np.arange(len(mask)), cuts) if len(part)]
