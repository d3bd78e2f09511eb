"""One epoch of training, and validation at fixed masks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
import torch
from torch import nn

from haplorag.dataset.batches import iterate_shuffled
from haplorag.dataset.chromosome import ChromosomeData
from haplorag.errors import InputError
from haplorag.network.batch import Batch
from haplorag.network.device import autocast
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
STEPS_PER_LINE = 50


@dataclass
class EpochProgress:
    """Where an epoch stands: optimiser steps since the first epoch; of this epoch, batches seen and sums over its steps."""

    step: int
    batches: int = 0
    steps: int = 0
    labelled: int = 0
    loss: float = 0.0
    rate: float = 0.0
    norm: float = 0.0

    def describe(self) -> dict[str, float]:
        """The epoch's mean loss, learning rate and gradient norm, and its number of steps."""
        rate, norm = self.rate / self.steps, self.norm / self.steps
        return {
            "loss": self.loss / self.labelled,
            "learning_rate": rate,
            "gradient_norm": norm,
            "steps": self.steps,
        }


def train_epoch(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    chromosomes: list[ChromosomeData],
    reads: NetworkSettings,
    settings: OptimisationSettings,
    progress: EpochProgress,
    *,
    name: str,
    epoch: int,
    seed: int,
    save: Callable[[EpochProgress], None] = lambda progress: None,
) -> EpochProgress:
    """Train an epoch from where it stands to its end; `save` is called after every optimiser step.

    What is random (order, dropout) is a pure function of (seed, name, epoch) and the batch. Where several processes train
    together, each takes its share of the batches of a step, and gradients are added up. Raises InputError where the loss is
    not finite or a step has fewer batches than there are processes.
    """
    together, begun = settings.accumulate, progress.batches
    if together % world_size():
        raise InputError(
            f"training.accumulate: {together} is no multiple of the {world_size()} processes; set it to one"
        )
    network.train()
    if begun:
        log.info("%s, epoch %03d: goes on after %d batches", name, epoch, begun)
    turns = iterate_shuffled(
        chromosomes,
        settings.batch_people,
        reads,
        seed,
        epoch,
        lambda number: number >= begun and owns_batch(number),
    )
    started, first = time.perf_counter(), progress.steps
    for number in count(step=together):
        group = list(islice(turns, together))
        if not group:
            break
        if number < begun:
            continue
        mine = {number + place: pair for place, pair in enumerate(group) if pair}
        progress.batches += len(group)
        # The mean is over all hidden alleles of the step, however they are spread over its batches.
        labelled = int(all_reduce_sum(sum(count_labels(*pair) for pair in mine.values())))
        if not labelled:
            continue
        now = schedule_rate(progress.step, settings)
        for part in optimiser.param_groups:
            part["lr"] = now
        loss = 0.0
        for place, (batch, labels) in mine.items():
            torch.manual_seed(seed_of(seed, "training", name, epoch, place) % 2**63)
            loss += _add_gradient(network, batch, labels, settings, labelled)
        loss = all_reduce_sum(loss)
        all_reduce_gradients(network)
        norm = float(nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm))
        if not np.isfinite(loss + norm):
            raise InputError(
                f"{name}: the loss is {loss}, its gradient {norm}, at step {progress.step} (epoch {epoch}, batch {number}); "
                f"the last good epoch is kept; {CALMER}"
            )
        progress.norm += norm
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        progress.labelled, progress.loss = progress.labelled + labelled, progress.loss + loss
        progress.rate, progress.step, progress.steps = (
            progress.rate + now,
            progress.step + 1,
            progress.steps + 1,
        )
        save(progress)
        if progress.steps % STEPS_PER_LINE == 0:
            pace, mean = (
                (progress.steps - first) / (time.perf_counter() - started),
                progress.loss / progress.labelled,
            )
            log.info(
                "step %d: mean loss %.5f, learning rate %.2g, %.2f steps/s",
                progress.step,
                mean,
                now,
                pace,
            )
    if not progress.steps:
        raise InputError(
            f"{name}: nothing is hidden in epoch {epoch}; raise the rates of masks.training or people_per_window"
        )
    return progress


def count_labels(batch: Batch, labels: torch.Tensor) -> int:
    """Hidden alleles of a batch that are known."""
    return int((labels[:, batch.hidden[batch.core]] >= 0).sum())


def _add_gradient(
    network: nn.Module,
    batch: Batch,
    labels: torch.Tensor,
    settings: OptimisationSettings,
    labelled: int,
) -> float:
    device = next(network.parameters()).device
    batch, labels = batch.to(device), labels.to(device)
    with autocast(device, settings.precision):
        output = network(batch)
    loss, _ = compute_loss(output, batch, labels, settings)
    (loss / labelled).backward()
    return float(loss.detach())
