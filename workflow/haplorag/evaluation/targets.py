"""How well a target was imputed: the R2 that it expects of itself, and r2 where it is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from haplorag.evaluation.metrics import (
    dosage_r2_by_site,
    group_by_maf,
    list_site_groups,
    r2_of_moments,
    sum_moments,
)
from haplorag.settings import EvaluationSettings

# Sites of this R2 or more are what association studies usually keep.
WELL_IMPUTED = 0.8
COLUMNS = [
    "group", "kind", "sites", "mean_R2", "well_imputed", "scored_sites", "r2", "aggregate_r2"
]  # fmt: skip


class TargetAccuracy:
    """Collects a target's imputed sites: frequency of ALT in the reference, R2, and r2."""

    def __init__(self) -> None:
        self._facts: list[tuple[float, float, float]] = []
        self._moments: list[np.ndarray] = []

    def add(
        self,
        frequency: float,
        estimated: float,
        dosage: np.ndarray | None,
        truth: np.ndarray | None,
    ) -> None:
        """Take a site: dosage float [n] and true genotypes int [n], None where they are unknown."""
        r2 = np.nan
        moments = np.zeros(6)
        if dosage is not None and truth is not None:
            r2 = dosage_r2_by_site(dosage[:, None], truth[:, None])[0]
            minor_is_alt = frequency <= 0.5
            known = truth >= 0
            counted = np.where(known & ~minor_is_alt, 2 - truth, truth)
            expected = dosage if minor_is_alt else 2 - dosage
            everybody = np.ones((1, len(truth)))
            moments = sum_moments(expected[:, None], counted[:, None], everybody)[:, 0, 0]
        self._facts.append((frequency, estimated, r2))
        self._moments.append(moments)

    def tabulate(self, settings: EvaluationSettings) -> pd.DataFrame:
        """Rows of groups of sites by MAF in the reference.

        Sites, mean R2, share with an R2 of at least `WELL_IMPUTED`; and where the truth is known
        the sites where it varies, their mean r2, and the r2 over all genotypes at once.
        """
        facts = np.array(self._facts).reshape(-1, 3)
        moments = np.array(self._moments).reshape(-1, 6)
        _, members = group_by_maf(facts[:, 0], settings.maf_bins, settings.rare_maf)
        rows = []
        for group, chosen in zip(list_site_groups(settings.maf_bins), members, strict=True):
            _, estimated, r2 = facts[chosen].T
            defined = r2[~np.isnan(r2)]
            rows.append(
                (
                    group.name, group.kind, len(estimated), _average(estimated),
                    _average(estimated >= WELL_IMPUTED), len(defined), _average(defined),
                    float(r2_of_moments(moments[chosen].sum(axis=0))),
                )
            )  # fmt: skip
        return pd.DataFrame(rows, columns=COLUMNS)


def _average(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else np.nan
