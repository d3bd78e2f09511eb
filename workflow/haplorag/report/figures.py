"""One function per figure of the report: tables in, a matplotlib figure out. Colours stay with a method everywhere."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from haplorag.report.styles import PALETTE, method_styles

matplotlib.use("agg")
matplotlib.rcParams |= {
    "svg.hashsalt": "haplorag",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
WIDTH = 9.0
FEWEST_ALLELES = 50


def accuracy(table: pd.DataFrame) -> Figure:
    """Mean r2 by MAF bin, a panel a mask."""
    chosen = table[
        (table["chromosome"] == "all") & (table["population"] == "all") & (table["metric"] == "r2")
    ]
    chosen = chosen[chosen["group"].str[0].str.isdigit()]
    figure, axes = _lay_out(list(chosen["mask"].unique()), 2.6)
    groups = list(chosen["group"].unique())
    for axis, (mask, part) in zip(axes, chosen.groupby("mask", sort=False), strict=True):
        _draw_methods(axis, part, groups, "group", _locate_bins(groups))
        axis.set(
            title=mask,
            ylim=(0, 1.02),
            ylabel="mean dosage r2",
            xlabel="MAF in the reference, on a log scale",
        )
        axis.set_xticks(
            _locate_bins(groups), [_percent(group) for group in groups], rotation=30, ha="right"
        )
    _add_legend(figure, axes[0])
    return figure


def populations(table: pd.DataFrame) -> Figure:
    """Mean r2 by super-population, a panel a mask."""
    chosen = table[
        (table["chromosome"] == "all")
        & (table["population"] != "all")
        & (table["metric"] == "r2")
        & (table["group"] == "all")
    ]
    figure, axes = _lay_out(list(chosen["mask"].unique()), 2.6)
    names = sorted(chosen["population"].unique())
    for axis, (mask, part) in zip(axes, chosen.groupby("mask", sort=False), strict=True):
        _draw_methods(axis, part, names, "population")
        axis.set(title=mask, ylim=(0, 1.02), ylabel="mean dosage r2")
        axis.set_xticks(range(len(names)), names)
    _add_legend(figure, axes[0])
    return figure


def learning(table: pd.DataFrame) -> Figure:
    """Validation loss and r2 by epoch, and training loss."""
    figure = Figure(figsize=(WIDTH, 3.2))
    axes = figure.subplots(1, 2)
    styles = method_styles(list(table["model"].unique()))
    bins = table["group"].str[0].str.isdigit()
    judged = table["draw"] == "validation"
    for model, style in styles.items():
        mine = table[table["model"] == model]
        for axis, chosen in (
            (axes[0], (table["metric"] == "loss") & judged),
            (axes[1], (table["metric"] == "r2") & bins & judged),
        ):
            curve = mine[chosen[mine.index]].groupby("epoch")["value"].mean()
            axis.plot(curve.index, curve, **style, markerfacecolor="white")
            best = mine.loc[mine["best"], "epoch"].iloc[0]
            axis.plot([best], [curve[best]], color=style["color"], marker=style["marker"])
        trained = mine[(mine["draw"] == "training") & (mine["metric"] == "loss")]
        axes[0].plot(
            trained["epoch"],
            trained["value"],
            color=style["color"],
            linestyle=":",
            label=f"{model}, training masks",
        )
    axes[0].set(xlabel="epoch", ylabel="loss per hidden allele", yscale="log")
    axes[1].set(xlabel="epoch", ylabel="validation r2, mean over MAF bins")
    for axis in axes:
        axis.xaxis.get_major_locator().set_params(integer=True)
    _add_legend(figure, axes[0])
    return figure


def calibration(table: pd.DataFrame) -> Figure:
    """Share truly ALT by predicted probability, a panel a mask."""
    figure, axes = _lay_out(list(table["mask"].unique()), 2.9)
    styles = method_styles(list(table["method"].unique()))
    for axis, (mask, part) in zip(axes, table.groupby("mask", sort=False), strict=True):
        axis.plot([0, 1], [0, 1], color="black", linewidth=0.7)
        for method, style in styles.items():
            mine = part[(part["method"] == method) & (part["alleles"] >= FEWEST_ALLELES)]
            axis.plot(
                mine["mean_probability"],
                mine["alternate_share"],
                **style,
                markersize=3,
                linewidth=1,
            )
        axis.set(
            title=mask,
            xlabel="predicted probability of ALT",
            ylabel="share truly ALT",
            xlim=(0, 1),
            ylim=(0, 1),
        )
    _add_legend(figure, axes[0])
    return figure


def masks(table: pd.DataFrame) -> Figure:
    """Share hidden by frequency class, for the fixed draws and the mean over training epochs."""
    table = table.assign(
        draw=table["draw"].where(table["draw"].isin(["validation", "test"]), "training")
    )
    sums = (
        table.groupby(["draw", "mask", "maf_class"], sort=False)[["sites", "hidden"]]
        .sum()
        .reset_index()
    )
    draws = [draw for draw in ("training", "validation", "test") if draw in set(sums["draw"])]
    figure = Figure(figsize=(WIDTH, 2.9))
    axes = np.atleast_1d(figure.subplots(1, len(draws), sharey=True))
    for axis, draw in zip(axes, draws, strict=True):
        part = sums[sums["draw"] == draw]
        names, classes = list(part["mask"].unique()), list(part["maf_class"].unique())
        for number, maf_class in enumerate(classes):
            mine = part[part["maf_class"] == maf_class]
            place = np.arange(len(names)) + (number - (len(classes) - 1) / 2) * 0.8 / len(classes)
            axis.bar(
                place,
                mine["hidden"] / mine["sites"].clip(lower=1),
                0.8 / len(classes),
                color=PALETTE[number],
                label=f"MAF {maf_class}",
            )
        axis.set_xticks(range(len(names)), names, rotation=30, ha="right")
        axis.set(title=draw, ylim=(0, 1.02))
        axis.grid(axis="x", visible=False)
    axes[0].set_ylabel("share of sites hidden")
    axes[0].yaxis.set_major_formatter(PercentFormatter(1))
    _add_legend(figure, axes[0])
    return figure


def recall(table: pd.DataFrame) -> Figure:
    """Share of hidden minor alleles that any retrieved haplotype carries, by MAF bin and mask."""
    chosen = table[table["group"].str[0].str.isdigit()]
    groups, names = list(chosen["group"].unique()), list(chosen["mask"].unique())
    figure = Figure(figsize=(WIDTH, 2.9))
    axis = figure.subplots()
    for number, mask in enumerate(names):
        mine = chosen[chosen["mask"] == mask].set_index("group").reindex(groups)
        place = np.arange(len(groups)) + (number - (len(names) - 1) / 2) * 0.8 / len(names)
        axis.bar(
            place,
            mine["carried"] / mine["minor_alleles"],
            0.8 / len(names),
            color=PALETTE[number % len(PALETTE)],
            label=mask,
        )
    axis.set_xticks(range(len(groups)), [_percent(group) for group in groups])
    axis.set(
        xlabel="MAF in the reference", ylabel="minor alleles a neighbour carries", ylim=(0, 1.02)
    )
    axis.grid(axis="x", visible=False)
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    _add_legend(figure, axis)
    return figure


def costs(table: pd.DataFrame) -> Figure:
    """Mean r2 at rare sites beside the seconds and megabytes each method took; columns method, r2, seconds, megabytes."""
    figure = Figure(figsize=(WIDTH, 3.0))
    axes = figure.subplots(1, 2, sharey=True)
    styles = method_styles(list(table["method"]))
    for axis, column, label in zip(
        axes, ("seconds", "megabytes"), ("wall time (s)", "peak memory (MB)"), strict=True
    ):
        for method, style in styles.items():
            mine = table[table["method"] == method]
            axis.plot(mine[column], mine["r2"], **{**style, "linestyle": "none"})
        axis.set(xlabel=label, xscale="log")
    axes[0].set_ylabel("mean dosage r2 at rare sites")
    _add_legend(figure, axes[0])
    return figure


def along(table: pd.DataFrame) -> Figure:
    """Mean r2 along each chromosome, at the first mask."""
    chosen = table[table["mask"] == table["mask"].iloc[0]]
    names = list(chosen["chromosome"].unique())
    figure = Figure(figsize=(WIDTH, 2.2 * len(names) + 0.5))
    axes = np.atleast_1d(figure.subplots(len(names), 1))
    styles = method_styles(list(chosen["method"].unique()))
    for axis, name in zip(axes, names, strict=True):
        part = chosen[chosen["chromosome"] == name]
        for method, style in styles.items():
            mine = part[part["method"] == method]
            axis.plot(
                mine["centre_bp"] / 1e6, mine["r2"], **{**style, "marker": None}, linewidth=1.2
            )
        axis.set(
            title=f"chromosome {name}, {chosen['mask'].iloc[0]}",
            xlabel="position (Mb)",
            ylabel="mean dosage r2",
            ylim=(0, 1.02),
        )
    _add_legend(figure, axes[0])
    return figure


def resources(table: pd.DataFrame) -> Figure:
    """Wall seconds summed and peak memory maximised over the jobs of each rule; columns rule, seconds, megabytes."""
    by_rule = table.groupby("rule", sort=False).agg(
        seconds=("seconds", "sum"), megabytes=("megabytes", "max")
    )
    by_rule = by_rule.sort_values("seconds")
    figure = Figure(figsize=(WIDTH, 0.24 * len(by_rule) + 0.9))
    left, right = figure.subplots(1, 2, sharey=True)
    left.barh(by_rule.index, by_rule["seconds"], color=PALETTE[0])
    right.barh(by_rule.index, by_rule["megabytes"], color=PALETTE[1])
    left.set(xlabel="wall time, all jobs (s)")
    right.set(xlabel="peak memory of a job (MB)")
    return figure


def _lay_out(masks: list[str], height: float) -> tuple[Figure, list[Axes]]:
    columns = min(len(masks), 3)
    rows = -(-len(masks) // columns)
    figure = Figure(figsize=(WIDTH, height * rows + 0.5))
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for spare in axes[len(masks) :]:
        spare.remove()
    return figure, axes[: len(masks)]


def _draw_methods(
    axis: Axes, part: pd.DataFrame, rows: list[str], column: str, places: np.ndarray | None = None
) -> None:
    """Draw every method's values at its places, joined by lines; side by side and apart where no places are given."""
    styles = method_styles(list(part["method"].unique()))
    apart = 0.1 if places is None else 0.015
    for number, (method, style) in enumerate(styles.items()):
        mine = part[part["method"] == method].set_index(column).reindex(rows)
        at = (np.arange(len(rows)) if places is None else places) + (
            number - (len(styles) - 1) / 2
        ) * apart
        errors = np.abs([mine["value"] - mine["low"], mine["high"] - mine["value"]])
        line = "none" if places is None else style["linestyle"]
        axis.errorbar(
            at, mine["value"], errors, **{**style, "linestyle": line}, markersize=4, elinewidth=0.8
        )


def _locate_bins(groups: list[str]) -> np.ndarray:
    """Where MAF bins lie on a log scale: the log of their middle, the first bin as far below its end as the second is wide."""
    edges = np.array([float(group.split("-")[1]) for group in groups])
    low = np.array([float(group.split("-")[0]) for group in groups])
    low = np.where(low > 0, low, edges * (edges[0] / edges[1] if len(edges) > 1 else 0.1))
    return np.log10(low * edges) / 2


def _percent(group: str) -> str:
    low, high = (f"{100 * float(edge):g}" for edge in group.split("-"))
    return f"{low}-{high} %"


def _add_legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
