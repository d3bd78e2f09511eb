"""Decides which sites are hidden.

Pure functions of a seed, names, frequencies and positions, never of a genotype.
"""

from __future__ import annotations

import numpy as np

from haplorag.panel.frequencies import COMMON_MAF, MAF_EDGES
from haplorag.seeding import seed_of
from haplorag.settings import Curriculum, Mask

# Share of sites below COMMON_MAF that `af_guided` hides, whatever the rate.
RARE_HIDDEN = 0.7


def choose_rate(curriculum: Curriculum, epoch: int) -> float:
    """Share hidden in an epoch (the first is 1): the next of the rates every few epochs, the last
    for ever.
    """
    return curriculum.rates[min((epoch - 1) // curriculum.every, len(curriculum.rates) - 1)]


def draw_mask(
    mask: Mask, rate: float, frequency: np.ndarray, position: np.ndarray, seed: int
) -> np.ndarray:
    """Draw which of a window's core sites are hidden.

    `frequency` float [S] is the ALT frequency among reference people, `position` int [S] is in bp;
    gives bool [S], True where hidden. `rate` is the share hidden, but for `af_guided`, where it is
    the share hidden of common sites.
    """
    generator = np.random.default_rng(seed)
    maf = np.minimum(frequency, 1 - frequency)
    sites = len(maf)
    if mask.strategy == "random":
        return generator.random(sites) < rate
    if mask.strategy == "af_guided":
        return generator.random(sites) < np.where(maf < COMMON_MAF, RARE_HIDDEN, rate)
    if mask.strategy == "span":
        return _hide_span(sites, rate, generator)
    if mask.strategy == "maf_stratified":
        return _hide_stratified(maf, rate, generator)
    if mask.strategy == "array":
        return _hide_all_but_array(maf, position, rate, generator)
    raise ValueError(f"strategy {mask.strategy} is read from a file, not drawn")


def draw_chromosome(
    mask: Mask,
    rate: float,
    frequency: np.ndarray,
    position: np.ndarray,
    cores: np.ndarray,
    seed: int,
    *names: object,
) -> np.ndarray:
    """Draw a mask over a whole chromosome, each window's core on its own: bool [site], True where
    hidden.

    `cores` int [W, 2] are half-open site ranges that tile the chromosome, so that windows agree
    where their flanks overlap; window `w` depends on (seed, names, w) only.
    """
    hidden = np.zeros(len(frequency), dtype=bool)
    for window, (start, stop) in enumerate(cores):
        part = slice(start, stop)
        hidden[part] = draw_mask(
            mask, rate, frequency[part], position[part], seed_of(seed, *names, window)
        )
    return hidden


def tabulate_rates(
    names: list[str], hidden: np.ndarray, frequency: np.ndarray
) -> list[dict[str, object]]:
    """Count hidden sites of each mask by MAF class; `hidden` is bool [M, site]."""
    maf_class = np.digitize(np.minimum(frequency, 1 - frequency), MAF_EDGES)
    labels = ["below 0.5 %", "0.5-1 %", "1-5 %", "5-50 %"]
    return [
        {
            "mask": name,
            "maf_class": label,
            "sites": int((maf_class == number).sum()),
            "hidden": int(row[maf_class == number].sum()),
            "rate": float(row[maf_class == number].mean())
            if (maf_class == number).any()
            else float("nan"),
        }
        for name, row in zip(names, hidden, strict=True)
        for number, label in enumerate(labels)
    ]


def _hide_span(sites: int, rate: float, generator: np.random.Generator) -> np.ndarray:
    length = round(rate * sites)
    start = generator.integers(0, sites - length + 1)
    hidden = np.zeros(sites, dtype=bool)
    hidden[start : start + length] = True
    return hidden


def _hide_stratified(maf: np.ndarray, rate: float, generator: np.random.Generator) -> np.ndarray:
    hidden = np.zeros(len(maf), dtype=bool)
    maf_class = np.digitize(maf, MAF_EDGES)
    for number in range(len(MAF_EDGES) + 1):
        members = np.flatnonzero(maf_class == number)
        # The fraction of a site left over is hidden by chance, so that small windows keep the rate
        # on average.
        count = int(np.floor(rate * len(members) + generator.random()))
        hidden[generator.permutation(members)[:count]] = True
    return hidden


def _hide_all_but_array(
    maf: np.ndarray, position: np.ndarray, rate: float, generator: np.random.Generator
) -> np.ndarray:
    """Keep common sites typed, about evenly spaced along the positions as on a SNP array, at most
    (1 - rate) of all sites.
    """
    common = np.flatnonzero(maf > COMMON_MAF)
    count = min(len(common), int(np.floor((1 - rate) * len(maf) + generator.random())))
    hidden = np.ones(len(maf), dtype=bool)
    if count:
        slots = np.linspace(position[0], position[-1] + 1, count + 1)
        slot = np.digitize(position[common], slots[1:-1])
        shuffled = generator.permutation(len(common))
        # One site of each slot that has any, then others at random until the count is reached.
        first = shuffled[np.unique(slot[shuffled], return_index=True)[1]]
        rest = shuffled[~np.isin(shuffled, first)]
        hidden[common[np.concatenate([first, rest])[:count]]] = False
    return hidden
