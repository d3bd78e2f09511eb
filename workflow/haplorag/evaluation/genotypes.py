"""Judges imputed dosages beside true genotypes by frequency, with intervals over people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from haplorag.evaluation.bootstrap import find_interval, resample_people
from haplorag.evaluation.metrics import group_by_maf, list_site_groups, r2_of_moments, sum_moments
from haplorag.seeding import seed_of
from haplorag.settings import EvaluationSettings

# Sites that are counted at a time.
BLOCK = 1024
COLUMNS = ["group", "kind", "sites", "scored_sites", "metric", "value", "low", "high"]


class GenotypeAccuracy:
    """Adds up what is right and wrong at sites, for everybody and for each resampling of them."""

    def __init__(self, people: int, settings: EvaluationSettings, seed: int) -> None:
        self._settings = settings
        self._weights = resample_people(
            people, settings.bootstrap, seed_of(seed, "bootstrap", "all")
        )
        groups = len(list_site_groups(settings.maf_bins))
        draws = len(self._weights)
        # Sum of r2 and sites where it is defined; moments; genotypes known and right, and those of
        # them where either has ALT: [..., draw, G].
        self._r2 = np.zeros((2, draws, groups))
        self._moments = np.zeros((6, draws, groups))
        self._calls = np.zeros((4, draws, groups))
        self._sites = np.zeros(groups, dtype=np.int64)
        self._waiting: list[tuple[float, np.ndarray, np.ndarray]] = []

    def add(self, frequency: float | None, dosage: np.ndarray, truth: np.ndarray) -> None:
        """Take a site: frequency of ALT in a reference, dosage float [n], truth int8 [n] (-1
        unknown). Without a frequency that of the truth is taken.
        """
        known = truth[truth >= 0]
        share = frequency if frequency is not None else known.mean() / 2 if len(known) else 0.0
        self._waiting.append((share, dosage, truth))
        if len(self._waiting) == BLOCK:
            self._count()

    def _count(self) -> None:
        """Count the sites that wait for it."""
        if not self._waiting:
            return
        shares, dosages, truths = zip(*self._waiting, strict=True)
        self._waiting.clear()
        frequency, dosage, truth = np.array(shares), np.stack(dosages, 1), np.stack(truths, 1)
        settings = self._settings
        _, members = group_by_maf(frequency, settings.maf_bins, settings.rare_maf)
        groups = members.T.astype(np.float64)
        r2 = r2_of_moments(sum_moments(dosage, truth, self._weights))
        self._r2 += np.stack([np.nan_to_num(r2) @ groups, ~np.isnan(r2) @ groups])
        # Counted in minor alleles, so that sites of both kinds can be added up.
        turned = frequency > 0.5
        minor = np.where(turned, 2 - dosage, dosage)
        true_minor = np.where(turned & (truth >= 0), 2 - truth, truth)
        self._moments += sum_moments(minor, true_minor, self._weights) @ groups
        known = truth >= 0
        called = np.rint(dosage)
        right = known & (called == truth)
        carried = known & ((called > 0) | (truth > 0))
        for row, counted in enumerate((known, right, carried, carried & right)):
            self._calls[row] += self._weights @ counted.astype(np.float64) @ groups
        self._sites += members.sum(axis=1)

    def tabulate(self) -> pd.DataFrame:
        """Rows of group of sites and metric, with its value and its 95 % interval over people.

        `r2` is the mean dosage r2 of sites where the truth varies, `aggregate_r2` that over all
        genotypes, `concordance` the share of best guesses that are right, `nonref_concordance` that
        share where the guess or the truth has ALT.
        """
        self._count()
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = {
                "r2": self._r2[0] / self._r2[1],
                "aggregate_r2": r2_of_moments(self._moments),
                "concordance": self._calls[1] / self._calls[0],
                "nonref_concordance": self._calls[3] / self._calls[2],
            }
        groups = list_site_groups(self._settings.maf_bins)
        rows = []
        for metric, values in scores.items():
            low, high = find_interval(values)
            for number, group in enumerate(groups):
                counts = int(self._sites[number]), int(self._r2[1, 0, number])
                figures = float(values[0, number]), float(low[number]), float(high[number])
                rows.append((group.name, group.kind, *counts, metric, *figures))
        return pd.DataFrame(rows, columns=COLUMNS)
