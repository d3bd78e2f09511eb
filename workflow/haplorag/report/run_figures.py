"""Figures of the run itself: how models learned, what masks hid, and what jobs cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from haplorag.evaluation.metrics import is_maf_bin
from haplorag.evaluation.tables import select_metric
from haplorag.report.axes import WIDTH, add_legend, say_instead, scale_as_log
from haplorag.report.costs import list_rules
from haplorag.report.styles import (
    PALETTE,
    SHEET,
    method_label,
    method_styles,
    order_methods,
)

# Share of the distance between two groups of bars that the bars of a group fill.
BAR_GROUP = 0.8


def draw_learning(table: pd.DataFrame) -> Figure:
    """Validation loss and r2 by epoch, and training loss."""
    if not len(table):
        return say_instead("no network was trained in this run")
    figure = Figure(figsize=(WIDTH, 3.2))
    losses, scores = figure.subplots(1, 2)
    for model, style in method_styles(list(table["model"].unique())).items():
        rows = table[table["model"] == model]
        validation = rows[rows["draw"] == "validation"]
        best = rows.loc[rows["best"], "epoch"].iloc[0]
        r2 = select_metric(validation, "r2")
        _draw_learning_curve(losses, select_metric(validation, "loss"), best, style)
        _draw_learning_curve(scores, r2[r2["group"].map(is_maf_bin)], best, style)
        trained = select_metric(rows[rows["draw"] == "training"], "loss")
        losses.plot(
            trained["epoch"],
            trained["value"],
            color=style["color"],
            linestyle=":",
            label=f"{model}, training masks",
        )
    losses.set(xlabel="epoch", ylabel="loss per hidden allele")
    scale_as_log(losses.yaxis, select_metric(table, "loss")["value"])
    scores.set(xlabel="epoch", ylabel="validation r2, mean over MAF bins")
    for axis in (losses, scores):
        axis.xaxis.get_major_locator().set_params(integer=True)
    add_legend(figure)
    return figure


def _draw_learning_curve(axis: Axes, rows: pd.DataFrame, best: int, style: dict[str, Any]) -> None:
    """Draw the mean of a metric by epoch, with the best epoch filled in."""
    curve = rows.groupby("epoch")["value"].mean()
    axis.plot(curve.index, curve, **style, markerfacecolor=SHEET)
    axis.plot([best], [curve[best]], color=style["color"], marker=style["marker"])


def draw_masks(table: pd.DataFrame) -> Figure:
    """Share hidden by frequency class, for the fixed draws and the mean over training epochs."""
    is_fixed = table["draw"].isin(["validation", "test"])
    by_draw = table.assign(draw=table["draw"].where(is_fixed, "training"))
    groups = by_draw.groupby(["draw", "mask", "maf_class"], sort=False)
    sums = groups[["sites", "hidden"]].sum().reset_index()
    draws = [draw for draw in ("training", "validation", "test") if draw in set(sums["draw"])]
    figure = Figure(figsize=(WIDTH, 2.9))
    axes = np.atleast_1d(figure.subplots(1, len(draws), sharey=True))
    for axis, draw in zip(axes, draws, strict=True):
        _draw_hidden_shares(axis, sums[sums["draw"] == draw])
        axis.set(title=draw, ylim=(0, 1.02))
        axis.grid(axis="x", visible=False)
    axes[0].set_ylabel("share of sites hidden")
    axes[0].yaxis.set_major_formatter(PercentFormatter(1))
    add_legend(figure)
    return figure


def _draw_hidden_shares(axis: Axes, part: pd.DataFrame) -> None:
    """Draw a bar for each mask and frequency class of a draw."""
    masks = list(part["mask"].unique())
    classes = list(part["maf_class"].unique())
    width = BAR_GROUP / len(classes)
    for number, maf_class in enumerate(classes):
        rows = part[part["maf_class"] == maf_class]
        shares = rows["hidden"] / rows["sites"].clip(lower=1)
        place = np.arange(len(masks)) + (number - (len(classes) - 1) / 2) * width
        colour = PALETTE[number % len(PALETTE)]
        axis.bar(place, shares, width, color=colour, label=f"MAF {maf_class}")
    axis.set_xticks(range(len(masks)), masks, rotation=30, ha="right")


def draw_costs(table: pd.DataFrame) -> Figure:
    """What each method, a row each, leaves unexplained at rare sites, and its time and memory.

    Columns are method, r2, seconds and megabytes.
    """
    if not len(table):
        return say_instead("no method was measured")
    ordered = order_methods(list(table["method"]))[::-1]
    rows = table.set_index("method").loc[ordered]
    shown = {
        "1 - mean r2 at rare sites": 1 - rows["r2"],
        "time of all jobs (s)": rows["seconds"],
        "peak memory (MB)": rows["megabytes"],
    }
    figure = Figure(figsize=(WIDTH, 0.28 * len(rows) + 1.0))
    axes = figure.subplots(1, len(shown), sharey=True)
    styles = method_styles(ordered)
    colours = [styles[method]["color"] for method in ordered]
    for axis, (label, values) in zip(axes, shown.items(), strict=True):
        known = values.where(values > 0)
        axis.scatter(known, range(len(rows)), c=colours, s=34, zorder=3)
        scale_as_log(axis.xaxis, known)
        axis.set_xlabel(label)
        axis.tick_params(axis="x", labelrotation=30)
    axes[0].set_yticks(range(len(rows)), [method_label(method) for method in ordered])
    figure.align_xlabels()
    return figure


def draw_resources(table: pd.DataFrame) -> Figure:
    """Wall seconds summed and peak memory maximised over the jobs of each rule.

    The table is that of `costs.read_costs`.
    """
    by_rule = list_rules(table).sort_values("seconds")
    figure = Figure(figsize=(WIDTH, 0.24 * len(by_rule) + 0.9))
    left, right = figure.subplots(1, 2, sharey=True)
    left.barh(by_rule.index, by_rule["seconds"], color=PALETTE[0])
    right.barh(by_rule.index, by_rule["megabytes"], color=PALETTE[1])
    left.set(xlabel="wall time, all jobs (s)")
    right.set(xlabel="peak memory of a job (MB)")
    return figure
