"""Genetic maps: positions in cM."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from haplorag.errors import InputError

CENTIMORGAN_PER_BP = 1e-6


def locate_sites(position: np.ndarray, genetic_map: Path | None) -> np.ndarray:
    """Genetic position of each site in cM, float64 [site]: from a PLINK map, beyond its ends and
    without one 1 cM per Mb.
    """
    if genetic_map is None:
        return position * CENTIMORGAN_PER_BP
    try:
        points = np.loadtxt(genetic_map, usecols=(2, 3), ndmin=2)
    except (OSError, ValueError, IndexError) as error:
        raise InputError(
            f"{genetic_map}: not a PLINK map ({error}); give four columns: chromosome . cM bp"
        ) from error
    centimorgan, bp = points.T
    if not len(bp) or (np.diff(bp) <= 0).any() or (np.diff(centimorgan) < 0).any():
        line = int(np.argmax((np.diff(bp) <= 0) | (np.diff(centimorgan) < 0))) + 2 if len(bp) else 1
        raise InputError(
            f"{genetic_map}: line {line} does not rise in bp and cM; sort the map by position"
        )
    inside = np.interp(position, bp, centimorgan)
    return (
        inside
        + (np.minimum(position - bp[0], 0) + np.maximum(position - bp[-1], 0)) * CENTIMORGAN_PER_BP
    )
