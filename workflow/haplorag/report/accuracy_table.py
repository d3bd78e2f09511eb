"""Shapes the accuracy of a mask for the tables of the report and of the comparison."""

from __future__ import annotations

from typing import Any

import pandas as pd

from haplorag.evaluation.differences import select_pair
from haplorag.evaluation.metrics import ALL
from haplorag.evaluation.tables import select_kind, select_overall
from haplorag.report.styles import method_label, order_methods

# A method's r2 in one run, and its difference from the first run's; None where there is none.
Cell = tuple[float | None, float | None]


def tabulate_accuracy(
    table: pd.DataFrame, differences: pd.DataFrame, mask: str, methods: list[str]
) -> dict[str, Any]:
    """A mask's figures: r2 by method and group of sites, other metrics over all sites.

    `best` has the method of each group that is above all others, beyond their intervals; `groups`
    their names, sites and sites with an r2.
    """
    whole = select_overall(table[table["mask"] == mask])
    r2 = whole[whole["metric"] == "r2"]
    other = select_kind(whole[whole["metric"] != "r2"], ALL)
    groups = list(r2["group"].unique())
    first = r2[r2["method"] == methods[0]].set_index("group")
    return {
        "mask": mask,
        "groups": [
            (group, int(first.loc[group, "sites"]), int(first.loc[group, "scored_sites"]))
            for group in groups
        ],
        "methods": methods,
        "r2": {(row.method, row.group): row for row in r2.itertuples()},
        "best": find_best(differences[differences["mask"] == mask], methods),
        "metrics": list(other["metric"].unique()),
        "overall": {(row.method, row.metric): row.value for row in other.itertuples()},
    }


def find_best(differences: pd.DataFrame, methods: list[str]) -> dict[str, str]:
    """By group of sites the method whose r2 is above that of every other one, beyond the interval
    of the difference; groups without such a method are left out.
    """
    everybody = differences[differences["population"] == ""]
    best: dict[str, str] = {}
    for method in methods:
        others = [other for other in methods if other != method]
        pairs = pd.concat(
            [everybody.iloc[:0], *(select_pair(everybody, method, other) for other in others)]
        )
        lowest = pairs.groupby("group")["low"].agg(["min", "size"])
        above = lowest[(lowest["min"] > 0) & (lowest["size"] == len(others))]
        best |= dict.fromkeys(above.index, method)
    return best


def tabulate_runs(
    r2: pd.DataFrame, runs: list[str]
) -> tuple[list[str], list[tuple[str, str, list[Cell]]]]:
    """Groups of sites, and rows of method, run and a cell a group, from one mask's r2."""
    scored = r2.dropna(subset="value")
    values = {(row.method, row.run, row.group): row.value for row in scored.itertuples()}
    groups = list(r2["group"].unique())
    present = set(zip(r2["method"], r2["run"], strict=True))
    rows = []
    for method in order_methods(list(r2["method"].unique())):
        for run in (run for run in runs if (method, run) in present):
            cells = []
            for group in groups:
                value = values.get((method, run, group))
                first = None if run == runs[0] else values.get((method, runs[0], group))
                apart = None if value is None or first is None else value - first
                cells.append((value, apart))
            rows.append((method_label(method), run, cells))
    return groups, rows
