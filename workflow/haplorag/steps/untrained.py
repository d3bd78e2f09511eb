"""Makes a network with its first weights, and judges it before any training."""

from __future__ import annotations

import logging

import torch

from haplorag.dataset.chromosome import open_chromosomes
from haplorag.dataset.files import DrawFiles, PanelFiles
from haplorag.gpu.choice import choose_passes
from haplorag.network.device import choose_device, configure_runtime
from haplorag.network.model import build_network, count_parameters
from haplorag.network.weights import save_weights
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.seeding import seed_of
from haplorag.settings import NetworkSettings, OptimisationSettings
from haplorag.training.checkpoint import save_state
from haplorag.training.files import EpochFiles, checksum_epoch
from haplorag.training.history import EpochRecord, begin_history, write_history
from haplorag.training.optimiser import build_optimiser
from haplorag.training.validation import score_validation, validate

log = logging.getLogger(__name__)


def untrained(
    first: EpochFiles,
    *,
    model: str,
    network: NetworkSettings,
    settings: OptimisationSettings,
    seed: int,
    threads: int,
    gpus: int,
    panel: PanelFiles,
    validation: DrawFiles,
) -> None:
    """Write random weights (safetensors), a fresh optimiser's state, and the history that begins
    with their validation.

    Weights are a pure function of the seed and the model's name. Raises InputError where the files
    come from two runs.
    """
    device = choose_device(gpus)
    threads = count_threads(threads)
    configure_runtime(device, threads)
    torch.manual_seed(seed_of(seed, "untrained", model) % 2**63)
    built = build_network(network).to(device)
    parameters = count_parameters(built)
    log.info("%s: %d parameters, on %s", model, parameters, device)
    passes = choose_passes(device, threads, "training.batch_people", settings.batch_people)
    scores = validate(built, open_chromosomes(panel, validation, passes), network, settings)
    score = score_validation(scores, settings.stop_on)
    loss, r2 = (abs(score_validation(scores, figure)) for figure in ("loss", "r2"))
    log.info("epoch 000: validation loss %.5f, r2 %.4f", loss, r2)
    for path in (first.weights, first.best):
        save_weights(path, built)
    optimiser = build_optimiser(built, settings)
    save_state(first.state, {"step": 0, "optimiser": optimiser.state_dict()})
    record = EpochRecord(0, scores, score)
    history = begin_history(model, parameters, record, checksum_epoch(first))
    write_history(first.history, history)


if __name__ == "__main__":
    run_step(untrained)
