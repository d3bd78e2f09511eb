"""One epoch of training, from wherever it stands to its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
import torch
from torch import Tensor, nn

from haplorag.dataset.batches import iterate_shuffled
from haplorag.dataset.chromosome import ChromosomeData
from haplorag.errors import InputError
from haplorag.network.batch import Batch
from haplorag.network.device import autocast, telling_what_to_lower
from haplorag.prefetch import prefetching
from haplorag.seeding import seed_of
from haplorag.settings import NetworkSettings, OptimisationSettings
from haplorag.training.distributed import (
    all_reduce_gradients,
    all_reduce_sum,
    owns_batch,
    world_size,
)
from haplorag.training.loss import compute_loss
from haplorag.training.optimiser import schedule_rate
from haplorag.training.validation import CALMER

log = logging.getLogger(__name__)
SECONDS_PER_LINE = 10.0


@dataclass(frozen=True)
class EpochTask:
    """Which epoch of which model is trained, and how. What is random is a function of it."""

    model: str
    epoch: int
    network: NetworkSettings
    settings: OptimisationSettings
    seed: int


@dataclass(frozen=True)
class Learner:
    """A network on its device, and the optimiser that changes it."""

    network: nn.Module
    optimiser: torch.optim.Optimizer


@dataclass
class EpochProgress:
    """Where an epoch stands: optimiser steps since the first epoch; of this epoch, batches seen and
    sums over its steps of hidden alleles, loss, learning rate and gradient norm."""

    step: int
    batches: int = 0
    steps: int = 0
    labelled: int = 0
    loss: float = 0.0
    rate: float = 0.0
    norm: float = 0.0

    def add_step(self, labelled: int, loss: float, rate: float, norm: float) -> None:
        """Count an optimiser step."""
        self.step += 1
        self.steps += 1
        self.labelled += labelled
        self.loss += loss
        self.rate += rate
        self.norm += norm

    def describe(self) -> dict[str, float]:
        """The epoch's mean loss, learning rate and gradient norm, and its number of steps."""
        return {
            "loss": self.loss / self.labelled,
            "learning_rate": self.rate / self.steps,
            "gradient_norm": self.norm / self.steps,
            "steps": self.steps,
        }


@dataclass(frozen=True)
class StepBatches:
    """The batches of one optimiser step: the number of the first one, how many there are, and by
    number those, with their labels, that this process takes."""

    first: int
    size: int
    own: dict[int, tuple[Batch, Tensor]]


def train_epoch(
    learner: Learner,
    chromosomes: list[ChromosomeData],
    task: EpochTask,
    progress: EpochProgress,
    save: Callable[[EpochProgress], None] = lambda progress: None,
) -> None:
    """Train an epoch from where it stands to its end.

    `progress` is moved on, and `save` called with it after every optimiser step. What is random
    (order, dropout) is a pure function of the task's seed, model and epoch, and of the batch. Where
    several processes train together, each takes its share of the batches of a step, and gradients
    are added up. Raises InputError where the loss is not finite or a step has fewer batches than
    there are processes.
    """
    _check_accumulation(task.settings)
    learner.network.train()
    begun = progress.batches
    if begun:
        log.info("%s, epoch %03d: goes on after %d batches", task.model, task.epoch, begun)
    started = said = time.perf_counter()
    first_step = progress.steps
    total = _count_batches(chromosomes, task.settings.batch_people)
    device = next(learner.network.parameters()).device
    with prefetching(_iterate_batches(chromosomes, task, begun, device)) as ready:
        for batches in _group_by_step(ready, task.settings.accumulate):
            if batches.first < begun:
                continue
            progress.batches += batches.size
            if not _take_step(learner, batches, task, progress):
                continue
            save(progress)
            now = time.perf_counter()
            if now - said >= SECONDS_PER_LINE:
                said = now
                pace = (progress.steps - first_step) / (now - started)
                _log_progress(progress, learner.optimiser, pace, total)
    if not progress.steps:
        raise InputError(
            f"{task.model}: nothing is hidden in epoch {task.epoch}; "
            "raise the rates of masks.training or people_per_window"
        )


def count_labels(batch: Batch, labels: Tensor) -> int:
    """Hidden alleles of a batch that are known, given labels int8 [2n, L]."""
    return int((labels[:, batch.hidden[batch.core]] >= 0).sum())


def _check_accumulation(settings: OptimisationSettings) -> None:
    if settings.accumulate % world_size():
        raise InputError(
            f"training.accumulate: {settings.accumulate} is not a multiple of the {world_size()} "
            "processes; set it to one"
        )


def _iterate_batches(
    chromosomes: list[ChromosomeData], task: EpochTask, begun: int, device: torch.device
) -> Iterator[tuple[Batch, Tensor] | None]:
    """All batches of an epoch in order, None for those done before and those of other processes;
    where a device can copy them from."""
    people = task.settings.batch_people

    def is_wanted(number: int) -> bool:
        return number >= begun and owns_batch(number)

    made = iterate_shuffled(chromosomes, people, task.network, task.seed, task.epoch, is_wanted)
    for pair in made:
        yield pair and (pair[0].pin_for(device), pair[1])


def _group_by_step(
    batches: Iterator[tuple[Batch, Tensor] | None], together: int
) -> Iterator[StepBatches]:
    """Put together what one optimiser step takes; the last one may have fewer batches."""
    for first in count(step=together):
        group = list(islice(batches, together))
        if not group:
            return
        own = {first + place: pair for place, pair in enumerate(group) if pair}
        yield StepBatches(first, len(group), own)


def _take_step(
    learner: Learner, batches: StepBatches, task: EpochTask, progress: EpochProgress
) -> bool:
    """Take an optimiser step and count it; gives whether anything was hidden to learn from."""
    # The mean is over all hidden alleles of the step, however they are spread over its batches.
    labelled = int(all_reduce_sum(sum(count_labels(*pair) for pair in batches.own.values())))
    if not labelled:
        return False
    rate = schedule_rate(progress.step, task.settings)
    for group in learner.optimiser.param_groups:
        group["lr"] = rate
    with telling_what_to_lower("training.batch_people", task.settings.batch_people):
        added = _add_gradients(learner.network, batches, task, labelled)
    loss = all_reduce_sum(added)
    all_reduce_gradients(learner.network)
    clipped = nn.utils.clip_grad_norm_(learner.network.parameters(), task.settings.clip_norm)
    norm = float(clipped)
    if not np.isfinite(loss + norm):
        raise InputError(
            f"{task.model}: the loss is {loss}, its gradient {norm}, at step {progress.step} "
            f"(epoch {task.epoch}, batch {batches.first}); the last good epoch is kept; {CALMER}"
        )
    learner.optimiser.step()
    learner.optimiser.zero_grad(set_to_none=True)
    progress.add_step(labelled, loss, rate, norm)
    return True


def _add_gradients(
    network: nn.Module, batches: StepBatches, task: EpochTask, labelled: int
) -> float:
    """Add the gradients of this process's batches; gives the sum of their losses."""
    loss = 0.0
    for number, (batch, labels) in batches.own.items():
        seed = seed_of(task.seed, "training", task.model, task.epoch, number)
        torch.manual_seed(seed % 2**63)
        loss += _add_gradient(network, batch, labels, task.settings, labelled)
    return loss


def _add_gradient(
    network: nn.Module, batch: Batch, labels: Tensor, settings: OptimisationSettings, labelled: int
) -> float:
    device = next(network.parameters()).device
    batch = batch.to(device)
    labels = labels.to(device)
    with autocast(device, settings.precision):
        output = network(batch)
    loss, _ = compute_loss(output, batch, labels, settings)
    (loss / labelled).backward()
    return float(loss.detach())


def _count_batches(chromosomes: list[ChromosomeData], people: int) -> int:
    """How many batches an epoch has."""
    groups = (items for one in chromosomes for items in one.retrieved.group())
    return sum(-(-len(items) // people) for items in groups)


def _log_progress(
    progress: EpochProgress, optimiser: torch.optim.Optimizer, pace: float, total: int
) -> None:
    log.info(
        "%.0f %% of the epoch, step %d: mean loss %.5f, learning rate %.2g, %.2f steps/s",
        100 * progress.batches / max(total, 1),
        progress.step,
        progress.loss / progress.labelled,
        optimiser.param_groups[0]["lr"],
        pace,
    )
