"""Trains a network for one epoch, or passes it through unchanged where training has stopped."""

from __future__ import annotations

import logging
from pathlib import Path

from haplorag.dataset.files import DrawFiles, PanelFiles
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.settings import NetworkSettings, OptimisationSettings
from haplorag.training.files import EpochFiles, check_epoch, copy_epoch
from haplorag.training.history import (
    TrainingHistory,
    read_history,
    write_history,
    write_metrics,
)

log = logging.getLogger(__name__)


def training(
    previous: EpochFiles,
    current: EpochFiles,
    metrics: Path,
    *,
    model: str,
    epoch: int,
    network: NetworkSettings,
    settings: OptimisationSettings,
    seed: int,
    threads: int,
    gpus: int,
    panel: PanelFiles,
    draw: DrawFiles,
    validation: DrawFiles,
    events: Path | None = None,
) -> None:
    """Write weights, optimiser state, the best weights so far and the history after an epoch.

    They go on from those of the epoch before; `metrics` is the table of the epoch's figures. A
    killed epoch goes on from its last state in mid-epoch. Started by torchrun, several processes
    share the work. Training stops once `patience` epochs in a row have not improved `stop_on` by
    `min_delta`; later epochs copy what is there. Raises InputError where a file of the epoch before
    is damaged or a loss is not finite.
    """
    history = read_history(previous.history)
    check_epoch(previous, history.files)
    if history.stopped:
        _pass_through(previous, current, metrics, history, epoch)
        return
    # Only now: torch takes seconds to load, and a stopped model needs none of it.
    from haplorag.training.epoch import EpochTask
    from haplorag.training.job import JobFiles, run_epoch

    task = EpochTask(model, epoch, network, settings, seed)
    files = JobFiles(panel, draw, validation, previous, current, metrics, events)
    run_epoch(task, files, history, count_threads(threads), gpus)


def _pass_through(
    previous: EpochFiles, current: EpochFiles, metrics: Path, history: TrainingHistory, epoch: int
) -> None:
    """Copy the files of a model whose training stopped before; its table of figures is empty."""
    log.info(
        "epoch %03d: training stopped before, the best epoch is %03d", epoch, history.best_epoch
    )
    copy_epoch(previous, current)
    write_history(current.history, history)
    write_metrics(metrics, history, epoch)


if __name__ == "__main__":
    run_step(training)
