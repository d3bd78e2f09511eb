"""Says in an imputer's folder how accurate its model was on the people held out to judge it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from haplorag.evaluation.tables import (
    read_accuracy,
    select_maf_bins,
    select_metric,
    select_overall,
)
from haplorag.io.atomic import write_bytes
from haplorag.panel.samples import read_samples
from haplorag.pipeline.cli import run_step

CARD = """# How accurate this imputer is

Mean dosage r2 of `{model}` at hidden sites of {test} test people, by minor allele frequency
(MAF), with 95 % intervals over people:

{table}

{masks}

It was judged with the {reference} people of the reference alone. This imputer has the others in it
too, and so more to copy from. How near the people of the panel are to those who are imputed matters
more: where true genotypes of some of them are known, `haplorag evaluate` tells.
"""


def card(accuracy: Path, samples: Path, output: Path, *, model: str, masks: list[str]) -> None:
    """Write ACCURACY.md, from the table of an evaluation; `masks` says in words what each hid."""
    people = read_samples(samples)["role"].value_counts()
    table = select_metric(select_overall(read_accuracy(accuracy)), "r2")
    rows = select_maf_bins(table[table["method"] == model])
    text = CARD.format(
        model=model,
        test=people["test"],
        reference=people["reference"],
        table=_tabulate(rows),
        masks="\n".join(f"- {line}" for line in masks),
    )
    write_bytes(output, text.encode())


def _tabulate(rows: pd.DataFrame) -> str:
    """Lines of Markdown: a row a mask, a column a MAF bin."""
    groups = list(dict.fromkeys(rows["group"]))
    lines = ["| mask | " + " | ".join(groups) + " |", "|---" * (len(groups) + 1) + "|"]
    for mask, scores in rows.groupby("mask", sort=False):
        by_group = scores.set_index("group")
        cells = [_format(by_group.loc[group]) for group in groups]
        lines.append(f"| {mask} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _format(row: pd.Series) -> str:
    if pd.isna(row["value"]):
        return "-"
    return f"{row['value']:.3f} ({row['low']:.3f}-{row['high']:.3f})"


if __name__ == "__main__":
    run_step(card)
