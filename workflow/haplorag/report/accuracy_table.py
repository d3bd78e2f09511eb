"""Shapes the accuracy of a mask for the report's tables."""

from __future__ import annotations

from typing import Any

import pandas as pd


def tabulate_accuracy(table: pd.DataFrame, mask: str, methods: list[str]) -> dict[str, Any]:
    """A mask's figures: per method mean r2 with interval by group of sites, and other metrics over all sites."""
    whole = table[
        (table["mask"] == mask) & (table["chromosome"] == "all") & (table["population"] == "all")
    ]
    r2, overall = (
        whole[whole["metric"] == "r2"],
        whole[(whole["group"] == "all") & (whole["metric"] != "r2")],
    )
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
        "metrics": list(overall["metric"].unique()),
        "overall": {(row.method, row.metric): row.value for row in overall.itertuples()},
    }
