"""Figures on the quality of a target: frequencies beside the panel's, overlap, people."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from haplorag.report.axes import WIDTH, lay_out_panels, say_instead
from haplorag.report.styles import FAINT, PALETTE

# Frequencies are drawn by cells of this width; so many outliers on top.
CELL, MOST_OUTLIERS = 0.02, 1000


def draw_frequencies(frequencies: pd.DataFrame) -> Figure:
    """ALT frequency in the target over that in the panel: cells by how many sites they hold, and
    outliers one by one.
    """
    if frequencies.empty:
        return say_instead("no site is typed")
    figure = Figure(figsize=(WIDTH, 0.5 * WIDTH))
    axis = figure.subplots()
    cells = (frequencies[["panel", "target"]] / CELL).round() * CELL
    counts = cells.value_counts().reset_index(name="sites")
    share = np.log1p(counts["sites"]) / np.log1p(counts["sites"].max())
    axis.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8)
    axis.scatter(
        counts["panel"], counts["target"], s=4 + 16 * share, color=PALETTE[0], alpha=0.6,
        linewidths=0, label="sites (larger: more)",
    )  # fmt: skip
    outliers = frequencies[frequencies["outlier"]].head(MOST_OUTLIERS)
    if len(outliers):
        axis.scatter(
            outliers["panel"], outliers["target"], s=14, marker="x", color=PALETTE[1],
            linewidths=0.9, label="outliers",
        )  # fmt: skip
    axis.set(xlabel="ALT frequency in the panel", ylabel="ALT frequency in the target")
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    figure.legend(loc="outside right upper")
    return figure


def draw_overlap(windows: pd.DataFrame) -> Figure:
    """Typed sites of each window along each chromosome, and the target's own variants there."""
    names = list(windows["chromosome"].unique())
    figure, axes = lay_out_panels(names, 1.7)
    steps = {"drawstyle": "steps-mid"}
    for axis, (name, part) in zip(axes, windows.groupby("chromosome", sort=False), strict=True):
        middle = (part["start"] + part["end"]) / 2e6
        axis.plot(middle, part["own"], color=PALETTE[4], linewidth=4, **steps, label="own")
        axis.plot(middle, part["typed"], color=PALETTE[0], **steps, label="typed")
        axis.set(title=f"chromosome {name}", xlabel="position (Mb)", ylabel="sites a window")
        axis.set_ylim(bottom=0)
    axes[0].legend()
    return figure


def draw_people(people: pd.DataFrame) -> Figure:
    """Heterozygosity over call rate, a point a person."""
    figure = Figure(figsize=(WIDTH, 0.33 * WIDTH))
    axis = figure.subplots()
    axis.scatter(
        people["call_rate"], people["heterozygosity"], s=12, color=PALETTE[0], alpha=0.6,
        linewidths=0,
    )  # fmt: skip
    # Where all samples have all genotypes, an axis of a whole per cent still reads.
    lowest = min(people["call_rate"].min(), 0.99)
    axis.set_xlim(lowest - 0.05 * (1 - lowest), 1 + 0.05 * (1 - lowest))
    axis.set(xlabel="call rate", ylabel="heterozygosity")
    return figure
