"""The job of an epoch: from the files of the epoch before to those of this one."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from haplorag.dataset.chromosome import ChromosomeData, open_chromosomes
from haplorag.dataset.files import DrawFiles, PanelFiles
from haplorag.gpu.choice import choose_passes
from haplorag.io.atomic import copy_whole
from haplorag.io.checksums import checksum
from haplorag.network.device import choose_device, configure_runtime
from haplorag.network.model import build_network, compile_transformer
from haplorag.network.weights import load_weights, save_weights
from haplorag.training.checkpoint import MidEpochCheckpoint, load_state, save_state
from haplorag.training.costs import measure_costs
from haplorag.training.distributed import process_group, relaunch_with_torchrun
from haplorag.training.epoch import EpochProgress, EpochTask, Learner, train_epoch
from haplorag.training.files import EpochFiles, checksum_epoch
from haplorag.training.history import (
    EpochRecord,
    TrainingHistory,
    write_events,
    write_history,
    write_metrics,
)
from haplorag.training.optimiser import build_optimiser
from haplorag.training.validation import score_validation, validate

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobFiles:
    """What the job of an epoch reads, and what it writes: the files of the epoch, the table of its
    figures, and where it is wanted the folder of event files."""

    panel: PanelFiles
    draw: DrawFiles
    validation: DrawFiles
    previous: EpochFiles
    current: EpochFiles
    metrics: Path
    events: Path | None


def run_epoch(
    task: EpochTask, files: JobFiles, history: TrainingHistory, threads: int, gpus: int
) -> None:
    """Train and judge an epoch, and write its files, given the history up to the epoch before.

    A killed epoch goes on from its last state in mid-epoch. Started by torchrun, several processes
    share the work, and the first one writes. Raises InputError where a loss is not finite or the
    machine has fewer GPUs.
    """
    relaunch_with_torchrun(gpus)
    device = choose_device(gpus)
    configure_runtime(device, threads)
    people = task.settings.batch_people
    passes = choose_passes(device, threads, "training.batch_people", people)
    started = time.perf_counter()
    with process_group(device) as writes:
        network = build_network(task.network)
        load_weights(files.previous.weights, network)
        network = network.to(device)
        if task.settings.compile and device.type == "cuda":
            compile_transformer(network)
        optimiser = build_optimiser(network, task.settings)
        state = load_state(files.previous.state)
        optimiser.load_state_dict(state["optimiser"])
        learner = Learner(network, optimiser)
        checkpoint = _open_checkpoint(learner, task, files, history)
        progress = EpochProgress(**(checkpoint.load() or {"step": state["step"]}))
        chromosomes = open_chromosomes(files.panel, files.draw, passes)
        minutes = task.settings.save_minutes if writes else math.inf
        with checkpoint.saving(minutes) as save:
            train_epoch(learner, chromosomes, task, progress, save)
        if not writes:
            return
        judged = open_chromosomes(files.panel, files.validation, passes)
        record = _judge_epoch(learner, task, judged, progress)
        history = history.add(record, task.settings)
        history = _write_epoch(learner, task, files, progress.step, history)
        _write_figures(task, files, history, started, chromosomes)
        checkpoint.remove()


def _open_checkpoint(
    learner: Learner, task: EpochTask, files: JobFiles, history: TrainingHistory
) -> MidEpochCheckpoint:
    """The state in mid-epoch; it belongs to this task, these inputs and the epoch before."""
    inputs = [*files.draw.masks, *files.draw.neighbours, *files.draw.rates]
    facts = {
        "files": history.files,
        "seed": task.seed,
        "inputs": {path.parent.name + path.name: checksum(path) for path in inputs},
        "network": task.network.model_dump(mode="json"),
        # How often the state is kept may be changed in between.
        "settings": task.settings.model_dump(mode="json", exclude={"save_minutes"}),
    }
    path = files.current.state.with_name(".halfway.pt")
    return MidEpochCheckpoint(path, facts, learner.network, learner.optimiser)


def _judge_epoch(
    learner: Learner, task: EpochTask, chromosomes: list[ChromosomeData], progress: EpochProgress
) -> EpochRecord:
    """Judge the network after an epoch on the validation draw."""
    validation = validate(learner.network, chromosomes, task.network, task.settings)
    stop_on = task.settings.stop_on
    score = score_validation(validation, stop_on)
    figures = progress.describe()
    loss, r2 = (abs(score_validation(validation, figure)) for figure in ("loss", "r2"))
    log.info(
        "epoch %03d: training loss %.5f, validation loss %.5f, r2 %.4f",
        task.epoch, figures["loss"], loss, r2,
    )  # fmt: skip
    return EpochRecord(task.epoch, validation, score, figures)


def _write_epoch(
    learner: Learner, task: EpochTask, files: JobFiles, step: int, history: TrainingHistory
) -> TrainingHistory:
    """Write the files of an epoch; gives the history with their checksums."""
    save_weights(files.current.weights, learner.network)
    state: dict[str, Any] = {"step": step, "optimiser": learner.optimiser.state_dict()}
    save_state(files.current.state, state)
    is_best = history.best_epoch == task.epoch
    copy_whole(files.current.weights if is_best else files.previous.best, files.current.best)
    history = replace(history, files=checksum_epoch(files.current))
    write_history(files.current.history, history)
    return history


def _write_figures(
    task: EpochTask,
    files: JobFiles,
    history: TrainingHistory,
    started: float,
    chromosomes: list[ChromosomeData],
) -> None:
    """Write the figures of an epoch and what it cost since it `started`."""
    costs = measure_costs(time.perf_counter() - started, chromosomes)
    write_metrics(files.metrics, history, task.epoch, costs)
    if files.events:
        write_events(files.events, history, task.epoch, costs)
