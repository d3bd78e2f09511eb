"""What figures share: their size and style, panels, points of methods, and marks of MAF bins."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from haplorag.evaluation.metrics import parse_maf_bin
from haplorag.report.styles import FAINT, INK, SHEET, method_styles

matplotlib.use("agg")
matplotlib.rcParams |= {
    "svg.hashsalt": "haplorag",
    # Letters stay letters: smaller files, and a browser can find them.
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.facecolor": SHEET,
    "figure.facecolor": SHEET,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
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
# Steps between methods side by side: of a category, and of a decade of MAF.
CATEGORY_STEP, DECADE_STEP = 0.1, 0.015
# Which parts of a decade have a tick where an axis reaches over fewer decades than so many.
LOG_TICKS = (
    (0.3, (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)),
    (0.8, (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)),
    (2.5, (1.0, 2.0, 5.0)),
)


def lay_out_panels(names: list[str], height: float) -> tuple[Figure, list[Axes]]:
    """A figure of a panel a name, three in a row, each `height` inches high."""
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH, height * rows + 0.5))
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for spare in axes[len(names) :]:
        spare.remove()
    return figure, axes[: len(names)]


def take_literally(name: str) -> str:
    """Somebody's name as matplotlib is to show it: what stands between two $ is no formula."""
    return name.replace("$", r"\$")


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


def add_legend(figure: Figure, remark: str | None = None) -> None:
    """Explain the labels of all panels below them, each once, under a remark."""
    handles: dict[str, Artist] = {}
    for axis in figure.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    title = {"title": remark, "title_fontsize": 8}
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=4, **title
    )


def name_maf_bins(axis: Axes, bins: list[str], places: np.ndarray) -> None:
    """Label the places of MAF bins."""
    axis.set_xticks(places, [label_maf_bin(name) for name in bins], rotation=30, ha="right")
    axis.set_xlabel("MAF in the reference")


def scale_as_log(axis: Axis, values: pd.Series) -> None:
    """Make an axis logarithmic, with plain numbers at its ticks: few decades have more of them."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    known = values[values > 0]
    decades = np.log10(known.max() / known.min()) if len(known) else 1
    parts = next((digits for reach, digits in LOG_TICKS if decades < reach), (1.0,))
    axis.set_major_locator(LogLocator(subs=parts, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axis.set_minor_formatter(NullFormatter())


def draw_zero(axis: Axes) -> None:
    """Rule the line at which a method is as good as the one it is set beside."""
    axis.axhline(0, color=INK, linewidth=0.8, zorder=1)


def say_instead(text: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure = Figure(figsize=(WIDTH, 0.8))
    figure.text(0.5, 0.5, text, ha="center", va="center", color=FAINT)
    return figure


def save_svg(figure: Figure, output: Path | IO[str]) -> None:
    """Write a figure as SVG, the same bytes each time: no date, no names of libraries."""
    figure.savefig(output, format="svg", metadata={"Date": None, "Creator": None})
