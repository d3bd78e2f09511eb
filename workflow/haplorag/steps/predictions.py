"""Writes what a trained model says at the hidden sites of the test people."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np

from haplorag.dataset.batches import iterate_in_order
from haplorag.dataset.chromosome import open_chromosome
from haplorag.evaluation.predictions import create_predictions
from haplorag.io.hdf5 import creating_arrays
from haplorag.network.device import choose_device
from haplorag.network.model import build_network, predict
from haplorag.network.weights import load_weights
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.pipeline.logs import show_progress
from haplorag.settings import NetworkSettings

log = logging.getLogger(__name__)


def predictions(
    weights: Path,
    genotypes: Path,
    samples: Path,
    frequencies: Path,
    windows: Path,
    masks: Path,
    neighbours: Path,
    shards: Path,
    output: Path,
    *,
    model: str,
    network: NetworkSettings,
    batch_people: int,
    threads: int,
    gpus: int,
) -> None:
    """Write probability of ALT float16 [method, mask, person, site, 2], one method: the model; NaN where nothing is hidden."""
    built = build_network(network)
    load_weights(weights, built)
    device = choose_device(gpus, count_threads(threads))
    built = built.to(device)
    chromosome = open_chromosome(
        samples, genotypes, frequencies, windows, shards, masks, neighbours
    )
    people = np.unique(chromosome.retrieved.person)
    shape = (1, len(chromosome.names), len(people), chromosome.hidden.shape[1], 2)
    started = time.perf_counter()
    with creating_arrays(output, "predictions", sources=chromosome.sources) as file:
        create_predictions(file, [model], chromosome.names, people, shape)
        found = iterate_in_order(chromosome, batch_people, network)
        total = -(-len(chromosome.retrieved.person) // batch_people)
        for mask, window, persons, batch, _ in show_progress(found, "batches", total):
            start, stop = chromosome.windows.cores[window]
            probability = (
                predict(built, batch.to(device))
                .cpu()
                .numpy()
                .reshape(len(persons), 2, -1)
                .swapaxes(1, 2)
            )
            probability[:, ~chromosome.hidden[mask][start:stop]] = np.nan
            rows = np.searchsorted(people, persons)
            file["probability"][0, mask, rows[0] : rows[-1] + 1, start:stop] = probability
    pace = chromosome.hidden.sum() * len(people) / (time.perf_counter() - started)
    log.info(
        "%d people, %d masks: %.0f hidden genotypes/s", len(people), len(chromosome.names), pace
    )


if __name__ == "__main__":
    run_step(predictions)
