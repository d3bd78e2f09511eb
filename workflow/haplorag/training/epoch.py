"""One epoch of training, and validation at fixed masks."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, groupby, islice
from typing import Any

import numpy as np
import torch
from torch import nn

from haplorag.training import distributed as sharing
from haplorag.dataset.batches import Chromosome, in_order, take_turns
from haplorag.errors import InputError
from haplorag.masking import COMMON_MAF, MAF_EDGES, seed_of
from haplorag.evaluation.metrics import count_people, dosage_r2_by_site, group_sites, score_counts
from haplorag.network.batch import Batch
from haplorag.training.loss import compute_loss, schedule_rate
from haplorag.settings import Network, Optimisation

log = logging.getLogger(__name__)
EDGES = [0.0, *MAF_EDGES.tolist(), 0.5]
STEPS_PER_LINE = 50
CALMER = "lower training.learning_rate or clip_norm, or set precision to float32"
# Of glibc's malloc.h: numbers of mallopt's parameters.
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4


def choose_device(gpus: int, threads: int) -> torch.device:
    """A GPU where one is given and present, else the CPU with so many threads, on which the same is computed twice."""
    torch.set_num_threads(threads)
    _keep_memory()
    device = torch.device("cuda", sharing.rank_here()) if gpus and torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cpu":
        # Otherwise threads add up gradients in whatever order they come.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        # As use_deterministic_algorithms(True), without the two seconds in which that loads a compiler.
        torch.set_deterministic_debug_mode("error")
    log.info("on %s, %d threads%s", device, threads, "; no GPU was found" if gpus and device.type == "cpu" else "")
    return device


def _keep_memory() -> None:
    """Let the C library keep what is freed: large tensors come and go, and fresh pages cost a quarter of the time."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        for parameter, value in ((MMAP_MAX, 0), (TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, 2**26)):
            library.mallopt(parameter, value)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """bfloat16 where it is asked for and the device is a GPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16" and device.type == "cuda")


@dataclass
class Progress:
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
        return {"loss": self.loss / self.labelled, "learning_rate": rate, "gradient_norm": norm, "steps": self.steps}


def train_epoch(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    chromosomes: list[Chromosome],
    reads: Network,
    settings: Optimisation,
    progress: Progress,
    *,
    name: str,
    epoch: int,
    seed: int,
    save: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Train an epoch from where it stands to its end; `save` is called after every optimiser step.

    What is random (order, dropout) is a pure function of (seed, name, epoch) and the batch. Where several processes train
    together, each takes its share of the batches of a step, and gradients are added up. Raises InputError where the loss is
    not finite or a step has fewer batches than there are processes.
    """
    together, begun = settings.accumulate, progress.batches
    if together % sharing.count():
        raise InputError(f"training.accumulate: {together} is no multiple of the {sharing.count()} processes; set it to one")
    network.train()
    if begun:
        log.info("%s, epoch %03d: goes on after %d batches", name, epoch, begun)
    turns = take_turns(
        chromosomes, settings.batch_people, reads, seed, epoch, lambda number: number >= begun and sharing.is_mine(number)
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
        labelled = int(sharing.add_up(sum(count_labels(*pair) for pair in mine.values())))
        if not labelled:
            continue
        now = schedule_rate(progress.step, settings)
        for part in optimiser.param_groups:
            part["lr"] = now
        loss = 0.0
        for place, (batch, labels) in mine.items():
            torch.manual_seed(seed_of(seed, "training", name, epoch, place) % 2**63)
            loss += _add_gradient(network, batch, labels, settings, labelled)
        loss = sharing.add_up(loss)
        sharing.add_up_gradients(network)
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
        progress.rate, progress.step, progress.steps = progress.rate + now, progress.step + 1, progress.steps + 1
        save(progress)
        if progress.steps % STEPS_PER_LINE == 0:
            pace, mean = (progress.steps - first) / (time.perf_counter() - started), progress.loss / progress.labelled
            log.info("step %d: mean loss %.5f, learning rate %.2g, %.2f steps/s", progress.step, mean, now, pace)
    if not progress.steps:
        raise InputError(f"{name}: nothing is hidden in epoch {epoch}; raise the rates of masks.training or people_per_window")
    return progress


def count_labels(batch: Batch, labels: torch.Tensor) -> int:
    """Hidden alleles of a batch that are known."""
    return int((labels[:, batch.hidden[batch.core]] >= 0).sum())


def _add_gradient(network: nn.Module, batch: Batch, labels: torch.Tensor, settings: Optimisation, labelled: int) -> float:
    device = next(network.parameters()).device
    batch, labels = batch.to(device), labels.to(device)
    with autocast(device, settings.precision):
        output = network(batch)
    loss, _ = compute_loss(output, batch, labels, settings)
    (loss / labelled).backward()
    return float(loss.detach())


@torch.inference_mode()
def validate(
    network: nn.Module, chromosomes: list[Chromosome], reads: Network, settings: Optimisation
) -> dict[str, dict[str, Any]]:
    """Judge a network on the fixed draw: by mask the loss, and by group of sites (MAF bins, all, rare, common) its scores.

    At most `validation_people` people count, the first ones. A figure that is not defined is None.
    """
    sums: dict[str, dict[str, Any]] = {}
    for chromosome in chromosomes:
        frequency = chromosome.frequencies.frequency
        pieces = in_order(chromosome, settings.batch_people, reads, settings.validation_people)
        for (mask, window), found in groupby(pieces, key=lambda piece: piece[:2]):
            sites = np.arange(*chromosome.windows.cores[window])
            hidden = sites[chromosome.hidden[mask][sites]]
            judged = [_judge_batch(network, batch, labels, settings) for _, _, _, batch, labels in found]
            total = sums.setdefault(chromosome.names[mask], {"loss": 0.0, "number": 0, "counts": 0.0, "r2": 0.0, "sites": 0.0})
            total["loss"] += sum(loss for loss, _, _, _ in judged)
            total["number"] += sum(number for _, number, _, _ in judged)
            probability, truth = (np.concatenate(parts) for parts in zip(*(found[2:] for found in judged), strict=True))
            _, members = group_sites(frequency[hidden], EDGES, COMMON_MAF)
            total["counts"] += count_people(probability, truth, members, frequency[hidden] <= 0.5).sum(axis=0)
            genotype = np.where((truth < 0).any(axis=2), -1, truth.sum(axis=2))
            r2 = dosage_r2_by_site(probability.sum(axis=2), genotype)
            total["r2"] += members @ np.nan_to_num(r2)
            total["sites"] += members.astype(float) @ ~np.isnan(r2)
    return {mask: _describe(total) for mask, total in sums.items()}


def tell_costs(seconds: float, chromosomes: list[Chromosome]) -> dict[str, float]:
    """What an epoch on these chromosomes cost: time, pairs of person and window a second, and this process's peak memory."""
    items = sum(len(chromosome.retrieved.person) for chromosome in chromosomes)
    costs = {
        "seconds": seconds,
        "samples_per_second": items / seconds,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }
    if torch.cuda.is_available():
        costs["peak_gpu_memory_mb"] = torch.cuda.max_memory_allocated() / 1e6
    return costs


def score_of(judged: dict[str, dict[str, Any]], figure: str) -> float:
    """One number to stop on, higher is better: minus the loss, mean r2 over MAF bins, or F1; averaged over masks."""
    values = []
    for found in judged.values():
        if figure == "loss":
            values.append(-found["loss"])
        elif figure == "f1":
            values.append(found["all"]["f1"] or 0.0)
        else:
            by_bin = [group["r2"] for name, group in found.items() if name[0].isdigit() and group["r2"] is not None]
            values.append(float(np.mean(by_bin)) if by_bin else 0.0)
    return float(np.mean(values))


def _judge_batch(
    network: nn.Module, batch: Batch, labels: torch.Tensor, settings: Optimisation
) -> tuple[float, int, np.ndarray, np.ndarray]:
    """Loss sum, its number, and at hidden sites ALT probability and true alleles [n, S, 2]."""
    device = next(network.parameters()).device
    batch, labels = batch.to(device), labels.to(device)
    network.eval()
    with autocast(device, settings.precision):
        output = network(batch)
    loss, number = compute_loss(output, batch, labels, settings)
    hidden = batch.hidden[batch.core]
    probability = torch.softmax(output.haplotypes.float(), dim=-1)[..., 1]
    shaped = [part[:, hidden].cpu().numpy().reshape(len(part) // 2, 2, -1).swapaxes(1, 2) for part in (probability, labels)]
    return float(loss), int(number), shaped[0], shaped[1]


def _describe(total: dict[str, Any]) -> dict[str, Any]:
    names, _ = group_sites(np.zeros(0), EDGES, COMMON_MAF)
    described: dict[str, Any] = {"loss": total["loss"] / max(total["number"], 1)}
    if not np.isfinite(described["loss"]):
        raise InputError(f"the loss on validation people is {described['loss']}; the last good epoch is kept; {CALMER}")
    scores = score_counts(total["counts"]) | {"r2": total["r2"] / np.where(total["sites"] > 0, total["sites"], np.nan)}
    for row, name in enumerate(names):
        described[name] = {key: None if np.isnan(values[row]) else float(values[row]) for key, values in scores.items()}
    return described
