"""One function per figure of the report: tables in, a matplotlib figure out. Colours stay with a method everywhere."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

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
# Okabe and Ito's palette, told apart with any colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
BASELINES = {"allele_frequency": "#999999", "nearest_haplotype": "#8c6d46", "neighbour_vote": "#5f5f5f"}
PEERS = {"beagle": "#E69F00", "minimac4": "#009E73"}
VARIANTS = ("-", ":", "-.")
MARKERS = "os^DvPX*"
WIDTH = 9.0
FEWEST_ALLELES = 50


def name_of(method: str) -> str:
    """A method's name as people read it."""
    known = {"beagle": "Beagle", "minimac4": "Minimac4"}
    return known.get(method, method.replace("_", " ") if method in BASELINES or is_peer(method) else method)


def is_peer(method: str) -> bool:
    """Whether a method is Beagle or Minimac4, by its name's first word."""
    return method.split("_")[0] in PEERS


def style_of(methods: list[str]) -> dict[str, dict[str, str]]:
    """Colour, marker and line of each method; baselines and peers keep theirs whatever else is shown."""
    ordered = order_methods(methods)
    free = iter(colour for colour in PALETTE * len(ordered) if colour not in PEERS.values())
    styles, seen = {}, dict.fromkeys(PEERS, 0)
    for number, method in enumerate(ordered):
        line = "--" if method in BASELINES else "-"
        if is_peer(method):
            family = method.split("_")[0]
            colour, line = PEERS[family], VARIANTS[seen[family] % len(VARIANTS)]
            seen[family] += 1
        else:
            colour = BASELINES.get(method) or next(free)
        marker = MARKERS[number % len(MARKERS)]
        styles[method] = {"color": colour, "marker": marker, "linestyle": line, "label": name_of(method)}
    return styles


def order_methods(methods: list[str]) -> list[str]:
    """Models first, then peers, then baselines."""
    return sorted(set(methods), key=lambda method: (method in BASELINES, is_peer(method), method))


def accuracy(table: pd.DataFrame) -> Figure:
    """Mean r2 by MAF bin, a panel a mask."""
    chosen = table[(table["chromosome"] == "all") & (table["population"] == "all") & (table["metric"] == "r2")]
    chosen = chosen[chosen["group"].str[0].str.isdigit()]
    figure, axes = _lay_out(list(chosen["mask"].unique()), 2.6)
    groups = list(chosen["group"].unique())
    for axis, (mask, part) in zip(axes, chosen.groupby("mask", sort=False), strict=True):
        _draw_methods(axis, part, groups, "group")
        axis.set(title=mask, ylim=(0, 1.02), ylabel="mean dosage r2", xlabel="MAF in the reference")
        axis.set_xticks(range(len(groups)), [_percent(group) for group in groups])
    _add_legend(figure, axes[0])
    return figure


def populations(table: pd.DataFrame) -> Figure:
    """Mean r2 by super-population, a panel a mask."""
    chosen = table[
        (table["chromosome"] == "all") & (table["population"] != "all") & (table["metric"] == "r2") & (table["group"] == "all")
    ]
    figure, axes = _lay_out(list(chosen["mask"].unique()), 2.6)
    names = sorted(chosen["population"].unique())
    for axis, (mask, part) in zip(axes, chosen.groupby("mask", sort=False), strict=True):
        _draw_methods(axis, part, names, "population", join=False)
        axis.set(title=mask, ylim=(0, 1.02), ylabel="mean dosage r2")
        axis.set_xticks(range(len(names)), names)
    _add_legend(figure, axes[0])
    return figure


def learning(table: pd.DataFrame) -> Figure:
    """Validation loss and r2 by epoch, and training loss."""
    figure = Figure(figsize=(WIDTH, 3.2))
    axes = figure.subplots(1, 2)
    styles = style_of(list(table["model"].unique()))
    bins = table["group"].str[0].str.isdigit()
    judged = table["draw"] == "validation"
    for model, style in styles.items():
        mine = table[table["model"] == model]
        for axis, chosen in (
            (axes[0], (table["metric"] == "loss") & judged),
            (axes[1], (table["metric"] == "r2") & bins & judged),
        ):
            curve = mine[chosen].groupby("epoch")["value"].mean()
            axis.plot(curve.index, curve, **style, markerfacecolor="white")
            best = mine.loc[mine["best"], "epoch"].iloc[0]
            axis.plot([best], [curve[best]], color=style["color"], marker=style["marker"])
        trained = mine[(mine["draw"] == "training") & (mine["metric"] == "loss")]
        axes[0].plot(trained["epoch"], trained["value"], color=style["color"], linestyle=":", label=f"{model}, training masks")
    axes[0].set(xlabel="epoch", ylabel="loss per hidden allele", yscale="log")
    axes[1].set(xlabel="epoch", ylabel="validation r2, mean over MAF bins")
    for axis in axes:
        axis.xaxis.get_major_locator().set_params(integer=True)
    _add_legend(figure, axes[0])
    return figure


def calibration(table: pd.DataFrame) -> Figure:
    """Share truly ALT by predicted probability, a panel a mask."""
    figure, axes = _lay_out(list(table["mask"].unique()), 2.9)
    styles = style_of(list(table["method"].unique()))
    for axis, (mask, part) in zip(axes, table.groupby("mask", sort=False), strict=True):
        axis.plot([0, 1], [0, 1], color="black", linewidth=0.7)
        for method, style in styles.items():
            mine = part[(part["method"] == method) & (part["alleles"] >= FEWEST_ALLELES)]
            axis.plot(mine["mean_probability"], mine["alternate_share"], **style, markersize=3, linewidth=1)
        axis.set(title=mask, xlabel="predicted probability of ALT", ylabel="share truly ALT", xlim=(0, 1), ylim=(0, 1))
    _add_legend(figure, axes[0])
    return figure


def masks(table: pd.DataFrame) -> Figure:
    """Share hidden by frequency class, for the fixed draws and the mean over training epochs."""
    table = table.assign(draw=table["draw"].where(table["draw"].isin(["validation", "test"]), "training"))
    sums = table.groupby(["draw", "mask", "maf_class"], sort=False)[["sites", "hidden"]].sum().reset_index()
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


def along(table: pd.DataFrame) -> Figure:
    """Mean r2 along each chromosome, at the first mask."""
    chosen = table[table["mask"] == table["mask"].iloc[0]]
    names = list(chosen["chromosome"].unique())
    figure = Figure(figsize=(WIDTH, 2.2 * len(names) + 0.5))
    axes = np.atleast_1d(figure.subplots(len(names), 1))
    styles = style_of(list(chosen["method"].unique()))
    for axis, name in zip(axes, names, strict=True):
        part = chosen[chosen["chromosome"] == name]
        for method, style in styles.items():
            mine = part[part["method"] == method]
            axis.plot(mine["centre_bp"] / 1e6, mine["r2"], **{**style, "marker": None}, linewidth=1.2)
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
    by_rule = table.groupby("rule", sort=False).agg(seconds=("seconds", "sum"), megabytes=("megabytes", "max"))
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


def _draw_methods(axis: Axes, part: pd.DataFrame, places: list[str], column: str, join: bool = True) -> None:
    styles = style_of(list(part["method"].unique()))
    for number, (method, style) in enumerate(styles.items()):
        mine = part[part["method"] == method].set_index(column).reindex(places)
        shift = (number - (len(styles) - 1) / 2) * (0.04 if join else 0.1)
        errors = np.abs([mine["value"] - mine["low"], mine["high"] - mine["value"]])
        line = style["linestyle"] if join else "none"
        axis.errorbar(
            np.arange(len(places)) + shift, mine["value"], errors, **{**style, "linestyle": line}, markersize=4, elinewidth=0.8
        )


def _percent(group: str) -> str:
    low, high = (f"{100 * float(edge):g}" for edge in group.split("-"))
    return f"{low}-{high} %"


def _add_legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
