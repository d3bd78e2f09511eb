"""What an epoch brought, for people who watch: a table with times and memory, and event files for TensorBoard."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from haplorag.dataset.chromosome import ChromosomeData
from haplorag.io.tables import read_table, write_table
from haplorag.settings import OptimisationSettings


def write_metrics(
    path: Path, facts: dict[str, Any], epoch: int, costs: dict[str, float] | None = None
) -> None:
    """Write an epoch's figures from a model's history: rows of draw, mask, group of sites, metric and value.

    The table has no row where training had stopped before.
    """
    rows = [row for row in list_epochs(facts) if row["epoch"] == epoch]
    place = {
        "model": facts["model"],
        "epoch": epoch,
        "best": facts["best_epoch"] == epoch,
        "draw": "training",
        "mask": "all",
    }
    rows += [
        {**place, "group": "all", "metric": metric, "value": value}
        for metric, value in (costs or {}).items()
    ]
    write_table(path, pd.DataFrame(rows, columns=[*place, "group", "metric", "value"]))


def write_events(folder: Path, metrics: Path) -> None:
    """Add an epoch's figures to a model's event files; those of the same epoch are replaced."""
    from tensorboardX import SummaryWriter

    table = read_table(metrics, mask=str, group=str)
    epoch = int(table["epoch"].iloc[0])
    suffix = f".{epoch:03d}"
    for stale in folder.glob(f"*{suffix}"):
        stale.unlink()
    with SummaryWriter(str(folder), filename_suffix=suffix) as writer:
        for row in table.dropna(subset="value").itertuples():
            writer.add_scalar(f"{row.draw}/{row.metric}/{row.mask}/{row.group}", row.value, epoch)


def list_epochs(facts: dict[str, Any]) -> Iterator[dict[str, object]]:
    """A row per epoch, mask and figure of a model's history."""
    for entry in facts["epochs"]:
        row = {
            "model": facts["model"],
            "epoch": entry["epoch"],
            "best": entry["epoch"] == facts["best_epoch"],
        }
        for figure, value in entry.get("training", {}).items():
            yield {
                **row,
                "draw": "training",
                "mask": "all",
                "group": "all",
                "metric": figure,
                "value": value,
            }
        for mask, judged in entry["validation"].items():
            place = {**row, "draw": "validation", "mask": mask}
            yield {**place, "group": "all", "metric": "loss", "value": judged["loss"]}
            for group, scores in judged.items():
                if group != "loss":
                    yield from (
                        {**place, "group": group, "metric": name, "value": value}
                        for name, value in scores.items()
                    )


def record_epoch(
    facts: dict[str, Any],
    epoch: int,
    figures: dict[str, Any],
    judged: dict[str, Any],
    score: float,
    settings: OptimisationSettings,
) -> None:
    """Add an epoch to the history, and say whether it is the best and whether training stops."""
    facts["epochs"].append(
        {"epoch": epoch, "training": figures, "validation": judged, "score": score}
    )
    if score > facts["best_score"] + settings.min_delta:
        facts["best_epoch"], facts["best_score"] = epoch, score
    facts["stopped"] = epoch - facts["best_epoch"] >= settings.patience


def measure_costs(seconds: float, chromosomes: list[ChromosomeData]) -> dict[str, float]:
    """What an epoch on these chromosomes cost: time, pairs of person and window a second, and this process's peak memory."""
    items = sum(len(chromosome.retrieved.person) for chromosome in chromosomes)
    costs = {
        "seconds": seconds,
        "samples_per_second": items / seconds,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }
    if torch.cuda.is_available():
        costs["peak_gpu_memory_mb"] = torch.cuda.max_memory_allocated() / 1e6
    return costs
