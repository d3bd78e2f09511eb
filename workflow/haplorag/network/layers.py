"""A few fully connected layers that correct an answer, trained in seconds."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from haplorag.settings import MixtureSettings

EXAMPLES_A_STEP = 2048
WEIGHT_DECAY = 1e-4


def train_layers(
    features: np.ndarray,
    start: np.ndarray,
    answers: np.ndarray,
    settings: MixtureSettings,
    seed: int,
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Train three layers whose one number is added to a logit, by cross-entropy.

    `features` float32 [example, F] are of about the same size, `start` float32 [example] is the
    logit that is corrected, `answers` bool [example]. Gives weights float32 [out, in] and biases
    [out]. On one thread, so that they are the same again.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        network = _build(features.shape[1], settings.width, seed)
        _fit(network, features, start, answers, settings, seed)
    finally:
        torch.set_num_threads(threads)
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    return tuple((layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in layers)


def _fit(
    network: nn.Sequential,
    features: np.ndarray,
    start: np.ndarray,
    answers: np.ndarray,
    settings: MixtureSettings,
    seed: int,
) -> None:
    seen, logit = torch.from_numpy(features), torch.from_numpy(start)
    wanted = torch.from_numpy(answers.astype(np.float32))
    generator = torch.Generator().manual_seed(seed)
    steps = settings.epochs * -(-len(seen) // EXAMPLES_A_STEP)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=max(steps, 2)
    )
    for _ in range(settings.epochs):
        for some in torch.randperm(len(seen), generator=generator).split(EXAMPLES_A_STEP):
            corrected = logit[some] + network(seen[some])[:, 0]
            loss = binary_cross_entropy_with_logits(corrected, wanted[some])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def _build(features: int, width: int, seed: int) -> nn.Sequential:
    """Layers with SiLU between them, of which the last gives nothing yet."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [(features, width), (width, width), (width, 1)]
    network = nn.Sequential()
    for number, (inside, outside) in enumerate(sizes):
        if number:
            network.append(nn.SiLU())
        layer = nn.Linear(inside, outside)
        bound = inside**-0.5 if number + 1 < len(sizes) else 0.0
        with torch.no_grad():
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.zero_()
        network.append(layer)
    return network
