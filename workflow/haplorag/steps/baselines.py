"""Writes what plainer methods say at the hidden sites of the test people.

They reach from the allele frequency to Li and Stephens' model.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from haplorag.dataset.chromosome import ChromosomeData, open_chromosomes
from haplorag.dataset.files import DrawFiles, PanelFiles
from haplorag.evaluation.baselines import copy_nearest
from haplorag.evaluation.predictions import create_predictions, create_shares
from haplorag.imputation.mixing import learn_mixture
from haplorag.io.hdf5 import creating_arrays
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.model import impute_sites
from haplorag.li_stephens.passes import CorePasses
from haplorag.li_stephens.segments import cut_segments
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.pipeline.logs import show_progress
from haplorag.seeding import seed_of
from haplorag.settings import MixtureSettings

log = logging.getLogger(__name__)
METHODS = ["allele_frequency", "nearest_haplotype", "neighbour_vote", "li_stephens"]


def baselines(
    output: Path,
    *,
    vote_neighbours: int,
    batch_people: int,
    panel: PanelFiles,
    draw: DrawFiles,
    mixing: MixtureSettings,
    name: str,
    seed: int,
    threads: int = 1,
) -> None:
    """Write probability of ALT float16 [method, mask, person, site, 2], NaN where none is hidden.

    The allele frequency is that of the reference; the nearest haplotype is the retrieved one with
    fewest mismatches over the window's typed sites; the vote is the mean over the nearest
    `vote_neighbours`; Li and Stephens' model copies from the whole reference along the chromosome,
    as an imputation without a network does, its settings weighed as `mixing` says. Beside them,
    `carriers` float16 [mask, person, site, 2] is the share of all neighbours that carry ALT.
    `panel` and `draw` have the files of one chromosome, the one of that name.
    """
    (chromosome,) = open_chromosomes(panel, draw)
    people = np.unique(chromosome.retrieved.person)
    shape = (len(METHODS), len(chromosome.names), len(people), chromosome.hidden.shape[1], 2)
    with creating_arrays(output, "predictions", sources=chromosome.sources) as file:
        create_predictions(file, METHODS, chromosome.names, people, shape)
        create_shares(file, "carriers", shape[1:])
        for items in show_progress(chromosome.retrieved.group(), "windows"):
            _write_window(file, chromosome, items, vote_neighbours)
        own_seed = seed_of(seed, "mixture", name)
        batches = -(-len(people) // batch_people)
        pieces = _copy_from_panel(
            chromosome, people, batch_people, mixing, own_seed, count_threads(threads)
        )
        count = batches * len(chromosome.names)
        for mask, some, found in show_progress(pieces, "people", count):
            file["probability"][METHODS.index("li_stephens"), mask, some] = found
    log.info("%d people, %d masks, %s", len(people), shape[1], ", ".join(METHODS))


def _copy_from_panel(
    chromosome: ChromosomeData,
    people: np.ndarray,
    batch_people: int,
    mixing: MixtureSettings,
    seed: int,
    threads: int,
) -> Iterator[tuple[int, slice, np.ndarray]]:
    """Li and Stephens' probability of ALT, some people at a time: the number of a mask, which of
    the people, and float32 [n, site, 2], NaN where not hidden."""
    shards, positions = chromosome.shards, chromosome.windows.centimorgan
    passes = CorePasses(threads)
    for mask, hidden in enumerate(chromosome.hidden):
        typed, core = np.flatnonzero(~hidden), np.flatnonzero(hidden)
        model = chromosome.copying[mask]
        model, mixture = learn_mixture(shards, typed, positions, model, mixing, seed, passes)
        panel = cut_segments(shards, typed, core, model.distance)
        for start in range(0, len(people), batch_people):
            some = slice(start, start + batch_people)
            # Test people are not in the panel.
            nobody = np.full(2 * len(people[some]), -1)
            queries = Queries(chromosome.read_sites(people[some], typed), nobody)
            found = np.full((len(nobody), len(hidden)), np.nan, dtype=np.float32)
            found[:, core] = impute_sites(queries, panel, model, threads, mixture)
            yield mask, some, found.reshape(-1, 2, len(hidden)).swapaxes(1, 2)


def _write_window(
    file: h5py.File,
    chromosome: ChromosomeData,
    items: np.ndarray,
    vote_neighbours: int,
) -> None:
    """Write what the plainest methods say of items that share mask and window: all test people."""
    mask = chromosome.retrieved.mask[items[0]]
    core = slice(*chromosome.windows.cores[chromosome.retrieved.window[items[0]]])
    alleles = _read_neighbour_alleles(chromosome, items)
    distances = chromosome.retrieved.read("distances", items)
    typed = ~chromosome.hidden[mask][core]
    probability = np.empty((3, len(alleles), alleles.shape[2]), dtype=np.float32)
    probability[0] = chromosome.frequencies.frequency[core]
    probability[1] = copy_nearest(alleles, distances, 1)
    probability[2] = copy_nearest(alleles, distances, vote_neighbours)
    probability[:, :, typed] = np.nan
    carriers = alleles.mean(axis=1, dtype=np.float32)
    carriers[:, typed] = np.nan
    by_person = probability.reshape(len(probability), len(items), 2, -1)
    file["probability"][: len(probability), mask, :, core] = by_person.swapaxes(2, 3)
    file["carriers"][mask, :, core] = carriers.reshape(len(items), 2, -1).swapaxes(1, 2)


def _read_neighbour_alleles(chromosome: ChromosomeData, items: np.ndarray) -> np.ndarray:
    """Alleles of the retrieved haplotypes over the core, 0/1 [2n, K, core].

    Where there is no neighbour, those of the first reference haplotype stand for it.
    """
    ids = chromosome.retrieved.read("ids", items)
    core = chromosome.view(items, 0).core_sites
    alleles = chromosome.shards.haplotypes(core, np.maximum(ids, 0).ravel())
    return alleles.reshape(*ids.shape, -1)


if __name__ == "__main__":
    run_step(baselines)
