"""Writes what plainer methods say at the hidden sites of the test people, from the frequency to Li and Stephens' model."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from haplorag.dataset.chromosome import open_chromosome
from haplorag.evaluation.baselines import copy_nearest
from haplorag.evaluation.predictions import create_predictions, create_shares
from haplorag.io.hdf5 import creating_arrays
from haplorag.li_stephens.model import trace_window
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.pipeline.logs import show_progress

log = logging.getLogger(__name__)
METHODS = ["allele_frequency", "nearest_haplotype", "neighbour_vote", "li_stephens"]


def baselines(
    genotypes: Path,
    samples: Path,
    frequencies: Path,
    windows: Path,
    masks: Path,
    neighbours: Path,
    shards: Path,
    output: Path,
    *,
    vote_neighbours: int,
    panel_typed: int,
    threads: int = 1,
) -> None:
    """Write probability of ALT float16 [method, mask, person, site, 2] for the methods named; NaN where nothing is hidden.

    The allele frequency is that of the reference; the nearest haplotype is the retrieved one with fewest mismatches over
    the window's typed sites; the vote is the mean over the nearest `vote_neighbours`; Li and Stephens' model copies from the
    whole reference. Beside them, `carriers` float16 [mask, person, site, 2] is the share of all neighbours that carry ALT.
    """
    chromosome = open_chromosome(
        samples, genotypes, frequencies, windows, shards, masks, neighbours
    )
    frequency, found = chromosome.frequencies.frequency, chromosome.retrieved
    people = np.unique(found.person)
    shape = (len(METHODS), len(chromosome.names), len(people), len(frequency), 2)
    with creating_arrays(output, "predictions", sources=chromosome.sources) as file:
        create_predictions(file, METHODS, chromosome.names, people, shape)
        create_shares(file, "carriers", shape[1:])
        for items in show_progress(found.group(), "windows"):
            mask, window = found.mask[items[0]], found.window[items[0]]
            start, stop = chromosome.windows.cores[window]
            view, hidden, nobody = (
                chromosome.view(items),
                chromosome.hidden[mask],
                np.full(2 * len(items), -1),
            )
            ids, apart = (found.read(name, items) for name in ("ids", "distances"))
            alleles = chromosome.shards.haplotypes(
                view.core_sites, np.maximum(ids, 0).ravel()
            ).reshape(*ids.shape, -1)
            traced = trace_window(
                view,
                chromosome.read(items),
                ids[:, :0],
                nobody,
                panel_typed,
                count_threads(threads),
            )
            says = np.empty((len(METHODS), 2 * len(items), stop - start), dtype=np.float32)
            says[0] = frequency[start:stop]
            says[1] = copy_nearest(alleles, apart, 1)
            says[2] = copy_nearest(alleles, apart, vote_neighbours)
            says[3] = traced.alternate
            says[:, :, ~hidden[start:stop]] = np.nan
            file["probability"][:, mask, :, start:stop] = says.reshape(
                len(METHODS), len(items), 2, -1
            ).swapaxes(2, 3)
            carriers = np.where(np.isnan(says[0]), np.nan, alleles.mean(axis=1, dtype=np.float32))
            file["carriers"][mask, :, start:stop] = carriers.reshape(len(items), 2, -1).swapaxes(
                1, 2
            )
    log.info("%d people, %d masks, %s", len(people), shape[1], ", ".join(METHODS))


if __name__ == "__main__":
    run_step(baselines)
