"""Tables that MultiQC finds by their names and shows beside those of other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from haplorag.evaluation.metrics import COMMON, RARE
from haplorag.evaluation.tables import select_metric, select_overall
from haplorag.io.atomic import replacing
from haplorag.report.styles import method_label

# What MultiQC calls what these sections belong to.
PARENT = {"parent_id": "haplorag", "parent_name": "haplorag"}


def tabulate_methods(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Mean r2 at rare and at common sites: a row for each mask and method."""
    r2 = select_metric(select_overall(accuracy), "r2")
    shown = r2[r2["kind"].isin([RARE, COMMON])]
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
    _write_section(path, "haplorag_accuracy", "Imputation accuracy", about, table)


def write_targets_section(path: Path, targets: dict[str, pd.DataFrame]) -> None:
    """Write the section of the imputed targets, given the table of each one's quality."""
    about = "Sites typed and imputed, and the R2 that the imputation expects of itself."
    table = tabulate_targets(targets)
    _write_section(path, "haplorag_targets", "Imputed targets", about, table)


def _write_section(path: Path, name: str, title: str, about: str, table: pd.DataFrame) -> None:
    head: dict[str, Any] = {
        "id": name, "section_name": title, "description": about, "plot_type": "table", **PARENT
    }  # fmt: skip
    lines = [f"# {key}: {json.dumps(value)}\n" for key, value in head.items()]
    text = table.to_csv(sep="\t", index=False, float_format="%.4f", lineterminator="\n")
    with replacing(path) as temporary:
        temporary.write_text("".join(lines) + (text if len(table) else "Sample\n"))
