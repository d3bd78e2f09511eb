"""All of a chromosome's data that batches are cut from, opened for one draw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from haplorag.io.hdf5 import opening_arrays, read_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.panel.frequencies import Frequencies, read_frequencies
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.haplotypes import ShardSet, open_shards
from haplorag.panel.masked_window import MaskedWindow
from haplorag.panel.samples import rank_reference_samples, read_samples
from haplorag.panel.windows import WindowSet, read_windows
from haplorag.retrieval.neighbours import Neighbours


@dataclass(frozen=True)
class ChromosomeData:
    """All of a chromosome's data that batches are cut from; genotypes are read window by window."""

    genotypes: Path
    windows: WindowSet
    shards: ShardSet
    frequencies: Frequencies
    population: np.ndarray
    owner: np.ndarray
    names: list[str]
    hidden: np.ndarray
    retrieved: Neighbours
    sources: str

    def read(self, items: np.ndarray) -> np.ndarray:
        """Haplotypes int8 [2n, C] of items that share a window, over its context."""
        sites = self.windows.context(self.retrieved.window[items[0]])
        with opening_arrays(self.genotypes, "genotypes") as file:
            return read_haplotypes(file, sites, self.retrieved.person[items])

    def view(self, items: np.ndarray) -> MaskedWindow:
        """What is in sight of items that share mask and window."""
        mask, window = self.retrieved.mask[items[0]], self.retrieved.window[items[0]]
        sites, core = self.windows.context(window), self.windows.core_columns(window)
        return MaskedWindow(
            sites, core, self.hidden[mask][sites], self.windows.centimorgan, self.shards
        )


def open_chromosomes(
    samples: Path,
    genotypes: list[Path],
    frequencies: list[Path],
    windows: list[Path],
    shards: list[Path],
    masks: list[Path],
    neighbours: list[Path],
) -> list[ChromosomeData]:
    """Open chromosomes for one draw; each list has one path a chromosome, those of `shards` are folders."""
    return [
        open_chromosome(samples, *paths)
        for paths in zip(genotypes, frequencies, windows, shards, masks, neighbours, strict=True)
    ]


def open_chromosome(
    samples: Path,
    genotypes: Path,
    frequencies: Path,
    windows: Path,
    shards: Path,
    masks: Path,
    neighbours: Path,
) -> ChromosomeData:
    """Open a chromosome for one draw. `shards` is its folder. Raises InputError where the files come from two runs."""
    stages = "samples", "genotypes", "frequencies", "windows", "shards", "masks", "neighbours"
    paths = samples, genotypes, frequencies, windows, shards, masks, neighbours
    sources = describe_provenance(*zip(stages, paths, strict=True))
    people = read_samples(samples)
    known = read_frequencies(frequencies)
    drawn = read_arrays(masks, "masks")
    found = read_arrays(neighbours, "neighbours", "mask", "window", "person")
    return ChromosomeData(
        genotypes,
        read_windows(windows),
        open_shards(shards),
        known,
        known.rank(people["super_population"]),
        rank_reference_samples(people),
        drawn["names"].tolist(),
        drawn["hidden"],
        Neighbours(neighbours, **found),
        sources,
    )
