"""Makes a network with its first weights, and judges it before any training."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from haplorag.dataset.chromosome import open_chromosomes
from haplorag.io.checksums import checksum
from haplorag.io.metadata import write_facts
from haplorag.network.device import choose_device
from haplorag.network.model import build_network, count_parameters
from haplorag.network.weights import save_weights
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.seeding import seed_of
from haplorag.settings import NetworkSettings, OptimisationSettings
from haplorag.training.checkpoint import save_state
from haplorag.training.optimiser import build_optimiser
from haplorag.training.validation import score_validation, validate

log = logging.getLogger(__name__)


def untrained(
    weights: Path,
    state: Path,
    best: Path,
    history: Path,
    *,
    model: str,
    network: NetworkSettings,
    settings: OptimisationSettings,
    seed: int,
    threads: int,
    gpus: int,
    samples: Path,
    genotypes: list[Path],
    frequencies: list[Path],
    windows: list[Path],
    shards: list[Path],
    validation_masks: list[Path],
    validation_neighbours: list[Path],
) -> None:
    """Write random weights (safetensors), a fresh optimiser's state, and the history that begins with their validation.

    Weights are a pure function of the seed and the model's name.
    """
    device = choose_device(gpus, count_threads(threads))
    torch.manual_seed(seed_of(seed, "untrained", model) % 2**63)
    built = build_network(network).to(device)
    log.info("%s: %d parameters, on %s", model, count_parameters(built), device)
    chromosomes = open_chromosomes(
        samples, genotypes, frequencies, windows, shards, validation_masks, validation_neighbours
    )
    judged = validate(built, chromosomes, network, settings)
    score = score_validation(judged, settings.stop_on)
    log.info("epoch 000: %s %.5f", settings.stop_on, abs(score))
    for path in (weights, best):
        save_weights(path, built)
    save_state(state, {"step": 0, "optimiser": build_optimiser(built, settings).state_dict()})
    facts = {
        "model": model,
        "parameters": count_parameters(built),
        "stopped": False,
        "best_epoch": 0,
        "best_score": score,
        "files": {path.name: checksum(path) for path in (weights, state, best)},
        "epochs": [{"epoch": 0, "validation": judged, "score": score}],
    }
    write_facts(history, "history", facts)


if __name__ == "__main__":
    run_step(untrained)
