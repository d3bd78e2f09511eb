"""What became of a model epoch by epoch, and what people who watch see of it.

That is a table with times and memory, and event files for TensorBoard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from haplorag.io.metadata import read_facts, write_facts
from haplorag.io.tables import write_table
from haplorag.settings import OptimisationSettings

COLUMNS = ["model", "epoch", "best", "draw", "mask", "group", "metric", "value"]


@dataclass(frozen=True)
class MaskScores:
    """How a network does under one mask: its mean loss, and by group of sites each score.

    None is a score that is not defined.
    """

    loss: float
    groups: dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class EpochRecord:
    """An epoch: scores of validation by mask, the one number to stop on (higher is better), and
    what training said of itself (none before the first epoch)."""

    epoch: int
    validation: dict[str, MaskScores]
    score: float
    training: dict[str, float] = field(default_factory=dict)

    def as_facts(self) -> dict[str, Any]:
        """The entry of a history's JSON."""
        training = {"training": self.training} if self.training else {}
        validation = {
            mask: {"loss": scores.loss, **scores.groups} for mask, scores in self.validation.items()
        }
        return {"epoch": self.epoch, **training, "validation": validation, "score": self.score}


@dataclass(frozen=True)
class TrainingHistory:
    """A model's epochs in order, the first one untrained: which is best and whether training stops.

    `parameters` counts what is trained, `files` has the SHA-256 of the last epoch's files by name.
    """

    model: str
    parameters: int
    stopped: bool
    best_epoch: int
    best_score: float
    files: dict[str, str]
    epochs: list[EpochRecord]

    @property
    def trained_epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.epochs) - 1

    def add(self, record: EpochRecord, settings: OptimisationSettings) -> TrainingHistory:
        """With one more epoch, which may be the best or the last one.

        It is the best where it beats the best one by more than `min_delta`; training stops once
        `patience` epochs in a row are not. Checksums are those of the epoch before.
        """
        is_best = record.score > self.best_score + settings.min_delta
        best_epoch = record.epoch if is_best else self.best_epoch
        return replace(
            self,
            stopped=record.epoch - best_epoch >= settings.patience,
            best_epoch=best_epoch,
            best_score=record.score if is_best else self.best_score,
            epochs=[*self.epochs, record],
        )

    def as_facts(self) -> dict[str, Any]:
        """The history's JSON."""
        return {**vars(self), "epochs": [record.as_facts() for record in self.epochs]}


def begin_history(
    model: str, parameters: int, record: EpochRecord, files: dict[str, str]
) -> TrainingHistory:
    """The history of an untrained network: its record is the best so far."""
    return TrainingHistory(
        model, parameters, False, record.epoch, record.score, files, epochs=[record]
    )


def write_history(path: Path, history: TrainingHistory) -> None:
    """Write a history as JSON with its own checksum."""
    write_facts(path, "history", history.as_facts())


def read_history(path: Path) -> TrainingHistory:
    """Read what `write_history` wrote. Raises InputError where it is not as it was written."""
    facts = read_facts(path, "history")
    del facts["format"]
    return TrainingHistory(
        **{**facts, "epochs": [_read_record(entry) for entry in facts["epochs"]]}
    )


def _read_record(entry: dict[str, Any]) -> EpochRecord:
    validation = {}
    for mask, scores in entry["validation"].items():
        groups = {name: values for name, values in scores.items() if name != "loss"}
        validation[mask] = MaskScores(scores["loss"], groups)
    return EpochRecord(**{**entry, "validation": validation})


def write_metrics(
    path: Path, history: TrainingHistory, epoch: int, costs: dict[str, float] | None = None
) -> None:
    """Write an epoch's figures and costs: rows of draw, mask, group of sites, metric and value.

    The table has no row where training had stopped before.
    """
    rows = list(_list_figures(history, epoch, costs or {}))
    write_table(path, pd.DataFrame(rows, columns=COLUMNS))


def write_events(
    folder: Path, history: TrainingHistory, epoch: int, costs: dict[str, float]
) -> None:
    """Add an epoch's figures to a model's event files; those of the same epoch are replaced."""
    from tensorboardX import SummaryWriter

    suffix = f".{epoch:03d}"
    for stale in folder.glob(f"*{suffix}"):
        stale.unlink()
    with SummaryWriter(str(folder), filename_suffix=suffix) as writer:
        for row in _list_figures(history, epoch, costs):
            name = f"{row['draw']}/{row['metric']}/{row['mask']}/{row['group']}"
            if row["value"] is not None:
                writer.add_scalar(name, row["value"], epoch)


def list_epochs(history: TrainingHistory) -> Iterator[dict[str, Any]]:
    """A row per epoch, mask and figure of a model's history."""
    for record in history.epochs:
        yield from _list_record(history, record)


def _list_figures(
    history: TrainingHistory, epoch: int, costs: dict[str, float]
) -> Iterator[dict[str, Any]]:
    """Rows of one epoch, and after them those of what it cost."""
    for record in history.epochs:
        if record.epoch == epoch:
            yield from _list_record(history, record)
    yield from _list_training(history, epoch, costs)


def _list_record(history: TrainingHistory, record: EpochRecord) -> Iterator[dict[str, Any]]:
    yield from _list_training(history, record.epoch, record.training)
    for mask, scores in record.validation.items():
        place = {**_place(history, record.epoch), "draw": "validation", "mask": mask}
        yield {**place, "group": "all", "metric": "loss", "value": scores.loss}
        for group, values in scores.groups.items():
            for metric, value in values.items():
                yield {**place, "group": group, "metric": metric, "value": value}


def _list_training(
    history: TrainingHistory, epoch: int, figures: dict[str, float]
) -> Iterator[dict[str, Any]]:
    place = {**_place(history, epoch), "draw": "training", "mask": "all", "group": "all"}
    for metric, value in figures.items():
        yield {**place, "metric": metric, "value": value}


def _place(history: TrainingHistory, epoch: int) -> dict[str, Any]:
    return {"model": history.model, "epoch": epoch, "best": epoch == history.best_epoch}
