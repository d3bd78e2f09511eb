"""Writes what a trained model says at the hidden sites of the test people."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import h5py
import numpy as np

from haplorag.dataset.batches import WindowBatch, iterate_in_order
from haplorag.dataset.chromosome import ChromosomeData, open_chromosomes
from haplorag.dataset.files import DrawFiles, PanelFiles
from haplorag.evaluation.predictions import create_predictions
from haplorag.gpu.choice import choose_passes
from haplorag.io.hdf5 import creating_arrays
from haplorag.network.device import choose_device, configure_runtime, telling_what_to_lower
from haplorag.network.model import Network, build_network, predict
from haplorag.network.weights import load_weights
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.pipeline.logs import show_progress
from haplorag.prefetch import prefetching
from haplorag.settings import NetworkSettings

log = logging.getLogger(__name__)


def predictions(
    weights: Path,
    output: Path,
    *,
    model: str,
    network: NetworkSettings,
    batch_people: int,
    threads: int,
    gpus: int,
    panel: PanelFiles,
    draw: DrawFiles,
) -> None:
    """Write probability of ALT float16 [method, mask, person, site, 2], one method: the model.

    NaN where nothing is hidden. `panel` and `draw` have the files of one chromosome. Raises
    InputError where they come from two runs, or the weights do not fit.
    """
    device = choose_device(gpus)
    threads = count_threads(threads)
    configure_runtime(device, threads)
    passes = choose_passes(device, threads, "imputation.batch_people", batch_people)
    trained = build_network(network)
    load_weights(weights, trained)
    trained = trained.to(device)
    (chromosome,) = open_chromosomes(panel, draw, passes)
    people = np.unique(chromosome.retrieved.person)
    shape = (1, len(chromosome.names), len(people), chromosome.hidden.shape[1], 2)
    started = time.perf_counter()
    with creating_arrays(output, "predictions", sources=chromosome.sources) as file:
        create_predictions(file, [model], chromosome.names, people, shape)
        total = len(chromosome.retrieved.person)
        with prefetching(iterate_in_order(chromosome, batch_people, network)) as batches:
            for piece in show_progress(batches, "samples by window", total, _count_samples):
                _write_batch(file, trained, chromosome, people, piece)
    pace = chromosome.hidden.sum() * len(people) / (time.perf_counter() - started)
    log.info("%d people, %d masks: %.0f hidden genotypes/s", len(people), shape[1], pace)


def _count_samples(piece: WindowBatch) -> int:
    return len(piece.people)


def _write_batch(
    file: h5py.File,
    network: Network,
    chromosome: ChromosomeData,
    people: np.ndarray,
    piece: WindowBatch,
) -> None:
    """Write what a network says of a batch; `people` int32 [n] are all people in the file."""
    rows = np.searchsorted(people, piece.people)
    core = slice(*chromosome.windows.cores[piece.window])
    typed = ~chromosome.hidden[piece.mask][core]
    probability = _predict_hidden(network, piece, typed)
    file["probability"][0, piece.mask, rows[0] : rows[-1] + 1, core] = probability


def _predict_hidden(network: Network, piece: WindowBatch, typed: np.ndarray) -> np.ndarray:
    """Probability of ALT float32 [person, core, 2] at hidden sites, NaN at `typed` bool [core]."""
    device = next(network.parameters()).device
    with telling_what_to_lower("imputation.batch_people", len(piece.people)):
        probability = predict(network, piece.batch.to(device)).cpu().numpy()
    by_person = probability.reshape(-1, 2, len(typed)).swapaxes(1, 2)
    by_person[:, typed] = np.nan
    return by_person


if __name__ == "__main__":
    run_step(predictions)
