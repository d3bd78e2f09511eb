"""A few fully connected layers that correct an answer, trained in a second or two.

In numpy, and by hand: to load torch takes several times as long as to train so few numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from haplorag.settings import MixtureSettings

# Examples a step, in blocks so small that BLAS takes each by one thread, however many it has: the
# last bits depend on how it shares its work out.
EXAMPLES_A_STEP, EXAMPLES_A_BLOCK = 2048, 128
WEIGHT_DECAY = 1e-4
# How long Adam remembers slopes and their squares, and what keeps it from dividing by 0.
MEMORY, MEMORY_OF_SQUARES, LEAST = 0.9, 0.999, 1e-8
# The rate rises over a share of the steps from a part of the largest, then falls to nearly nothing.
RISE, FIRST_RATE, LAST_RATE = 0.3, 0.04, 4e-6
# More does not change what is added to 1, and float32 does not hold its power for long.
LARGEST_EXPONENT = 80.0

Layers = list[tuple[np.ndarray, np.ndarray]]


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
    [out]. By Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101), in
    one cycle of rates (Smith and Topin 2018, arXiv:1708.07120).
    """
    generator = np.random.default_rng(seed)
    layers = _draw_layers([features.shape[1], settings.width, settings.width, 1], generator)
    numbers = [number for layer in layers for number in layer]
    means, squares = ([np.zeros_like(number) for number in numbers] for _ in range(2))
    steps = settings.epochs * -(-len(features) // EXAMPLES_A_STEP)
    batches = _iterate_batches(len(features), settings.epochs, generator)
    for step, some in enumerate(batches, start=1):
        slopes = _find_slopes(layers, features[some], start[some], answers[some])
        rate = settings.learning_rate * _find_rate(step / steps)
        for number, slope, mean, square in zip(numbers, slopes, means, squares, strict=True):
            mean += (1 - MEMORY) * (slope - mean)
            square += (1 - MEMORY_OF_SQUARES) * (slope**2 - square)
            spread = np.sqrt(square / (1 - MEMORY_OF_SQUARES**step)) + LEAST
            number *= 1 - rate * WEIGHT_DECAY
            number -= rate / (1 - MEMORY**step) * mean / spread
    return tuple(layers)


def _draw_layers(sizes: list[int], generator: np.random.Generator) -> Layers:
    """Layers of which the last gives nothing yet."""
    layers = []
    for inside, outside in pairwise(sizes):
        bound = inside**-0.5 if outside > 1 else 0.0
        weight = generator.uniform(-bound, bound, (outside, inside)).astype(np.float32)
        layers.append((weight, np.zeros(outside, dtype=np.float32)))
    return layers


def _iterate_batches(
    examples: int, epochs: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Which examples each step sees, every one once an epoch."""
    for _ in range(epochs):
        order = generator.permutation(examples)
        yield from np.split(order, range(EXAMPLES_A_STEP, examples, EXAMPLES_A_STEP))


def _find_rate(share: float) -> float:
    """The rate after a share of the steps, beside the largest: along a cosine up, and down."""
    rises = share < RISE
    low, along = (FIRST_RATE, share / RISE) if rises else (LAST_RATE, (1 - share) / (1 - RISE))
    return float(low + (1 - low) * (1 - np.cos(np.pi * along)) / 2)


def _find_slopes(
    layers: Layers, features: np.ndarray, start: np.ndarray, answers: np.ndarray
) -> list[np.ndarray]:
    """Slopes of the mean cross-entropy in all weights and biases, layer by layer."""
    blocks, rows = -(-len(features) // EXAMPLES_A_BLOCK), len(features)
    seen = np.zeros((blocks * EXAMPLES_A_BLOCK, features.shape[1]), dtype=np.float32)
    seen[:rows] = features
    inputs, gates = [seen.reshape(blocks, EXAMPLES_A_BLOCK, -1)], []
    for weight, bias in layers[:-1]:
        sums = inputs[-1] @ weight.T + bias
        gates.append((sums, expit(sums)))
        inputs.append(sums * gates[-1][1])
    weight, bias = layers[-1]
    answer = (inputs[-1] @ weight.T + bias).reshape(-1)[:rows] + start
    slope = np.zeros((blocks, EXAMPLES_A_BLOCK, 1), dtype=np.float32)
    slope.reshape(-1)[:rows] = (expit(answer) - answers) / np.float32(rows)
    slopes: list[np.ndarray] = []
    for number in range(len(layers) - 1, -1, -1):
        here = slope.swapaxes(1, 2) @ inputs[number]
        slopes[:0] = [here.sum(axis=0), slope.sum(axis=(0, 1))]
        if number:
            sums, gate = gates[number - 1]
            slope = (slope @ layers[number][0]) * (gate * (1 + sums * (1 - gate)))
    return slopes


def expit(value: np.ndarray) -> np.ndarray:
    """The logistic function of values of any size, of their shape and dtype."""
    return 1 / (1 + np.exp(np.minimum(-value, LARGEST_EXPONENT)))
