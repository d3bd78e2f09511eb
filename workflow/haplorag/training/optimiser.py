"""The optimiser and its learning-rate schedule."""

from __future__ import annotations

import math

import torch
from torch import nn

from haplorag.settings import OptimisationSettings

# The share of the learning rate that warm-up starts from.
WARMUP_START = 0.2


def schedule_rate(step: int, settings: OptimisationSettings) -> float:
    """Learning rate of an optimiser step (the first is 0): a linear warm-up, then the schedule."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (
            WARMUP_START + (1 - WARMUP_START) * step / settings.warmup_steps
        )
    if settings.schedule == "inverse_sqrt":
        return settings.learning_rate * math.sqrt(max(settings.warmup_steps, 1) / max(step, 1))
    if settings.schedule == "cosine":
        share = min((step - settings.warmup_steps) / settings.schedule_steps, 1.0)
        return settings.learning_rate * (1 + math.cos(math.pi * share)) / 2
    return settings.learning_rate


def build_optimiser(network: nn.Module, settings: OptimisationSettings) -> torch.optim.AdamW:
    """AdamW; norms, biases, scales and Fourier frequencies do not decay."""
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in network.named_parameters():
        groups[parameter.ndim > 1 and not name.endswith("frequencies")].append(parameter)
    return torch.optim.AdamW(
        [
            {"params": groups[True], "weight_decay": settings.weight_decay},
            {"params": groups[False], "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
    )
