"""The tables of the evaluation, all long: made from counts, read back for figures and report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from haplorag.errors import InputError
from haplorag.evaluation.bootstrap import find_interval
from haplorag.evaluation.metrics import MAF_BIN, SiteGroup, score_tally
from haplorag.io.tables import read_table

# Columns of text, whatever they look like; a mask may be called 1, a population NA.
TEXT = ("mask", "chromosome", "population", "draw", "group", "kind", "versus")


@dataclass(frozen=True)
class TallyKey:
    """Whose accuracy is tallied: None stands for all chromosomes, or for everybody."""

    mask: str
    method: str
    chromosome: str | None
    population: str | None


@dataclass(frozen=True)
class StretchKey:
    """Whose accuracy along a chromosome is added up."""

    mask: str
    method: str
    chromosome: str


@dataclass(frozen=True)
class EvaluationTables:
    """Paths of the tables that an evaluation makes."""

    accuracy: Path
    differences: Path
    calibration: Path
    along: Path
    learning: Path
    masks: Path
    recall: Path


def describe_accuracy(tallies: dict[TallyKey, np.ndarray], groups: list[SiteGroup]) -> pd.DataFrame:
    """Rows of method, place, group of sites and metric, with its value and confidence interval.

    From tallies float64 [draw, G, 17]. Totals over chromosomes or over everybody have an empty
    `chromosome` or `population`; `kind` says what a group is: a MAF bin, all, rare or common sites.
    """
    return pd.concat(
        [_describe_tally(key, tally, groups) for key, tally in tallies.items()], ignore_index=True
    )


def _describe_tally(key: TallyKey, tally: np.ndarray, groups: list[SiteGroup]) -> pd.DataFrame:
    where = {
        "mask": key.mask,
        "method": key.method,
        "chromosome": key.chromosome or "",
        "population": key.population or "",
    }
    sites = {
        "group": [group.name for group in groups],
        "kind": [group.kind for group in groups],
        "sites": tally[0, :, -1].astype(int),
        "scored_sites": tally[0, :, -2].astype(int),
    }
    parts = []
    for metric, values in score_tally(tally).items():
        low, high = find_interval(values)
        scores = {"metric": metric, "value": values[0], "low": low, "high": high}
        parts.append(pd.DataFrame({**where, **sites, **scores}))
    return pd.concat(parts, ignore_index=True)


def read_accuracy(path: Path) -> pd.DataFrame:
    """Read the accuracy table; names of totals are empty text.

    Raises InputError where it is not readable, or does not say of which kind its groups are.
    """
    table = read_evaluation(path)
    if "kind" not in table:
        raise InputError(
            f"{path}: has no column `kind`, an older version wrote it; run its evaluation again"
        )
    return table.fillna({"chromosome": "", "population": ""})


def read_evaluation(path: Path) -> pd.DataFrame:
    """Read a table of an evaluation, names as text. Raises InputError where it is not readable."""
    return read_table(path, **dict.fromkeys(TEXT, str))


def select_overall(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the accuracy table over all chromosomes and everybody."""
    return table[(table["chromosome"] == "") & (table["population"] == "")]


def select_maf_bins(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of MAF bins, of a table with kinds of groups."""
    return select_kind(table, MAF_BIN)


def select_kind(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Rows of one kind of groups of sites."""
    return table[table["kind"] == kind]


def select_metric(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows of one metric."""
    return table[table["metric"] == metric]


def describe_calibration(reliability: dict[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """Rows of mask, method, alleles, mean probability and share truly ALT.

    From sums float64 [bins, 3] by mask and method; empty bins have no row.
    """
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


def describe_recall(recalled: dict[str, np.ndarray], groups: list[SiteGroup]) -> pd.DataFrame:
    """Rows of mask, group of sites, minor alleles and how many of them a neighbour carries.

    From counts int64 [G, 2] by mask.
    """
    rows = [
        (mask, group.name, group.kind, int(alleles), int(carried))
        for mask, counts in recalled.items()
        for group, (alleles, carried) in zip(groups, counts, strict=True)
    ]
    return pd.DataFrame(rows, columns=["mask", "group", "kind", "minor_alleles", "carried"])


def summarise(
    accuracy: pd.DataFrame,
    references: dict[str, str],
    people: pd.DataFrame,
    histories: list[dict[str, Any]],
) -> dict[str, object]:
    """What is worth a sentence: r2, counts of people by role, and facts of the models.

    r2 is by mask, group of sites and method, over all chromosomes and everybody; `references` is
    the method that others are set beside, by mask.
    """
    scored = select_metric(select_overall(accuracy), "r2").dropna(subset="value")
    r2: dict[str, dict[str, dict[str, float]]] = {}
    for row in scored.itertuples():
        r2.setdefault(row.mask, {}).setdefault(row.group, {})[row.method] = round(row.value, 6)
    models = {}
    for facts in histories:
        model = {key: facts[key] for key in ("parameters", "best_epoch", "stopped")}
        models[facts["model"]] = {**model, "epochs": len(facts["epochs"]) - 1}
    counted = people["role"].value_counts().to_dict()
    return {"people": counted, "models": models, "r2": r2, "references": references}
