"""Judges a network at the fixed masks of validation."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from haplorag.alleles import sum_dosages, sum_genotypes
from haplorag.dataset.batches import WindowBatch, iterate_in_order
from haplorag.dataset.chromosome import ChromosomeData
from haplorag.errors import InputError
from haplorag.evaluation.metrics import (
    COUNTS,
    count_people,
    dosage_r2_by_site,
    group_by_maf,
    is_maf_bin,
    list_site_groups,
    score_counts,
)
from haplorag.network.device import autocast, telling_what_to_lower
from haplorag.panel.frequencies import COMMON_MAF, MAF_EDGES
from haplorag.prefetch import prefetching
from haplorag.settings import NetworkSettings, OptimisationSettings
from haplorag.training.history import MaskScores
from haplorag.training.loss import compute_loss

log = logging.getLogger(__name__)
EDGES = [0.0, *MAF_EDGES.tolist(), 0.5]
GROUPS = [group.name for group in list_site_groups(EDGES)]
SECONDS_PER_LINE = 10.0
CALMER = "lower training.learning_rate or clip_norm, or set precision to float32"


class JudgedBatch(NamedTuple):
    """Summed loss of a batch, the alleles it is summed over, and at hidden sites the probability of
    ALT float32 and the true alleles int8 (-1 where missing), both [n, H, 2]."""

    loss: float
    alleles: int
    probability: np.ndarray
    truth: np.ndarray


@dataclass
class MaskSums:
    """Sums over all windows under one mask: of the loss and its alleles, and by group of sites of
    what is counted [G, 14], of r2 [G] and of the sites where it is defined [G]."""

    loss: float = 0.0
    alleles: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros((len(GROUPS), len(COUNTS))))
    r2: np.ndarray = field(default_factory=lambda: np.zeros(len(GROUPS)))
    sites: np.ndarray = field(default_factory=lambda: np.zeros(len(GROUPS)))

    def add(self, window: list[JudgedBatch], frequency: np.ndarray) -> None:
        """Add all batches of a window, given the frequency of ALT float [H] at its hidden sites."""
        self.loss += sum(batch.loss for batch in window)
        self.alleles += sum(batch.alleles for batch in window)
        probability = np.concatenate([batch.probability for batch in window])
        truth = np.concatenate([batch.truth for batch in window])
        _, members = group_by_maf(frequency, EDGES, COMMON_MAF)
        counts = count_people(probability, truth, members, frequency <= 0.5)
        self.counts += counts.sum(axis=0)
        r2 = dosage_r2_by_site(sum_dosages(probability, truth), sum_genotypes(truth))
        self.r2 += members @ np.nan_to_num(r2)
        self.sites += members.astype(float) @ ~np.isnan(r2)

    def score(self) -> MaskScores:
        """Mean loss and scores. Raises InputError where the loss is not finite."""
        loss = self.loss / max(self.alleles, 1)
        if not np.isfinite(loss):
            raise InputError(
                f"the loss on validation people is {loss}; the last good epoch is kept; {CALMER}"
            )
        r2 = self.r2 / np.where(self.sites > 0, self.sites, np.nan)
        scores = score_counts(self.counts) | {"r2": r2}
        groups = {
            group: {name: _give_number(values[row]) for name, values in scores.items()}
            for row, group in enumerate(GROUPS)
        }
        return MaskScores(loss, groups)


@torch.inference_mode()
def validate(
    network: nn.Module,
    chromosomes: list[ChromosomeData],
    reads: NetworkSettings,
    settings: OptimisationSettings,
) -> dict[str, MaskScores]:
    """Judge a network on the fixed draw: by mask the loss, and by group of sites its scores.

    Groups are MAF bins, all, rare and common sites. At most `validation_people` people count, the
    first ones. A score that is not defined is None. Raises InputError where a loss is not finite.
    """
    network.eval()
    sums: dict[str, MaskSums] = {}
    total = sum(len(one.retrieved.group()) for one in chromosomes)
    done, said = 0, time.monotonic()
    people = settings.batch_people
    for chromosome in chromosomes:
        batches = iterate_in_order(chromosome, people, reads, settings.validation_people)
        with prefetching(batches) as ready:
            for mask, sites, window in _judge_windows(network, chromosome, ready, settings):
                name = chromosome.names[mask]
                sums.setdefault(name, MaskSums()).add(
                    window, chromosome.frequencies.frequency[sites]
                )
                done += 1
                if time.monotonic() - said >= SECONDS_PER_LINE:
                    said = time.monotonic()
                    log.info("validation: %d of %d windows", done, total)
    return {mask: total.score() for mask, total in sums.items()}


def score_validation(scores: dict[str, MaskScores], figure: str) -> float:
    """One number to stop on, higher is better, the mean over masks.

    `figure` is `loss` (minus it), `f1` of all sites, or `r2`, the mean over MAF bins.
    """
    return float(np.mean([_score_mask(mask, figure) for mask in scores.values()]))


def _score_mask(scores: MaskScores, figure: str) -> float:
    if figure == "loss":
        return -scores.loss
    if figure == "f1":
        return scores.groups["all"]["f1"] or 0.0
    bins = [values["r2"] for group, values in scores.groups.items() if is_maf_bin(group)]
    defined = [r2 for r2 in bins if r2 is not None]
    return float(np.mean(defined)) if defined else 0.0


def _judge_windows(
    network: nn.Module,
    chromosome: ChromosomeData,
    batches: Iterable[WindowBatch],
    settings: OptimisationSettings,
) -> Iterator[tuple[int, np.ndarray, list[JudgedBatch]]]:
    """Mask, hidden sites int64 [H] and judged batches of each window under each mask."""
    for (mask, window), group in groupby(batches, key=lambda batch: (batch.mask, batch.window)):
        sites = np.arange(*chromosome.windows.cores[window])
        hidden = sites[chromosome.hidden[mask][sites]]
        yield mask, hidden, [_judge_batch(network, piece, settings) for piece in group]


def _judge_batch(
    network: nn.Module, piece: WindowBatch, settings: OptimisationSettings
) -> JudgedBatch:
    device = next(network.parameters()).device
    batch = piece.batch.to(device)
    labels = piece.labels.to(device)
    lowering = telling_what_to_lower("training.batch_people", settings.batch_people)
    with lowering, autocast(device, settings.precision):
        output = network(batch)
    loss, alleles = compute_loss(output, batch, labels, settings)
    probability = torch.softmax(output.haplotypes.float(), dim=-1)[..., 1]
    hidden = batch.hidden[batch.core]
    return JudgedBatch(
        float(loss),
        int(alleles),
        _take_hidden(probability, hidden),
        _take_hidden(labels, hidden),
    )


def _take_hidden(values: torch.Tensor, hidden: torch.Tensor) -> np.ndarray:
    """Values [2n, L] at hidden sites, as [n, H, 2] on the CPU."""
    taken = values[:, hidden].cpu().numpy()
    return taken.reshape(len(taken) // 2, 2, -1).swapaxes(1, 2)


def _give_number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
