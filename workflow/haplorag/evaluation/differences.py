"""Differences between methods, each with its own interval: both judged in the same people."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.evaluation.bootstrap import find_interval
from haplorag.evaluation.metrics import ALL, SiteGroup, score_tally
from haplorag.evaluation.tables import (
    StretchKey,
    TallyKey,
    read_evaluation,
    select_kind,
    select_metric,
    select_overall,
)
from haplorag.settings import PANEL_ONLY

COLUMNS = [
    "mask", "method", "versus", "population", "group", "kind", "reference", "value", "low", "high"
]  # fmt: skip


def describe_differences(
    tallies: dict[TallyKey, np.ndarray], groups: list[SiteGroup], references: dict[str, str]
) -> pd.DataFrame:
    """How much higher the mean r2 of `method` is than that of `versus`, with its interval.

    A row for each pair of methods, mask, super-population (empty for everybody) and group of sites,
    over all chromosomes; `reference` is what others are set beside at the mask. From tallies
    float64 [draw, G, 17]. The bootstrap draws the same people
    for both methods, so that what makes a person hard for both drops out.
    """
    scores: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for key, tally in tallies.items():
        if key.chromosome is None:
            place = key.mask, key.population or ""
            scores.setdefault(place, {})[key.method] = score_tally(tally)["r2"]
    parts = []
    for (mask, population), by_method in scores.items():
        for method, versus in combinations(by_method, 2):
            difference = by_method[method] - by_method[versus]
            low, high = find_interval(difference)
            where = {"mask": mask, "method": method, "versus": versus, "population": population}
            sites = {
                "group": [group.name for group in groups],
                "kind": [group.kind for group in groups],
                "reference": references[mask],
            }
            value = {"value": difference[0], "low": low, "high": high}
            parts.append(pd.DataFrame({**where, **sites, **value}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def read_differences(path: Path) -> pd.DataFrame:
    """Read the table of differences; everybody is empty text."""
    return read_evaluation(path).fillna({"population": ""})


def choose_references(accuracy: pd.DataFrame, peers: list[str]) -> dict[str, str]:
    """The method that others are set beside at each mask.

    It is the peer with the highest mean r2 over all sites; without peers, the model over the panel,
    which needs no training; without that, the method with the highest r2.
    """
    whole = select_kind(select_metric(select_overall(accuracy), "r2"), ALL)
    chosen = {}
    for mask, rows in whole.dropna(subset="value").groupby("mask", sort=False):
        r2 = rows.set_index("method")["value"]
        named = [method for method in peers if method in r2.index]
        plain = [PANEL_ONLY] if PANEL_ONLY in r2.index else list(r2.index)
        chosen[mask] = r2[named or plain].idxmax()
    return chosen


def describe_along(along: dict[StretchKey, np.ndarray], references: dict[str, str]) -> pd.DataFrame:
    """Mean r2 in stretches of the chromosomes, and how much higher it is than the reference's.

    From sums float64 [draw, stretch, 3]. Where `versus` is empty, `value` is the r2 itself, else
    the difference to that method; `sites` have an r2, `centre_bp` is their mean position.
    """
    parts = []
    for key, sums in along.items():
        reference = references.get(key.mask)
        parts.append(_describe_stretches(key, "", sums, _average(sums)))
        if reference is not None and reference != key.method:
            other = along[StretchKey(key.mask, reference, key.chromosome)]
            apart = _average(sums) - _average(other)
            parts.append(_describe_stretches(key, reference, sums, apart))
    return pd.concat(parts, ignore_index=True)


def _average(sums: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[..., 0] / sums[..., 1]


def _describe_stretches(
    key: StretchKey, versus: str, sums: np.ndarray, values: np.ndarray
) -> pd.DataFrame:
    """Rows of values [draw, stretch] where any site has an r2."""
    sites = sums[0, :, 1]
    some = np.flatnonzero(sites)
    low, high = find_interval(values[:, some])
    return pd.DataFrame(
        {
            "mask": key.mask, "method": key.method, "versus": versus,
            "chromosome": key.chromosome,
            "centre_bp": (sums[0, some, 2] / sites[some]).astype(int),
            "sites": sites[some].astype(int),
            "value": values[0, some], "low": low, "high": high,
        }
    )  # fmt: skip


def select_pair(differences: pd.DataFrame, method: str, versus: str) -> pd.DataFrame:
    """Rows of `method` minus `versus`, whichever of the two the table names first."""
    same = (differences["method"] == method) & (differences["versus"] == versus)
    turned = (differences["method"] == versus) & (differences["versus"] == method)
    rows = differences[turned]
    opposite = {"value": -rows["value"], "low": -rows["high"], "high": -rows["low"]}
    swapped = rows.assign(method=method, versus=versus, **opposite)
    return pd.concat([differences[same], swapped])
