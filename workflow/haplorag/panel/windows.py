"""Windows and their packed reference haplotypes as other steps read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from haplorag.io import hdf5 as store
from haplorag.retrieval.search import read_shard, unpack, unpack_by_site


@dataclass(frozen=True)
class WindowSet:
    """All windows of a chromosome: cores int32 [W, 2] of sites, the sites each window sees, genetic positions in cM."""

    cores: np.ndarray
    sites: np.ndarray
    offset: np.ndarray
    centimorgan: np.ndarray

    def __len__(self) -> int:
        return len(self.cores)

    def context(self, window: int) -> np.ndarray:
        """Sorted sites that a window sees, int32 [C]."""
        return self.sites[self.offset[window] : self.offset[window + 1]]

    def core_columns(self, window: int) -> tuple[int, int]:
        """Half-open range of the window's core within its context."""
        start, stop = np.searchsorted(self.context(window), self.cores[window])
        return int(start), int(stop)


@dataclass(frozen=True, eq=False)
class ShardSet:
    """Packed reference haplotypes of a chromosome, one shard for the core of each window, read and verified when needed."""

    folder: Path
    reference_haplotypes: int
    entries: list[dict]

    @cached_property
    def first(self) -> np.ndarray:
        """First site of each shard, int64 [W]."""
        return np.array([entry["first"] for entry in self.entries])

    def haplotypes(self, sites: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Reference haplotypes (all if `rows` is None) at sorted sites, 0/1 uint8 [n, S]."""
        parts = [np.empty((self.reference_haplotypes if rows is None else len(rows), 0), dtype=np.uint8)]
        parts += [unpack(packed if rows is None else packed[rows], columns) for packed, columns in self._packed(sites)]
        return np.concatenate(parts, axis=1)

    def by_site(self, sites: np.ndarray) -> np.ndarray:
        """All reference haplotypes at sorted sites, 0/1 uint8 [S, N]."""
        parts = [np.empty((0, self.reference_haplotypes), dtype=np.uint8)]
        return np.concatenate(parts + [unpack_by_site(packed, columns) for packed, columns in self._packed(sites)])

    def _packed(self, sites: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Shards that hold the sites, and which of their columns these are."""
        shard = np.searchsorted(self.first, sites, side="right") - 1
        for number in np.unique(shard):
            entry = self.entries[number]
            yield read_shard(self.folder / entry["file"], entry["sha256"]), sites[shard == number] - self.first[number]


@dataclass(frozen=True)
class View:
    """A stretch of windows under one mask, without people: sorted sites int32 [S] in sight, the half-open range of core columns
    among them, which are hidden bool [S], genetic positions in cM of all the chromosome's sites, and the reference there."""

    sites: np.ndarray
    core: tuple[int, int]
    hidden: np.ndarray
    centimorgan: np.ndarray
    shards: ShardSet

    @property
    def core_sites(self) -> np.ndarray:
        """Sites of the core, int32 [L]."""
        return self.sites[slice(*self.core)]


def read_windows(path: Path) -> WindowSet:
    """Read a chromosome's windows."""
    arrays = store.read_arrays(path, "windows")
    return WindowSet(arrays["core"], arrays["context"], arrays["offset"], arrays["centimorgan"])


def open_shards(folder: Path) -> ShardSet:
    """Open a chromosome's shards, as their table of contents (shards.json) lists them."""
    facts = store.read_facts(folder / "shards.json", "shards")
    return ShardSet(folder, facts["reference_haplotypes"], facts["windows"])
