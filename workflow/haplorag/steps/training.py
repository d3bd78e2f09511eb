"""Trains a network for one epoch, or passes it through unchanged where training has stopped."""

from __future__ import annotations

import logging
import math
import shutil
import time
from pathlib import Path
from typing import Any

from haplorag.pipeline import cli as command
from haplorag.training import history as journal
from haplorag.io import hdf5 as store
from haplorag.settings import Network, Optimisation

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
    network: Network,
    settings: Optimisation,
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
    facts = store.read_facts(from_history, "history")
    for path in (from_weights, from_state, from_best):
        store.check(path, facts["files"][path.name], "remove its folder and run again")
    if facts["stopped"]:
        log.info("epoch %03d: training stopped before, the best epoch is %03d", epoch, facts["best_epoch"])
        _pass_on({from_weights: weights, from_state: state, from_best: best})
        store.write_facts(history, "history", facts)
        journal.write_metrics(metrics, facts, epoch)
        return
    # Only now: torch takes seconds to load, and a stopped model needs none of it.
    from haplorag.training import distributed as sharing
    from haplorag.dataset.batches import open_chromosomes
    from haplorag.training.epoch import Progress, choose_device, score_of, tell_costs, train_epoch, validate
    from haplorag.network.model import build_network
    from haplorag.training.loss import Halfway, build_optimiser, load_state, load_weights, save_state, save_weights

    sharing.launch(gpus)
    device = choose_device(gpus, command.count_threads(threads))
    started = time.perf_counter()
    with sharing.joining(device) as writes:
        built = build_network(network)
        load_weights(from_weights, built)
        built = built.to(device)
        saved, optimiser = load_state(from_state), build_optimiser(built, settings)
        optimiser.load_state_dict(saved["optimiser"])
        inputs = {path.parent.name + path.name: store.checksum(path) for path in (*masks, *neighbours)}
        belongs = {"files": facts["files"], "seed": seed, "inputs": inputs}
        belongs |= {"network": network.model_dump(mode="json"), "settings": settings.model_dump(mode="json")}
        halfway = Halfway(state.with_name(".halfway.pt"), belongs, built, optimiser)
        progress = Progress(**(halfway.load() or {"step": saved["step"]}))
        panel = samples, genotypes, frequencies, windows, shards
        drawn = open_chromosomes(*panel, masks, neighbours)
        learned = built, optimiser, drawn, network, settings, progress
        with halfway.saving(settings.save_minutes if writes else math.inf) as save:
            progress = train_epoch(*learned, name=model, epoch=epoch, seed=seed, save=save)
        if not writes:
            return
        judged = validate(built, open_chromosomes(*panel, validation_masks, validation_neighbours), network, settings)
        score, figures = score_of(judged, settings.stop_on), progress.describe()
        log.info("epoch %03d: training loss %.5f, %s %.5f", epoch, figures["loss"], settings.stop_on, abs(score))
        save_weights(weights, built)
        save_state(state, {"step": progress.step, "optimiser": optimiser.state_dict()})
        _record(facts, epoch, figures, judged, score, settings)
        _pass_on({weights if facts["best_epoch"] == epoch else from_best: best})
        facts["files"] = {path.name: store.checksum(path) for path in (weights, state, best)}
        store.write_facts(history, "history", facts)
        journal.write_metrics(metrics, facts, epoch, tell_costs(time.perf_counter() - started, drawn))
        if events:
            journal.write_events(events, metrics)
        halfway.remove()


def _pass_on(copies: dict[Path, Path]) -> None:
    for source, target in copies.items():
        with store.replacing(target) as temporary:
            shutil.copyfile(source, temporary)


def _record(
    facts: dict[str, Any], epoch: int, figures: dict[str, Any], judged: dict[str, Any], score: float, settings: Optimisation
) -> None:
    """Add an epoch to the history, and say whether it is the best and whether training stops."""
    facts["epochs"].append({"epoch": epoch, "training": figures, "validation": judged, "score": score})
    if score > facts["best_score"] + settings.min_delta:
        facts["best_epoch"], facts["best_score"] = epoch, score
    facts["stopped"] = epoch - facts["best_epoch"] >= settings.patience


if __name__ == "__main__":
    command.run(training)
