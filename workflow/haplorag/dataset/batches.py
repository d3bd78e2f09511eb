"""Turns windows, masks and neighbours into what a network sees, and the labels it never sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from haplorag.io import hdf5 as store
from haplorag.panel.frequencies import Frequencies, read_frequencies
from haplorag.io.provenance import describe_family
from haplorag.masking import choose_typed, group_items, seed_of
from haplorag.network.batch import Batch, Mosaic
from haplorag.panel.samples import rank_reference, read_samples
from haplorag.settings import Network
from haplorag.li_stephens.model import trace_view
from haplorag.panel.windows import ShardSet, View, WindowSet, open_shards, read_windows

# Windows whose items are in memory together, so that batches of different windows take turns.
WINDOWS_TOGETHER = 16


@dataclass(frozen=True)
class Retrieved:
    """What a draw retrieved: mask, window and person int32 [n] of each item. Its neighbours stay in the file."""

    path: Path
    mask: np.ndarray
    window: np.ndarray
    person: np.ndarray

    def group(self) -> list[np.ndarray]:
        """Items of each (mask, window), in that order."""
        return group_items(self.mask, self.window)

    def read(self, name: str, items: np.ndarray) -> np.ndarray:
        """`ids` or `distances` int32 [2n, K] of sorted items that share mask and window."""
        with store.opening_arrays(self.path, "neighbours") as file:
            return store.read_rows(file, name, items).reshape(2 * len(items), -1)


@dataclass(frozen=True)
class Chromosome:
    """All of a chromosome's data that batches are cut from; genotypes are read window by window."""

    genotypes: Path
    windows: WindowSet
    shards: ShardSet
    frequencies: Frequencies
    population: np.ndarray
    owner: np.ndarray
    names: list[str]
    hidden: np.ndarray
    retrieved: Retrieved
    sources: str

    def read(self, items: np.ndarray) -> np.ndarray:
        """Haplotypes int8 [2n, C] of items that share a window, over its context."""
        sites = self.windows.context(self.retrieved.window[items[0]])
        with store.opening_arrays(self.genotypes, "genotypes") as file:
            return store.read_calls(file, sites, self.retrieved.person[items])

    def view(self, items: np.ndarray) -> View:
        """What is in sight of items that share mask and window."""
        mask, window = self.retrieved.mask[items[0]], self.retrieved.window[items[0]]
        sites, core = self.windows.context(window), self.windows.core_columns(window)
        return View(sites, core, self.hidden[mask][sites], self.windows.centimorgan, self.shards)

    def cut(self, items: np.ndarray, haplotypes: np.ndarray, reads: Network) -> tuple[Batch, Tensor]:
        """Batch and labels int8 [2n, L] (true alleles, -1 where missing) of items that share mask and window, once read."""
        person = self.retrieved.person[items]
        ids, owner = self.retrieved.read("ids", items), np.repeat(self.owner[person], 2)
        return cut_batch(self.view(items), haplotypes, ids, owner, self.frequencies, self.population[person], reads)


def cut_batch(
    view: View,
    haplotypes: np.ndarray,
    ids: np.ndarray,
    owner: np.ndarray,
    frequencies: Frequencies,
    population: np.ndarray,
    reads: Network,
) -> tuple[Batch, Tensor]:
    """Cut a window down to what a network reads: its core and the nearest typed flank sites, and the mosaic where it copies.

    `haplotypes` int8 [2n, S] over the view's sites, `ids` int32 [2n, K] reference haplotypes, best first (-1 pads), `owner`
    int [2n] the rank of each one's person among the reference people (-1 for nobody), `population` int [n] rows of
    `frequencies`. Gives the batch and labels int8 [2n, L], the haplotypes of the core.
    """
    sites, core, hidden = view.sites, view.core, view.hidden
    typed, _ = choose_typed(hidden, core, reads.flank_typed)
    ids = ids[:, : reads.neighbours]
    columns = np.union1d(typed, np.arange(*core))
    start, stop = np.searchsorted(columns, core)
    at_core = view.core_sites
    alleles = np.where(hidden[columns], np.int8(-1), haplotypes[:, columns])
    references = view.shards.haplotypes(sites[columns], np.maximum(ids, 0).ravel())
    by_haplotype = frequencies.by_population[np.repeat(population, 2)][:, at_core]
    batch = Batch(
        alleles=torch.from_numpy(alleles),
        references=torch.from_numpy(references.reshape(*ids.shape, len(columns))),
        reference_valid=torch.from_numpy(ids >= 0),
        hidden=torch.from_numpy(hidden[columns]),
        core=slice(int(start), int(stop)),
        centimorgan=torch.from_numpy(view.centimorgan[sites[columns]].astype(np.float32)),
        frequency=torch.from_numpy(frequencies.frequency[sites[columns]]),
        population_frequency=torch.from_numpy(by_haplotype),
        genotype_frequency=torch.from_numpy(frequencies.genotypes[population][:, at_core]),
    )
    if reads.copies:
        traced = trace_view(view, haplotypes, ids, owner, reads.panel_typed, torch.get_num_threads())
        batch.mosaic = Mosaic(
            alternate=torch.from_numpy(traced.alternate),
            posterior=torch.from_numpy(traced.posterior),
            of_site=torch.from_numpy(traced.places.of_site),
            first=torch.from_numpy(traced.places.first[:-1]),
            centimorgan=torch.from_numpy(traced.places.centimorgan.astype(np.float32)),
        )
    return batch, torch.from_numpy(np.ascontiguousarray(haplotypes[:, core[0] : core[1]]))


def open_chromosomes(
    samples: Path,
    genotypes: list[Path],
    frequencies: list[Path],
    windows: list[Path],
    shards: list[Path],
    masks: list[Path],
    neighbours: list[Path],
) -> list[Chromosome]:
    """Open chromosomes for one draw; each list has one path a chromosome, those of `shards` are folders."""
    return [
        open_chromosome(samples, *paths)
        for paths in zip(genotypes, frequencies, windows, shards, masks, neighbours, strict=True)
    ]


def open_chromosome(
    samples: Path, genotypes: Path, frequencies: Path, windows: Path, shards: Path, masks: Path, neighbours: Path
) -> Chromosome:
    """Open a chromosome for one draw. `shards` is its folder. Raises InputError where the files come from two runs."""
    stages = "samples", "genotypes", "frequencies", "windows", "shards", "masks", "neighbours"
    paths = samples, genotypes, frequencies, windows, shards, masks, neighbours
    sources = describe_family(*zip(stages, paths, strict=True))
    people = read_samples(samples)
    known = read_frequencies(frequencies)
    drawn = store.read_arrays(masks, "masks")
    found = store.read_arrays(neighbours, "neighbours", "mask", "window", "person")
    return Chromosome(
        genotypes,
        read_windows(windows),
        open_shards(shards),
        known,
        known.rank(people["super_population"]),
        rank_reference(people),
        drawn["names"].tolist(),
        drawn["hidden"],
        Retrieved(neighbours, **found),
        sources,
    )


def take_turns(
    chromosomes: list[Chromosome],
    people: int,
    reads: Network,
    seed: int,
    epoch: int,
    wanted: Callable[[int], bool] = lambda number: True,
) -> Iterator[tuple[Batch, Tensor] | None]:
    """Batches of an epoch, at most `people` people of one window each, windows taking turns.

    `wanted` says which of them, by number, are cut; None stands for the others. The order is a pure function of (seed,
    epoch); the items of `WINDOWS_TOGETHER` windows are in memory at a time.
    """
    generator = np.random.default_rng(seed_of(seed, "order", epoch))
    groups = [(chromosome, items) for chromosome in chromosomes for items in chromosome.retrieved.group()]
    order, cut_so_far = generator.permutation(len(groups)), count()
    for first in range(0, len(order), WINDOWS_TOGETHER):
        parts = []
        for number in order[first : first + WINDOWS_TOGETHER]:
            chromosome, items = groups[number]
            haplotypes = chromosome.read(items).reshape(len(items), 2, -1)
            mixed = generator.permutation(len(items))
            pieces = [np.sort(mixed[cut : cut + people]) for cut in range(0, len(mixed), people)]
            ranks = generator.random(len(pieces))
            for turn, (rank, piece) in enumerate(zip(ranks, pieces, strict=True)):
                parts.append((turn, rank, chromosome, items[piece], haplotypes[piece].reshape(2 * len(piece), -1)))
        for _, _, chromosome, piece, haplotypes in sorted(parts, key=lambda part: part[:2]):
            yield chromosome.cut(piece, haplotypes, reads) if wanted(next(cut_so_far)) else None


def in_order(
    chromosome: Chromosome, people: int, reads: Network, limit: int | None = None
) -> Iterator[tuple[int, int, np.ndarray, Batch, Tensor]]:
    """All items of a draw in order: mask, window, persons, batch and labels of at most `people` people at a time.

    `limit` is how many people count, the first of each window; None for all.
    """
    for items in chromosome.retrieved.group():
        counted = items[:limit]
        haplotypes = chromosome.read(counted)
        for cut in range(0, len(counted), people):
            piece = counted[cut : cut + people]
            mask, window = chromosome.retrieved.mask[piece[0]], chromosome.retrieved.window[piece[0]]
            batch, labels = chromosome.cut(piece, haplotypes[2 * cut : 2 * (cut + people)], reads)
            yield int(mask), int(window), chromosome.retrieved.person[piece], batch, labels
