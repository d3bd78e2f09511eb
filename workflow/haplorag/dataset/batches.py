"""Turns windows, masks and neighbours into what a network sees, and the labels it never sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np
import torch
from torch import Tensor

from haplorag.dataset.chromosome import ChromosomeData, WindowItems
from haplorag.li_stephens.passes import TracedWindow, trace_window
from haplorag.network.batch import Batch, PanelPosterior
from haplorag.panel.frequencies import Frequencies
from haplorag.panel.masked_window import MaskedWindow
from haplorag.panel.ploidy import repeat_haploid
from haplorag.seeding import seed_of
from haplorag.settings import NetworkSettings

# What the model over the panel says in a window: of haplotypes int8 [Q, S], with haplotypes of
# interest int [Q, K] and owners int [Q], by so many typed sites a side; see `passes.trace_window`.
Tracer = Callable[[MaskedWindow, np.ndarray, np.ndarray, np.ndarray, int], TracedWindow]
# Windows whose items are in memory together, so that batches of different windows take turns.
WINDOWS_TOGETHER = 16


@dataclass(frozen=True)
class WindowBatch:
    """A batch of a fixed draw with the labels int8 [2n, L] of its core, and which it is: rows of
    mask and window, and of the people int32 [n] in the table of samples."""

    mask: int
    window: int
    people: np.ndarray
    batch: Batch
    labels: Tensor


@dataclass(frozen=True)
class Piece:
    """Items of one mask and window that will be a batch; `turn` and `rank` say when its turn is
    among the pieces of other windows."""

    turn: int
    rank: float
    chromosome: ChromosomeData
    read: WindowItems


def cut_batch(
    view: MaskedWindow,
    trace: Tracer,
    haplotypes: np.ndarray,
    ids: np.ndarray,
    owner: np.ndarray,
    frequencies: Frequencies,
    population: np.ndarray,
    reads: NetworkSettings,
) -> tuple[Batch, Tensor]:
    """Cut a window down to what a network reads: its core and the nearest typed flank sites, and
    what the model over the panel says where the network copies.

    `haplotypes` int8 [2n, S] over the view's sites, `ids` int32 [2n, K] reference haplotypes, best
    first (-1 pads), `owner` int [2n] the rank of each one's person among the reference people (-1
    for nobody), `population` int [n] rows of `frequencies`. Gives the batch and labels int8
    [2n, L], the haplotypes of the core. Where a person has one haplotype, the network is shown it
    twice, and the second has no label.
    """
    labels = haplotypes[:, slice(*view.core)]
    haplotypes = repeat_haploid(haplotypes)
    columns = view.choose_near(reads.flank_typed)
    start, stop = np.searchsorted(columns, view.core)
    sites = view.sites[columns]
    hidden = view.hidden[columns]
    ids = ids[:, : reads.neighbours]
    alleles = np.where(hidden, np.int8(-1), haplotypes[:, columns])
    references = view.shards.haplotypes(sites, np.maximum(ids, 0).ravel())
    by_haplotype = frequencies.by_population[:, view.core_sites][np.repeat(population, 2)]
    by_person = frequencies.genotypes[:, view.core_sites][population]
    batch = Batch(
        alleles=torch.from_numpy(alleles),
        references=torch.from_numpy(references.reshape(*ids.shape, len(columns))),
        reference_valid=torch.from_numpy(ids >= 0),
        hidden=torch.from_numpy(hidden),
        core=slice(int(start), int(stop)),
        centimorgan=torch.from_numpy(view.centimorgan[sites].astype(np.float32)),
        frequency=torch.from_numpy(frequencies.frequency[sites]),
        population_frequency=torch.from_numpy(by_haplotype),
        genotype_frequency=torch.from_numpy(by_person),
        mosaic=_trace_panel(view, trace, haplotypes, ids, owner, reads) if reads.copies else None,
    )
    return batch, torch.from_numpy(np.ascontiguousarray(labels))


def _trace_panel(
    view: MaskedWindow,
    trace: Tracer,
    haplotypes: np.ndarray,
    ids: np.ndarray,
    owner: np.ndarray,
    reads: NetworkSettings,
) -> PanelPosterior:
    """What the model over the whole panel says of the core of haplotypes int8 [2n, S]."""
    traced = trace(view, haplotypes, ids, owner, reads.panel_typed)
    centimorgan = traced.groups.average(view.centimorgan[view.core_sites]).astype(np.float32)
    return PanelPosterior(
        alternate=torch.from_numpy(traced.alternate),
        posterior=torch.from_numpy(traced.posterior),
        of_site=torch.from_numpy(traced.groups.of_site),
        first=torch.from_numpy(traced.groups.first[:-1].copy()),
        centimorgan=torch.from_numpy(centimorgan),
    )


def cut_items(
    chromosome: ChromosomeData, read: WindowItems, reads: NetworkSettings
) -> tuple[Batch, Tensor]:
    """Batch and labels int8 [2n, L] (true alleles, -1 where missing) of items that were read."""
    person = chromosome.retrieved.person[read.items]
    owner = np.repeat(chromosome.owner[person], 2)
    population = chromosome.population[person]
    view = chromosome.view(read.items, read.typed)
    model = chromosome.copying[chromosome.retrieved.mask[read.items[0]]]
    trace = partial(trace_window, chromosome.passes, model)
    frequencies = chromosome.frequencies
    return cut_batch(view, trace, read.haplotypes, read.ids, owner, frequencies, population, reads)


def iterate_shuffled(
    chromosomes: list[ChromosomeData],
    people: int,
    reads: NetworkSettings,
    seed: int,
    epoch: int,
    wanted: Callable[[int], bool] = lambda number: True,
) -> Iterator[tuple[Batch, Tensor] | None]:
    """Batches of an epoch, at most `people` people of one window each, windows taking turns.

    `wanted` says which of them, by number, are cut; None stands for the others. The order is a pure
    function of (seed, epoch); the items of `WINDOWS_TOGETHER` windows are in memory at a time.
    """
    generator = np.random.default_rng(seed_of(seed, "order", epoch))
    windows = [
        (chromosome, items) for chromosome in chromosomes for items in chromosome.retrieved.group()
    ]
    order = generator.permutation(len(windows))
    numbers = count()
    for first in range(0, len(order), WINDOWS_TOGETHER):
        pieces: list[Piece] = []
        for row in order[first : first + WINDOWS_TOGETHER]:
            chromosome, items = windows[row]
            pieces += _cut_pieces(chromosome, items, people, reads, generator)
        for piece in sorted(pieces, key=lambda piece: (piece.turn, piece.rank)):
            is_wanted = wanted(next(numbers))
            yield cut_items(piece.chromosome, piece.read, reads) if is_wanted else None


def _cut_pieces(
    chromosome: ChromosomeData,
    items: np.ndarray,
    people: int,
    reads: NetworkSettings,
    generator: np.random.Generator,
) -> list[Piece]:
    """Deal the items of a window, in random order, into pieces of at most `people` people."""
    read = chromosome.read(items, reads.reach)
    mixed = generator.permutation(len(items))
    rows = [np.sort(mixed[start : start + people]) for start in range(0, len(mixed), people)]
    ranks = generator.random(len(rows))
    return [
        Piece(turn, rank, chromosome, read.take(part))
        for turn, (rank, part) in enumerate(zip(ranks, rows, strict=True))
    ]


def iterate_in_order(
    chromosome: ChromosomeData, people: int, reads: NetworkSettings, limit: int | None = None
) -> Iterator[WindowBatch]:
    """All items of a draw in order, in batches of at most `people` people.

    `limit` is how many people count, the first of each mask and window; None for all.
    """
    retrieved = chromosome.retrieved
    with chromosome.reading() as read:
        for items in retrieved.group():
            counted = read(items[:limit], reads.reach)
            mask, window = int(retrieved.mask[items[0]]), int(retrieved.window[items[0]])
            for start in range(0, len(counted.items), people):
                stop = min(start + people, len(counted.items))
                part = counted.take(np.arange(start, stop))
                batch, labels = cut_items(chromosome, part, reads)
                yield WindowBatch(mask, window, retrieved.person[part.items], batch, labels)
