"""Windows and their packed reference haplotypes as other steps read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from haplorag import store
from haplorag.retrieval import read_shard, unpack


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


@dataclass(frozen=True)
class ShardSet:
    """Packed reference haplotypes of all windows of a chromosome, read and verified one window at a time."""

    folder: Path
    reference_haplotypes: int
    entries: list[dict]

    def haplotypes(self, window: int) -> np.ndarray:
        """Reference haplotypes of a window, 0/1 uint8 [N, C]."""
        entry = self.entries[window]
        return unpack(read_shard(self.folder / entry["file"], entry["sha256"]), entry["sites"])


def read_windows(path: Path) -> WindowSet:
    """Read a chromosome's windows."""
    arrays = store.read_arrays(path, "windows")
    return WindowSet(arrays["core"], arrays["context"], arrays["offset"], arrays["centimorgan"])


def open_shards(folder: Path) -> ShardSet:
    """Open a chromosome's shards, as their table of contents (shards.json) lists them."""
    facts = store.read_facts(folder / "shards.json", "shards")
    return ShardSet(folder, facts["reference_haplotypes"], facts["windows"])
