"""Tables that MultiQC finds by their names and shows beside those of other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from haplorag.evaluation.metrics import COMMON, RARE
from haplorag.evaluation.tables import select_metric, select_overall
from haplorag.io.atomic import replacing
from haplorag.report.styles import method_label, order_methods

# What MultiQC calls what these sections belong to.
PARENT = {
    "parent_id": "haplorag",
    "parent_name": "haplorag",
    "parent_description": "Genotype imputation from a phased reference panel.",
}
# Columns as people read them; unasked, MultiQC shows one digit after the point.
SHARE = {"min": 0, "max": 1, "format": "{:.3f}", "scale": "Blues"}
COUNT = {"format": "{:,.0f}", "scale": False}
COLUMNS: dict[str, dict[str, Any]] = {
    "r2_rare": {"title": "r2, rare", "description": "mean dosage r2 at rare sites", **SHARE},
    "r2_common": {"title": "r2, common", "description": "mean dosage r2 at common sites", **SHARE},
    "samples": {"title": "Samples", **COUNT},
    "typed": {"title": "Sites typed", **COUNT},
    "imputed": {"title": "Sites imputed", **COUNT},
    "mean_R2": {
        "title": "Mean R2", "description": "the r2 that the imputation itself predicts", **SHARE
    },
    "r2": {"title": "True r2", "description": "mean dosage r2 with the true genotypes", **SHARE},
}  # fmt: skip


def tabulate_methods(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Mean r2 at rare and at common sites: a row for each mask and method, mask by mask."""
    r2 = select_metric(select_overall(accuracy), "r2")
    ranks = {method: rank for rank, method in enumerate(order_methods(list(r2["method"])))}
    masks = {mask: rank for rank, mask in enumerate(r2["mask"].unique())}
    shown = r2[r2["kind"].isin([RARE, COMMON])]
    order = pd.DataFrame({"mask": shown["mask"].map(masks), "method": shown["method"].map(ranks)})
    shown = shown.loc[order.sort_values(["mask", "method"], kind="stable").index]
    names = shown["mask"] + ", " + shown["method"].map(method_label)
    table = shown.assign(Sample=names).pivot_table(
        index="Sample", columns="kind", values="value", sort=False
    )
    return table.rename(columns={RARE: "r2_rare", COMMON: "r2_common"}).reset_index()


def tabulate_targets(targets: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """What was imputed of each target, a row each."""
    rows = []
    for name, table in targets.items():
        whole = table[table["kind"] == "all"].iloc[0]
        known = {"r2": whole["r2"]} if whole["scored_sites"] else {}
        counts = {"samples": whole["samples"], "typed": whole["typed_sites"]}
        counts |= {"imputed": whole["sites"], "mean_R2": whole["mean_R2"]}
        rows.append({"Sample": name, **counts, **known})
    return pd.DataFrame(rows)


def write_accuracy_section(path: Path, accuracy: pd.DataFrame | None) -> None:
    """Write the section of the accuracy, without a row where nothing was judged."""
    about = "Mean dosage r2 at hidden sites of held-out samples, by mask and method."
    table = pd.DataFrame() if accuracy is None else tabulate_methods(accuracy)
    _write_section(path, "haplorag_accuracy", "Imputation accuracy", about, table, "Mask, method")


def write_targets_section(path: Path, targets: dict[str, pd.DataFrame]) -> None:
    """Write the section of the imputed targets, given the table of each one's quality."""
    about = "Sites typed and imputed, and the R2 that the imputation itself predicts."
    table = tabulate_targets(targets)
    _write_section(path, "haplorag_targets", "Imputed targets", about, table, "Target")


def _write_section(
    path: Path, name: str, title: str, about: str, table: pd.DataFrame, rows: str
) -> None:
    """Write a table with what MultiQC is to make of it; `rows` says what a row is."""
    head: dict[str, Any] = {
        "id": name, "section_name": title, "description": about, "plot_type": "table", **PARENT
    }  # fmt: skip
    head["pconfig"] = {
        "id": f"{name}_table",
        "title": title,
        "col1_header": rows,
        "sort_rows": False,
    }
    head["headers"] = {column: COLUMNS[column] for column in table.columns if column != "Sample"}
    lines = [f"# {key}: {json.dumps(value)}\n" for key, value in head.items()]
    text = table.to_csv(sep="\t", index=False, float_format="%.4f", lineterminator="\n")
    with replacing(path) as temporary:
        temporary.write_text("".join(lines) + (text if len(table) else "Sample\n"))
