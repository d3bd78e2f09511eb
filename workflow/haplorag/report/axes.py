"""What figures share: their size and style, panels, points of methods, and marks of MAF bins."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from haplorag.evaluation.metrics import parse_maf_bin
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
# Inches.
WIDTH = 9.0
# Share of the distance between two groups of bars that the bars of a group fill.
BAR_GROUP = 0.8
# Steps between methods side by side: of a category, and of a decade of MAF.
CATEGORY_STEP, DECADE_STEP = 0.1, 0.015


def lay_out_panels(names: list[str], height: float) -> tuple[Figure, list[Axes]]:
    """A figure of a panel a name, three in a row, each `height` inches high."""
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH, height * rows + 0.5))
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for spare in axes[len(names) :]:
        spare.remove()
    return figure, axes[: len(names)]


def draw_methods(
    axis: Axes, part: pd.DataFrame, rows: list[str], column: str, places: np.ndarray | None = None
) -> None:
    """Draw every method's values, with intervals, at places [row], joined by lines.

    `column` says which of `rows` a value belongs to. Where no places are given, rows are
    categories: they stand side by side and are not joined.
    """
    styles = method_styles(list(part["method"].unique()))
    middle = np.arange(len(rows)) if places is None else places
    step = CATEGORY_STEP if places is None else DECADE_STEP
    for number, (method, style) in enumerate(styles.items()):
        values = part[part["method"] == method].set_index(column).reindex(rows)
        place = middle + (number - (len(styles) - 1) / 2) * step
        errors = np.abs([values["value"] - values["low"], values["high"] - values["value"]])
        line = "none" if places is None else style["linestyle"]
        look = {**style, "linestyle": line, "markersize": 4, "elinewidth": 0.8}
        axis.errorbar(place, values["value"], errors, **look)


def draw_bars(axis: Axes, heights: pd.Series, number: int, count: int, label: str) -> None:
    """Draw the `number`-th of `count` bars of each group; `heights` has one a group."""
    offset = (number - (count - 1) / 2) * BAR_GROUP / count
    place = np.arange(len(heights)) + offset
    colour = PALETTE[number % len(PALETTE)]
    axis.bar(place, heights, BAR_GROUP / count, color=colour, label=label)


def locate_maf_bins(names: list[str]) -> np.ndarray:
    """Where MAF bins lie on a log scale: the log of their middle, float [bin].

    A first bin from 0 lies as far below its end as the second is wide.
    """
    edges = [parse_maf_bin(name) for name in names]
    high = np.array([upper for _, upper in edges])
    low = np.array([lower for lower, _ in edges])
    low = np.where(low > 0, low, high * (high[0] / high[1] if len(high) > 1 else 0.1))
    return np.log10(low * high) / 2


def label_maf_bin(name: str) -> str:
    """A MAF bin in percent."""
    low, high = parse_maf_bin(name)
    return f"{100 * low:g}-{100 * high:g} %"


def add_legend(figure: Figure, axis: Axes) -> None:
    """Explain one panel's labels below all panels."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
