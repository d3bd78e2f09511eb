"""The parameters of Li and Stephens' model: how often copying switches, and how often it errs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from haplorag.settings import CopyingSetting, RateSettings

# However near two sites are: without any switch a weight once lost would never come back.
MIN_SWITCH = 1e-7
# Bounds of the probability of a mismatch, whatever a setting makes of it.
MIN_MISMATCH, MAX_MISMATCH = 2e-4, 0.3


@dataclass(frozen=True, eq=False)
class CopyingModel:
    """How haplotypes copy along a chromosome, at each of its sites.

    `distance` float64 [site] is the number of switches expected from the first site on, `mismatch`
    float32 [site] the probability that an allele is not the copied one. `settings` are those under
    which haplotypes are followed, each with factors on these; the answer is their mean, or what a
    mixture makes of it.
    """

    distance: np.ndarray
    mismatch: np.ndarray
    settings: tuple[CopyingSetting, ...]


def assume_model(centimorgan: np.ndarray, settings: RateSettings) -> CopyingModel:
    """The model before anything is estimated, at genetic positions [site]: the same everywhere."""
    distance = (centimorgan - centimorgan[:1]).astype(np.float64) * settings.switches_per_cm
    mismatch = np.full(len(distance), settings.mismatch, dtype=np.float32)
    return CopyingModel(distance, mismatch, tuple(settings.settings))


def chance_of_switch(distance: np.ndarray, setting: CopyingSetting) -> np.ndarray:
    """Probability of a switch where so many are expected, under a setting; float32."""
    chance = -np.expm1(-np.maximum(distance, 0) * setting.switching)
    return np.maximum(chance, MIN_SWITCH).astype(np.float32)


def chance_of_mismatch(mismatch: np.ndarray, setting: CopyingSetting) -> np.ndarray:
    """Probability of a mismatch under a setting; float32."""
    chance = np.clip(mismatch * setting.mismatch, MIN_MISMATCH, MAX_MISMATCH)
    return chance.astype(np.float32)
