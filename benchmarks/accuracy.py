"""What the benchmarks share of accuracy: mean dosage r2 by MAF bin, and its lead over others'."""

import numpy as np

from haplorag.evaluation.bootstrap import find_interval
from haplorag.evaluation.metrics import (
    group_by_maf,
    list_site_groups,
    r2_of_moments,
    sum_moments,
)

EDGES = [0, 0.001, 0.005, 0.01, 0.05, 0.5]
BINS = len(EDGES) - 1
# Sites whose moments are in memory at a time: 40 MB with 200 resamplings.
SITES = 4_000


def name_bins() -> list[str]:
    """Names of the MAF bins between `EDGES`."""
    return [group.name for group in list_site_groups(EDGES)[:BINS]]


def find_bins(frequency: np.ndarray) -> np.ndarray:
    """The MAF bins between `EDGES`, bool [bin, site], of frequencies [site]."""
    return group_by_maf(frequency, EDGES, 0.05)[1][:BINS]


def average_r2(
    dosage: np.ndarray, truth: np.ndarray, bins: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Mean dosage r2 by MAF bin over the sites where it is defined: float64 [draw, bin].

    dosage and truth are [person, site] (truth -1 where unknown), bins bool [bin, site]; weights
    [draw, person] say how often each person counts (`resample_people`). NaN where a bin has no such
    site. Whether r2 is defined depends on the truth alone: all that is set beside each other is
    averaged over the same sites.
    """
    sums, sites = np.zeros((2, len(weights), len(bins)))
    for start in range(0, dosage.shape[1], SITES):
        part = np.s_[:, start : start + SITES]
        r2 = r2_of_moments(sum_moments(dosage[part], truth[part], weights))
        members = bins[part].T.astype(np.float64)
        sums += np.nan_to_num(r2) @ members
        sites += np.isfinite(r2).astype(np.float64) @ members
    with np.errstate(invalid="ignore"):
        return sums / sites


def find_lead(r2: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """How much higher r2 is than that of the best of others, in each bin: float64 [3, bin].

    The difference, and the lower and the upper end of its 95 % interval; all [1 + draw, bin], of
    everybody and of people resampled, the same for all. Which is the best is told by everybody.
    """
    stacked = np.stack(others)
    best = stacked[:, 0].argmax(axis=0)
    lead = r2 - np.take_along_axis(stacked, best[None, None], axis=0)[0]
    return np.stack([lead[0], *find_interval(lead)])
