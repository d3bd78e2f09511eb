"""Turns windows, masks and neighbours into what a network sees, and the labels it never sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import torch
from torch import Tensor

from haplorag.dataset.chromosome import ChromosomeData
from haplorag.li_stephens.model import trace_window
from haplorag.network.batch import Batch, PanelPosterior
from haplorag.panel.frequencies import Frequencies
from haplorag.panel.masked_window import MaskedWindow, choose_typed_columns
from haplorag.seeding import seed_of
from haplorag.settings import NetworkSettings

# Windows whose items are in memory together, so that batches of different windows take turns.
WINDOWS_TOGETHER = 16


def cut_batch(
    view: MaskedWindow,
    haplotypes: np.ndarray,
    ids: np.ndarray,
    owner: np.ndarray,
    frequencies: Frequencies,
    population: np.ndarray,
    reads: NetworkSettings,
) -> tuple[Batch, Tensor]:
    """Cut a window down to what a network reads: its core and the nearest typed flank sites, and the mosaic where it copies.

    `haplotypes` int8 [2n, S] over the view's sites, `ids` int32 [2n, K] reference haplotypes, best first (-1 pads), `owner`
    int [2n] the rank of each one's person among the reference people (-1 for nobody), `population` int [n] rows of
    `frequencies`. Gives the batch and labels int8 [2n, L], the haplotypes of the core.
    """
    sites, core, hidden = view.sites, view.core, view.hidden
    typed, _ = choose_typed_columns(hidden, core, reads.flank_typed)
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
        traced = trace_window(
            view, haplotypes, ids, owner, reads.panel_typed, torch.get_num_threads()
        )
        batch.mosaic = PanelPosterior(
            alternate=torch.from_numpy(traced.alternate),
            posterior=torch.from_numpy(traced.posterior),
            of_site=torch.from_numpy(traced.groups.of_site),
            first=torch.from_numpy(traced.groups.first[:-1]),
            centimorgan=torch.from_numpy(traced.groups.centimorgan.astype(np.float32)),
        )
    return batch, torch.from_numpy(np.ascontiguousarray(haplotypes[:, core[0] : core[1]]))


def cut_items(
    chromosome: ChromosomeData, items: np.ndarray, haplotypes: np.ndarray, reads: NetworkSettings
) -> tuple[Batch, Tensor]:
    """Batch and labels int8 [2n, L] (true alleles, -1 where missing) of items that share mask and window, once read."""
    person = chromosome.retrieved.person[items]
    ids, owner = chromosome.retrieved.read("ids", items), np.repeat(chromosome.owner[person], 2)
    population = chromosome.population[person]
    return cut_batch(
        chromosome.view(items), haplotypes, ids, owner, chromosome.frequencies, population, reads
    )


def iterate_shuffled(
    chromosomes: list[ChromosomeData],
    people: int,
    reads: NetworkSettings,
    seed: int,
    epoch: int,
    wanted: Callable[[int], bool] = lambda number: True,
) -> Iterator[tuple[Batch, Tensor] | None]:
    """Batches of an epoch, at most `people` people of one window each, windows taking turns.

    `wanted` says which of them, by number, are cut; None stands for the others. The order is a pure function of (seed,
    epoch); the items of `WINDOWS_TOGETHER` windows are in memory at a time.
    """
    generator = np.random.default_rng(seed_of(seed, "order", epoch))
    groups = [
        (chromosome, items) for chromosome in chromosomes for items in chromosome.retrieved.group()
    ]
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
                parts.append(
                    (
                        turn,
                        rank,
                        chromosome,
                        items[piece],
                        haplotypes[piece].reshape(2 * len(piece), -1),
                    )
                )
        for _, _, chromosome, piece, haplotypes in sorted(parts, key=lambda part: part[:2]):
            yield (
                cut_items(chromosome, piece, haplotypes, reads)
                if wanted(next(cut_so_far))
                else None
            )


def iterate_in_order(
    chromosome: ChromosomeData, people: int, reads: NetworkSettings, limit: int | None = None
) -> Iterator[tuple[int, int, np.ndarray, Batch, Tensor]]:
    """All items of a draw in order: mask, window, persons, batch and labels of at most `people` people at a time.

    `limit` is how many people count, the first of each window; None for all.
    """
    for items in chromosome.retrieved.group():
        counted = items[:limit]
        haplotypes = chromosome.read(counted)
        for cut in range(0, len(counted), people):
            piece = counted[cut : cut + people]
            mask, window = (
                chromosome.retrieved.mask[piece[0]],
                chromosome.retrieved.window[piece[0]],
            )
            batch, labels = cut_items(
                chromosome, piece, haplotypes[2 * cut : 2 * (cut + people)], reads
            )
            yield int(mask), int(window), chromosome.retrieved.person[piece], batch, labels
