"""What an epoch brought, for people who watch: a table with times and memory, and event files for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from haplorag.io import hdf5 as store
from haplorag.evaluation.tables import list_epochs


def write_metrics(path: Path, facts: dict[str, Any], epoch: int, costs: dict[str, float] | None = None) -> None:
    """Write an epoch's figures from a model's history: rows of draw, mask, group of sites, metric and value.

    The table has no row where training had stopped before.
    """
    rows = [row for row in list_epochs(facts) if row["epoch"] == epoch]
    place = {"model": facts["model"], "epoch": epoch, "best": facts["best_epoch"] == epoch, "draw": "training", "mask": "all"}
    rows += [{**place, "group": "all", "metric": metric, "value": value} for metric, value in (costs or {}).items()]
    store.write_table(path, pd.DataFrame(rows, columns=[*place, "group", "metric", "value"]))


def write_events(folder: Path, metrics: Path) -> None:
    """Add an epoch's figures to a model's event files; those of the same epoch are replaced."""
    from tensorboardX import SummaryWriter

    table = store.read_table(metrics, mask=str, group=str)
    epoch = int(table["epoch"].iloc[0])
    suffix = f".{epoch:03d}"
    for stale in folder.glob(f"*{suffix}"):
        stale.unlink()
    with SummaryWriter(str(folder), filename_suffix=suffix) as writer:
        for row in table.dropna(subset="value").itertuples():
            writer.add_scalar(f"{row.draw}/{row.metric}/{row.mask}/{row.group}", row.value, epoch)
