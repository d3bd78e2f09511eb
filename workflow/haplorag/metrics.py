"""Judges imputed dosages and alleles against the truth, by frequency bin."""

from __future__ import annotations

import numpy as np


def bin_of(frequency: np.ndarray, edges: list[float]) -> np.ndarray:
    """Bin number of each site by MAF, int [site]; bins are [edge, next edge), the last one closed, -1 outside."""
    maf = np.minimum(frequency, 1 - frequency)
    number = np.searchsorted(edges, maf, side="right") - 1
    number[maf == edges[-1]] = len(edges) - 2
    return np.where(number > len(edges) - 2, -1, number)


def dosage_r2_by_site(dosage: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Squared correlation of dosage with true genotype at each site: float [site].

    Both are [person, site]; truth is 0, 1, 2 and -1 where unknown. NaN where the truth does not vary among these people (not
    defined), 0 where it does but the dosage does not.
    """
    return r2_of_moments(sum_moments(dosage, truth, np.ones((1, len(dosage)))))[0]


def sum_moments(dosage: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sums over people of 1, d, t, d d, t t, d t: float64 [6, draw, site].

    dosage and truth [person, site] (truth -1 where unknown), weights [draw, person]: how often each person counts.
    """
    known = (truth >= 0).astype(np.float64)
    d, t = dosage.astype(np.float64) * known, truth * known
    return np.stack([weights @ product for product in (known, d, t, d * d, t * t, d * t)])


def r2_of_moments(moments: np.ndarray) -> np.ndarray:
    """Squared correlation [...] from sums [6, ...]; NaN where the truth does not vary, 0 where only the dosage does not."""
    number, d, t, dd, tt, dt = moments
    with np.errstate(divide="ignore", invalid="ignore"):
        variance_d, variance_t = dd - d * d / number, tt - t * t / number
        covariance = dt - d * t / number
        r2 = covariance**2 / (variance_d * variance_t)
    # Sums of float products leave a residue where nothing varies.
    still = variance_d <= 1e-9 * np.maximum(number, 1)
    r2 = np.where(still, 0.0, np.minimum(r2, 1.0))
    return np.where((number < 2) | (variance_t <= 1e-9 * np.maximum(number, 1)), np.nan, r2)


def allele_scores(probability: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """F1, precision and recall of the ALT allele, and accuracy, calling ALT above one half; truth -1 does not count."""
    known = truth >= 0
    called, true = (probability > 0.5) & known, truth == 1
    hits = int((called & true).sum())
    precision = hits / max(int(called.sum()), 1)
    recall = hits / max(int(true.sum()), 1)
    return {
        "f1": 2 * hits / max(int(called.sum()) + int(true.sum()), 1),
        "precision": precision,
        "recall": recall,
        "accuracy": int(((called == true) & known).sum()) / max(int(known.sum()), 1),
    }


def genotype_scores(probability: np.ndarray, alleles: np.ndarray, minor_is_alt: np.ndarray) -> dict[str, float]:
    """Aggregate r2, concordance, non-reference concordance and Brier score over many sites.

    probability float and alleles int8 are [person, site, 2]. Aggregate r2 pools all genotypes, counted in minor alleles
    (`minor_is_alt` bool [site]); non-reference concordance leaves out genotypes that are 0 both in truth and call; the Brier
    score is the mean squared error of allele probabilities.
    """
    known = (alleles >= 0).all(axis=2)
    truth, dosage = alleles.sum(axis=2), probability.sum(axis=2, dtype=np.float64)
    call = np.where(probability > 0.5, 1, 0).sum(axis=2)
    polarised = [np.where(minor_is_alt, values, 2 - values)[known][:, None] for values in (dosage, truth)]
    same, carried = (call == truth) & known, ((call > 0) | (truth > 0)) & known
    squared = (probability.astype(np.float64) - alleles) ** 2
    return {
        "aggregate_r2": float(dosage_r2_by_site(*polarised)[0]) if known.any() else float("nan"),
        "concordance": same.sum() / max(known.sum(), 1),
        "nonref_concordance": (same & carried).sum() / max(carried.sum(), 1),
        "brier": float(squared[alleles >= 0].mean()) if (alleles >= 0).any() else float("nan"),
    }


def calibrate(probability: np.ndarray, truth: np.ndarray, bins: int = 20) -> np.ndarray:
    """Reliability of probabilities in equal bins: rows of count, mean probability, share truly ALT; float [bins, 3]."""
    known = truth >= 0
    number = np.minimum((probability[known] * bins).astype(int), bins - 1)
    sums = [np.bincount(number, weights, bins) for weights in (None, probability[known], truth[known])]
    count = np.maximum(sums[0], 1)
    return np.stack([sums[0], sums[1] / count, sums[2] / count], axis=1)


def resample_people(people: int, draws: int, seed: int) -> np.ndarray:
    """How often each person counts: once in the first row, as drawn with replacement in the others; float [1 + draws, n]."""
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(people, np.full(people, 1 / people), size=draws)
    return np.concatenate([np.ones((1, people)), drawn]).astype(np.float64)
