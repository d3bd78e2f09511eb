"""Confidence intervals by resampling people."""

from __future__ import annotations

import warnings

import numpy as np

CONFIDENCE = (2.5, 97.5)


def resample_people(people: int, draws: int, seed: int) -> np.ndarray:
    """How often each of n people counts: float64 [1 + draws, n].

    Everybody counts once in the first row; the others are drawn with replacement.
    """
    generator = np.random.default_rng(seed)
    resampled = generator.multinomial(people, np.full(people, 1 / people), size=draws)
    return np.concatenate([np.ones((1, people)), resampled]).astype(np.float64)


def find_interval(values: np.ndarray) -> np.ndarray:
    """Interval [2, ...] of a figure: values [1 + draws, ...], the first of all people.

    Percentiles of the resamplings about their own mean, carried to the figure: drawing people twice
    makes them look more alike than they are, which shifts r2 up, and the shift would otherwise sit
    in the interval.
    """
    if len(values) == 1:
        return np.stack([values[0], values[0]])
    with warnings.catch_warnings():
        # Where nothing is defined in any draw, the interval is not either.
        warnings.simplefilter("ignore", RuntimeWarning)
        about = values[1:] - np.nanmean(values[1:], axis=0)
        return values[0] + np.nanpercentile(about, CONFIDENCE, axis=0)
