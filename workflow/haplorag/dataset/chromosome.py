"""All of a chromosome's data that batches are cut from, opened for one draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from haplorag.dataset.files import DrawFiles, PanelFiles
from haplorag.io.hdf5 import opening_arrays, read_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.li_stephens.model_store import match_models, read_models
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.passes import CorePasses, Passes
from haplorag.panel.frequencies import Frequencies, read_frequencies
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.haplotypes import ShardSet, open_shards
from haplorag.panel.masked_window import MaskedWindow, mask_window
from haplorag.panel.samples import rank_reference_samples, read_samples
from haplorag.panel.windows import WindowSet, read_windows
from haplorag.retrieval.neighbours import Neighbours, read_items

ONE_CORE = CorePasses(1)
# In the order in which `open_chromosome` takes their files.
STAGES = (
    "samples", "genotypes", "frequencies", "windows", "shards", "masks", "neighbours", "rates",
)  # fmt: skip


@dataclass(frozen=True)
class WindowItems:
    """Sorted items int64 [n] that share mask and window, with what is read of them.

    `haplotypes` int8 [2n, S] are theirs at the core and `typed` typed sites a side, `ids` int32
    [2n, K] the reference haplotypes retrieved for each.
    """

    items: np.ndarray
    typed: int
    haplotypes: np.ndarray
    ids: np.ndarray

    def take(self, rows: np.ndarray) -> WindowItems:
        """Some of the items, by their place, int64 [m]."""
        both = (2 * rows[:, None] + np.arange(2)).ravel()
        return WindowItems(self.items[rows], self.typed, self.haplotypes[both], self.ids[both])


@dataclass(frozen=True)
class ChromosomeData:
    """All of a chromosome's data that batches are cut from; genotypes are read window by window.

    `population` int [person] are rows of `frequencies`, `owner` int32 [person] ranks among the
    reference people (-1 for nobody), `names` those of the masks, `hidden` bool [mask, site],
    `copying` how haplotypes copy under each mask, `sources` what the files were made from, as
    text, and `passes` what follows haplotypes through the panel.
    """

    genotypes: Path
    windows: WindowSet
    shards: ShardSet
    frequencies: Frequencies
    population: np.ndarray
    owner: np.ndarray
    names: list[str]
    hidden: np.ndarray
    copying: list[CopyingModel]
    retrieved: Neighbours
    sources: str
    passes: Passes = ONE_CORE

    @contextmanager
    def reading(self) -> Iterator[Callable[[np.ndarray, int], WindowItems]]:
        """Give what reads sorted items that share mask and window, and as many typed sites a side
        of its core. Windows beside each other are read in less time while it is open.
        """
        with (
            opening_arrays(self.genotypes, "genotypes") as genotypes,
            opening_arrays(self.retrieved.path, "neighbours") as neighbours,
        ):

            def read(items: np.ndarray, typed: int) -> WindowItems:
                people = self.retrieved.person[items]
                haplotypes = read_haplotypes(genotypes, self.view(items, typed).sites, people)
                ids = read_items(neighbours, "ids", items)
                return WindowItems(items, typed, haplotypes, ids)

            yield read

    def read(self, items: np.ndarray, typed: int) -> WindowItems:
        """Read items that share mask and window, and as many typed sites a side of its core."""
        with self.reading() as read:
            return read(items, typed)

    def read_sites(self, people: np.ndarray, sites: np.ndarray) -> np.ndarray:
        """Haplotypes int8 [2n, C] of people, by their rows, at sorted sites."""
        if not len(sites):
            return np.empty((2 * len(people), 0), dtype=np.int8)
        with opening_arrays(self.genotypes, "genotypes") as file:
            return read_haplotypes(file, sites, people)

    def view(self, items: np.ndarray, typed: int) -> MaskedWindow:
        """The core that items share, under their mask, and so many typed sites a side of it."""
        mask = self.retrieved.mask[items[0]]
        window = self.retrieved.window[items[0]]
        return mask_window(self.windows, self.shards, window, self.hidden[mask]).narrow(typed)


def open_chromosomes(
    panel: PanelFiles, draw: DrawFiles, passes: Passes | None = None
) -> list[ChromosomeData]:
    """Open chromosomes for one draw. Without `passes` one of the processor's cores follows
    haplotypes.

    Raises InputError where the files of a chromosome come from two runs.
    """
    by_stage = panel.genotypes, panel.frequencies, panel.windows, panel.shards
    by_chromosome = zip(*by_stage, draw.masks, draw.neighbours, draw.rates, strict=True)
    opened = [open_chromosome(panel.samples, *paths) for paths in by_chromosome]
    return [replace(one, passes=passes) for one in opened] if passes else opened


def open_chromosome(
    samples: Path,
    genotypes: Path,
    frequencies: Path,
    windows: Path,
    shards: Path,
    masks: Path,
    neighbours: Path,
    rates: Path,
) -> ChromosomeData:
    """Open a chromosome for one draw. `shards` is its folder.

    Raises InputError where the files come from two runs.
    """
    paths = samples, genotypes, frequencies, windows, shards, masks, neighbours, rates
    sources = describe_provenance(*zip(STAGES, paths, strict=True))
    people = read_samples(samples)
    counted = read_frequencies(frequencies)
    mask_arrays = read_arrays(masks, "masks")
    items = read_arrays(neighbours, "neighbours", "mask", "window", "person")
    return ChromosomeData(
        genotypes=genotypes,
        windows=read_windows(windows),
        shards=open_shards(shards),
        frequencies=counted,
        population=counted.rank(people["super_population"]),
        owner=rank_reference_samples(people),
        names=mask_arrays["names"].tolist(),
        hidden=mask_arrays["hidden"],
        copying=match_models(read_models(rates), mask_arrays["names"].tolist()),
        retrieved=Neighbours(neighbours, **items),
        sources=sources,
    )
