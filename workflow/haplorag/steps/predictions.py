"""Writes what a trained model says at the hidden sites of the test people."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
from torch import nn

from haplorag.dataset.batches import iterate_in_order
from haplorag.dataset.chromosome import open_chromosome
from haplorag.evaluation.predictions import create_predictions
from haplorag.io.hdf5 import creating_arrays
from haplorag.network.batch import Batch
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
    """Write probability of ALT float16 [method, mask, person, site, 2], one method: the model.

    NaN where nothing is hidden.
    """
    trained = build_network(network)
    load_weights(weights, trained)
    trained = trained.to(choose_device(gpus, count_threads(threads)))
    chromosome = open_chromosome(
        samples, genotypes, frequencies, windows, shards, masks, neighbours
    )
    people = np.unique(chromosome.retrieved.person)
    shape = (1, len(chromosome.names), len(people), chromosome.hidden.shape[1], 2)
    started = time.perf_counter()
    with creating_arrays(output, "predictions", sources=chromosome.sources) as file:
        create_predictions(file, [model], chromosome.names, people, shape)
        batches = iterate_in_order(chromosome, batch_people, network)
        total = -(-len(chromosome.retrieved.person) // batch_people)
        for mask, window, persons, batch, _ in show_progress(batches, "batches", total):
            rows = np.searchsorted(people, persons)
            core = slice(*chromosome.windows.cores[window])
            probability = _predict_hidden(trained, batch, ~chromosome.hidden[mask][core])
            file["probability"][0, mask, rows[0] : rows[-1] + 1, core] = probability
    pace = chromosome.hidden.sum() * len(people) / (time.perf_counter() - started)
    log.info(
        "%d people, %d masks: %.0f hidden genotypes/s", len(people), len(chromosome.names), pace
    )


def _predict_hidden(network: nn.Module, batch: Batch, typed: np.ndarray) -> np.ndarray:
    """Probability of ALT float32 [person, core, 2] at hidden sites, NaN at `typed` bool [core]."""
    device = next(network.parameters()).device
    probability = predict(network, batch.to(device)).cpu().numpy()
    by_person = probability.reshape(-1, 2, len(typed)).swapaxes(1, 2)
    by_person[:, typed] = np.nan
    return by_person


if __name__ == "__main__":
    run_step(predictions)
