"""Shapes what was counted into the long tables that figures and the report read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from haplorag.evaluation.bootstrap import find_interval
from haplorag.evaluation.metrics import score_tally

STRETCHES = 60


def describe_accuracy(
    key: tuple[str, str, str, str], tally: np.ndarray, names: list[str]
) -> pd.DataFrame:
    """Rows of mask, method, chromosome, population, group, sites, metric with its value and confidence interval."""
    parts = []
    for metric, values in score_tally(tally).items():
        low, high = find_interval(values)
        columns = {
            "group": names,
            "sites": tally[0, :, -1].astype(int),
            "scored_sites": tally[0, :, -2].astype(int),
        }
        parts.append(
            pd.DataFrame(
                {**columns, "metric": metric, "value": values[0], "low": low, "high": high}
            )
        )
    table = pd.concat(parts, ignore_index=True)
    for place, (name, value) in enumerate(
        zip(("mask", "method", "chromosome", "population"), key, strict=True)
    ):
        table.insert(place, name, value)
    return table


def describe_calibration(reliability: dict[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """Rows of mask, method, alleles, mean probability and share truly ALT, from sums [bins, 3] by mask and method."""
    rows = []
    for (mask, method), sums in reliability.items():
        for count, probability, alternate in sums[sums[:, 0] > 0]:
            means = {
                "alleles": int(count),
                "mean_probability": probability / count,
                "alternate_share": alternate / count,
            }
            rows.append({"mask": mask, "method": method, **means})
    return pd.DataFrame(rows)


def describe_recall(recalled: dict[str, np.ndarray], names: list[str]) -> pd.DataFrame:
    """Rows of mask, group, minor alleles and how many of them a neighbour carries, from counts [G, 2] by mask."""
    rows = [
        {"mask": mask, "group": name, "minor_alleles": int(alleles), "carried": int(carried)}
        for mask, counts in recalled.items()
        for name, (alleles, carried) in zip(names, counts, strict=True)
    ]
    return pd.DataFrame(rows, columns=["mask", "group", "minor_alleles", "carried"])


def average_along(
    mask: str, method: str, chromosome: str, position: np.ndarray, r2: np.ndarray
) -> list[dict[str, object]]:
    """Mean r2 in equal stretches of a chromosome."""
    edges = np.linspace(position[0], position[-1] + 1, STRETCHES + 1)
    place = np.digitize(position, edges[1:-1])
    defined = ~np.isnan(r2)
    number, total = (
        np.bincount(place[defined], minlength=STRETCHES),
        np.bincount(place[defined], r2[defined], STRETCHES),
    )
    where = {"mask": mask, "method": method, "chromosome": chromosome}
    return [
        {
            **where,
            "centre_bp": int(edges[row : row + 2].mean()),
            "sites": int(number[row]),
            "r2": total[row] / number[row],
        }
        for row in np.flatnonzero(number)
    ]


def summarise(
    table: pd.DataFrame, people: pd.DataFrame, histories: list[dict[str, Any]]
) -> dict[str, object]:
    """r2 by mask, group and method over all chromosomes and people, counts of people, and facts of the models."""
    whole = table[
        (table["chromosome"] == "all") & (table["population"] == "all") & (table["metric"] == "r2")
    ].dropna(subset="value")
    r2: dict[str, dict[str, dict[str, float]]] = {}
    for row in whole.itertuples():
        r2.setdefault(row.mask, {}).setdefault(row.group, {})[row.method] = round(row.value, 6)
    models = {}
    for facts in histories:
        models[facts["model"]] = {
            key: facts[key] for key in ("parameters", "best_epoch", "stopped")
        }
        models[facts["model"]]["epochs"] = len(facts["epochs"]) - 1
    return {"people": people["role"].value_counts().to_dict(), "models": models, "r2": r2}
