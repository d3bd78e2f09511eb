"""Trains a network for one epoch, or passes it through unchanged where training has stopped."""

from __future__ import annotations

import logging
import math
import shutil
import time
from pathlib import Path

from haplorag.io.atomic import replacing
from haplorag.io.checksums import check_checksum, checksum
from haplorag.io.metadata import read_facts, write_facts
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.settings import NetworkSettings, OptimisationSettings
from haplorag.training.history import record_epoch, write_events, write_metrics

log = logging.getLogger(__name__)


def training(
    from_weights: Path,
    from_state: Path,
    from_best: Path,
    from_history: Path,
    weights: Path,
    state: Path,
    best: Path,
    history: Path,
    metrics: Path,
    *,
    model: str,
    epoch: int,
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
    masks: list[Path],
    neighbours: list[Path],
    validation_masks: list[Path],
    validation_neighbours: list[Path],
    events: Path | None = None,
) -> None:
    """Write weights, optimiser state, the best weights so far and the history after `epoch`, from those of the epoch before.

    A killed epoch goes on from its last state in mid-epoch. Started by torchrun, several processes share the work. Training
    stops once `patience` epochs in a row have not improved `stop_on` by `min_delta`; later epochs copy what is there.
    """
    facts = read_facts(from_history, "history")
    for path in (from_weights, from_state, from_best):
        check_checksum(path, facts["files"][path.name], "remove its folder and run again")
    if facts["stopped"]:
        log.info(
            "epoch %03d: training stopped before, the best epoch is %03d",
            epoch,
            facts["best_epoch"],
        )
        _pass_on({from_weights: weights, from_state: state, from_best: best})
        write_facts(history, "history", facts)
        write_metrics(metrics, facts, epoch)
        return
    # Only now: torch takes seconds to load, and a stopped model needs none of it.
    from haplorag.dataset.chromosome import open_chromosomes
    from haplorag.network.device import choose_device
    from haplorag.network.model import build_network
    from haplorag.network.weights import load_weights, save_weights
    from haplorag.training.checkpoint import MidEpochCheckpoint, load_state, save_state
    from haplorag.training.distributed import process_group, relaunch_with_torchrun
    from haplorag.training.epoch import EpochProgress, train_epoch
    from haplorag.training.history import measure_costs
    from haplorag.training.optimiser import build_optimiser
    from haplorag.training.validation import score_validation, validate

    relaunch_with_torchrun(gpus)
    device = choose_device(gpus, count_threads(threads))
    started = time.perf_counter()
    with process_group(device) as writes:
        built = build_network(network)
        load_weights(from_weights, built)
        built = built.to(device)
        saved, optimiser = load_state(from_state), build_optimiser(built, settings)
        optimiser.load_state_dict(saved["optimiser"])
        inputs = {path.parent.name + path.name: checksum(path) for path in (*masks, *neighbours)}
        belongs = {"files": facts["files"], "seed": seed, "inputs": inputs}
        belongs |= {
            "network": network.model_dump(mode="json"),
            "settings": settings.model_dump(mode="json"),
        }
        halfway = MidEpochCheckpoint(state.with_name(".halfway.pt"), belongs, built, optimiser)
        progress = EpochProgress(**(halfway.load() or {"step": saved["step"]}))
        panel = samples, genotypes, frequencies, windows, shards
        drawn = open_chromosomes(*panel, masks, neighbours)
        learned = built, optimiser, drawn, network, settings, progress
        with halfway.saving(settings.save_minutes if writes else math.inf) as save:
            progress = train_epoch(*learned, name=model, epoch=epoch, seed=seed, save=save)
        if not writes:
            return
        judged = validate(
            built,
            open_chromosomes(*panel, validation_masks, validation_neighbours),
            network,
            settings,
        )
        score, figures = score_validation(judged, settings.stop_on), progress.describe()
        log.info(
            "epoch %03d: training loss %.5f, %s %.5f",
            epoch,
            figures["loss"],
            settings.stop_on,
            abs(score),
        )
        save_weights(weights, built)
        save_state(state, {"step": progress.step, "optimiser": optimiser.state_dict()})
        record_epoch(facts, epoch, figures, judged, score, settings)
        _pass_on({weights if facts["best_epoch"] == epoch else from_best: best})
        facts["files"] = {path.name: checksum(path) for path in (weights, state, best)}
        write_facts(history, "history", facts)
        write_metrics(metrics, facts, epoch, measure_costs(time.perf_counter() - started, drawn))
        if events:
            write_events(events, metrics)
        halfway.remove()


def _pass_on(copies: dict[Path, Path]) -> None:
    for source, target in copies.items():
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)


if __name__ == "__main__":
    run_step(training)
