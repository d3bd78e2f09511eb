"""Figures of the accuracy: tables of an evaluation in, a matplotlib figure out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from haplorag.evaluation.tables import (
    select_maf_bins,
    select_metric,
    select_overall,
    select_populations,
)
from haplorag.report.axes import (
    WIDTH,
    add_legend,
    draw_bars,
    draw_methods,
    label_maf_bin,
    lay_out_panels,
    locate_maf_bins,
)
from haplorag.report.styles import method_styles

# Fewer alleles in a bin of probability say nothing of its share of ALT.
FEWEST_ALLELES = 50


def draw_accuracy(table: pd.DataFrame) -> Figure:
    """Mean r2 by MAF bin, a panel a mask."""
    shown = select_maf_bins(select_metric(select_overall(table), "r2"))
    figure, axes = lay_out_panels(list(shown["mask"].unique()), 2.6)
    bins = list(shown["group"].unique())
    places = locate_maf_bins(bins)
    for axis, (mask, part) in zip(axes, shown.groupby("mask", sort=False), strict=True):
        draw_methods(axis, part, bins, "group", places)
        axis.set(
            title=mask,
            ylim=(0, 1.02),
            ylabel="mean dosage r2",
            xlabel="MAF in the reference, on a log scale",
        )
        axis.set_xticks(places, [label_maf_bin(name) for name in bins], rotation=30, ha="right")
    add_legend(figure, axes[0])
    return figure


def draw_populations(table: pd.DataFrame) -> Figure:
    """Mean r2 by super-population, a panel a mask."""
    shown = select_metric(select_populations(table), "r2")
    figure, axes = lay_out_panels(list(shown["mask"].unique()), 2.6)
    names = sorted(shown["population"].unique())
    for axis, (mask, part) in zip(axes, shown.groupby("mask", sort=False), strict=True):
        draw_methods(axis, part, names, "population")
        axis.set(title=mask, ylim=(0, 1.02), ylabel="mean dosage r2")
        axis.set_xticks(range(len(names)), names)
    add_legend(figure, axes[0])
    return figure


def draw_calibration(table: pd.DataFrame) -> Figure:
    """Share truly ALT by predicted probability, a panel a mask."""
    figure, axes = lay_out_panels(list(table["mask"].unique()), 2.9)
    styles = method_styles(list(table["method"].unique()))
    for axis, (mask, part) in zip(axes, table.groupby("mask", sort=False), strict=True):
        axis.plot([0, 1], [0, 1], color="black", linewidth=0.7)
        for method, style in styles.items():
            bins = part[(part["method"] == method) & (part["alleles"] >= FEWEST_ALLELES)]
            look = {**style, "markersize": 3, "linewidth": 1}
            axis.plot(bins["mean_probability"], bins["alternate_share"], **look)
        axis.set(
            title=mask,
            xlabel="predicted probability of ALT",
            ylabel="share truly ALT",
            xlim=(0, 1),
            ylim=(0, 1),
        )
    add_legend(figure, axes[0])
    return figure


def draw_recall(table: pd.DataFrame) -> Figure:
    """Share of hidden minor alleles that any retrieved haplotype carries, by MAF bin and mask."""
    shown = select_maf_bins(table)
    bins = list(shown["group"].unique())
    masks = list(shown["mask"].unique())
    figure = Figure(figsize=(WIDTH, 2.9))
    axis = figure.subplots()
    for number, mask in enumerate(masks):
        counts = shown[shown["mask"] == mask].set_index("group").reindex(bins)
        shares = counts["carried"] / counts["minor_alleles"]
        draw_bars(axis, shares, number, len(masks), mask)
    axis.set_xticks(range(len(bins)), [label_maf_bin(name) for name in bins])
    axis.set(
        xlabel="MAF in the reference", ylabel="minor alleles a neighbour carries", ylim=(0, 1.02)
    )
    axis.grid(axis="x", visible=False)
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    add_legend(figure, axis)
    return figure


def draw_along(table: pd.DataFrame) -> Figure:
    """Mean r2 along each chromosome, at the first mask."""
    mask = table["mask"].iloc[0]
    shown = table[table["mask"] == mask]
    names = list(shown["chromosome"].unique())
    figure = Figure(figsize=(WIDTH, 2.2 * len(names) + 0.5))
    axes = np.atleast_1d(figure.subplots(len(names), 1))
    styles = method_styles(list(shown["method"].unique()))
    for axis, name in zip(axes, names, strict=True):
        part = shown[shown["chromosome"] == name]
        for method, style in styles.items():
            line = part[part["method"] == method]
            look = {**style, "marker": None, "linewidth": 1.2}
            axis.plot(line["centre_bp"] / 1e6, line["r2"], **look)
        axis.set(
            title=f"chromosome {name}, {mask}",
            xlabel="position (Mb)",
            ylabel="mean dosage r2",
            ylim=(0, 1.02),
        )
    add_legend(figure, axes[0])
    return figure
