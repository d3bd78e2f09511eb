"""Judges a network at the fixed masks of validation."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import nn

from haplorag.dataset.batches import iterate_in_order
from haplorag.dataset.chromosome import ChromosomeData
from haplorag.errors import InputError
from haplorag.evaluation.metrics import count_people, dosage_r2_by_site, group_by_maf, score_counts
from haplorag.network.batch import Batch
from haplorag.network.device import autocast
from haplorag.panel.frequencies import COMMON_MAF, MAF_EDGES
from haplorag.settings import NetworkSettings, OptimisationSettings
from haplorag.training.loss import compute_loss

EDGES = [0.0, *MAF_EDGES.tolist(), 0.5]
CALMER = "lower training.learning_rate or clip_norm, or set precision to float32"


@torch.inference_mode()
def validate(
    network: nn.Module,
    chromosomes: list[ChromosomeData],
    reads: NetworkSettings,
    settings: OptimisationSettings,
) -> dict[str, dict[str, Any]]:
    """Judge a network on the fixed draw: by mask the loss, and by group of sites (MAF bins, all, rare, common) its scores.

    At most `validation_people` people count, the first ones. A figure that is not defined is None.
    """
    sums: dict[str, dict[str, Any]] = {}
    for chromosome in chromosomes:
        frequency = chromosome.frequencies.frequency
        pieces = iterate_in_order(
            chromosome, settings.batch_people, reads, settings.validation_people
        )
        for (mask, window), found in groupby(pieces, key=lambda piece: piece[:2]):
            sites = np.arange(*chromosome.windows.cores[window])
            hidden = sites[chromosome.hidden[mask][sites]]
            judged = [
                _judge_batch(network, batch, labels, settings) for _, _, _, batch, labels in found
            ]
            total = sums.setdefault(
                chromosome.names[mask],
                {"loss": 0.0, "number": 0, "counts": 0.0, "r2": 0.0, "sites": 0.0},
            )
            total["loss"] += sum(loss for loss, _, _, _ in judged)
            total["number"] += sum(number for _, number, _, _ in judged)
            probability, truth = (
                np.concatenate(parts)
                for parts in zip(*(found[2:] for found in judged), strict=True)
            )
            _, members = group_by_maf(frequency[hidden], EDGES, COMMON_MAF)
            total["counts"] += count_people(
                probability, truth, members, frequency[hidden] <= 0.5
            ).sum(axis=0)
            genotype = np.where((truth < 0).any(axis=2), -1, truth.sum(axis=2))
            r2 = dosage_r2_by_site(probability.sum(axis=2), genotype)
            total["r2"] += members @ np.nan_to_num(r2)
            total["sites"] += members.astype(float) @ ~np.isnan(r2)
    return {mask: _describe(total) for mask, total in sums.items()}


def score_validation(judged: dict[str, dict[str, Any]], figure: str) -> float:
    """One number to stop on, higher is better: minus the loss, mean r2 over MAF bins, or F1; averaged over masks."""
    values = []
    for found in judged.values():
        if figure == "loss":
            values.append(-found["loss"])
        elif figure == "f1":
            values.append(found["all"]["f1"] or 0.0)
        else:
            by_bin = [
                group["r2"]
                for name, group in found.items()
                if name[0].isdigit() and group["r2"] is not None
            ]
            values.append(float(np.mean(by_bin)) if by_bin else 0.0)
    return float(np.mean(values))


def _judge_batch(
    network: nn.Module, batch: Batch, labels: torch.Tensor, settings: OptimisationSettings
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
    shaped = [
        part[:, hidden].cpu().numpy().reshape(len(part) // 2, 2, -1).swapaxes(1, 2)
        for part in (probability, labels)
    ]
    return float(loss), int(number), shaped[0], shaped[1]


def _describe(total: dict[str, Any]) -> dict[str, Any]:
    names, _ = group_by_maf(np.zeros(0), EDGES, COMMON_MAF)
    described: dict[str, Any] = {"loss": total["loss"] / max(total["number"], 1)}
    if not np.isfinite(described["loss"]):
        raise InputError(
            f"the loss on validation people is {described['loss']}; the last good epoch is kept; {CALMER}"
        )
    scores = score_counts(total["counts"]) | {
        "r2": total["r2"] / np.where(total["sites"] > 0, total["sites"], np.nan)
    }
    for row, name in enumerate(names):
        described[name] = {
            key: None if np.isnan(values[row]) else float(values[row])
            for key, values in scores.items()
        }
    return described
