"""Figures of the accuracy: tables of an evaluation in, a matplotlib figure out.

Good methods leave little unexplained, so that they are told apart by what is left, on a log scale,
and by their differences in the same people.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from haplorag.evaluation.differences import select_pair
from haplorag.evaluation.metrics import ALL
from haplorag.evaluation.tables import (
    select_kind,
    select_maf_bins,
    select_metric,
    select_overall,
)
from haplorag.report.axes import (
    WIDTH,
    add_legend,
    draw_methods,
    draw_zero,
    label_maf_bin,
    lay_out_panels,
    locate_maf_bins,
    name_maf_bins,
    say_instead,
    scale_as_log,
    take_literally,
)
from haplorag.report.styles import (
    FAINT,
    MARKERS,
    PALETTE,
    method_label,
    method_styles,
    order_methods,
)

# Fewer alleles in a bin of probability say nothing of its share of ALT.
FEWEST_ALLELES = 50
# Fewer sites in a stretch of a chromosome say nothing of it.
FEWEST_SITES = 5
# A method that is further than this from the one it is set beside, in r2 over all sites, would
# flatten the others; it is named below the figure and left out.
FARTHEST = 0.1
NOTHING_NEAR = f"no other method is within {FARTHEST} of the reference; the tables have all"


def draw_accuracy(table: pd.DataFrame) -> Figure:
    """Unexplained variance, 1 - mean r2, by MAF bin, a panel a mask; from the accuracy."""
    shown = select_maf_bins(select_metric(select_overall(table), "r2"))
    left = shown.assign(value=1 - shown["value"], low=1 - shown["high"], high=1 - shown["low"])
    figure, axes = lay_out_panels(list(left["mask"].unique()), 2.9)
    bins = list(left["group"].unique())
    places = locate_maf_bins(bins)
    for axis, (mask, part) in zip(axes, left.groupby("mask", sort=False), strict=True):
        # Of somebody who knows everything nothing is left, which no log scale has.
        draw_methods(axis, part[part["value"] > 0], bins, "group", places)
        scale_as_log(axis.yaxis, part["value"])
        axis.set(title=mask, ylabel="1 - mean dosage r2")
        name_maf_bins(axis, bins, places)
    add_legend(figure)
    return figure


def draw_differences(differences: pd.DataFrame) -> Figure:
    """Difference of mean r2 to the reference by MAF bin, a panel a mask.

    The column `reference` names what others are set beside at the mask.
    """
    everybody = differences[differences["population"] == ""]
    near = _list_near(everybody)
    masks = [mask for mask in near if near[mask]]
    if not masks:
        return say_instead(NOTHING_NEAR)
    figure, axes = lay_out_panels(masks, 2.7)
    bins = list(select_maf_bins(everybody)["group"].unique())
    places = locate_maf_bins(bins)
    for axis, mask in zip(axes, masks, strict=True):
        part, reference = _pair_with_reference(everybody, mask, near[mask])
        draw_methods(axis, select_maf_bins(part), bins, "group", places)
        draw_zero(axis)
        axis.set(title=mask, ylabel=f"r2 minus that of\n{method_label(reference)}")
        name_maf_bins(axis, bins, places)
    _name_far(figure, everybody, near)
    return figure


def draw_populations(differences: pd.DataFrame) -> Figure:
    """Difference of mean r2 over all sites to the reference by super-population, a panel a mask.

    As `draw_differences`.
    """
    near = _list_near(differences[differences["population"] == ""])
    single = select_kind(differences[differences["population"] != ""], ALL)
    masks = [mask for mask in near if near[mask]]
    if not masks:
        return say_instead(NOTHING_NEAR)
    figure, axes = lay_out_panels(masks, 2.7)
    names = sorted(single["population"].unique())
    for axis, mask in zip(axes, masks, strict=True):
        part, reference = _pair_with_reference(single, mask, near[mask])
        draw_methods(axis, part, names, "population")
        draw_zero(axis)
        axis.set(title=mask, ylabel=f"r2 minus that of\n{method_label(reference)}")
        axis.set_xticks(range(len(names)), [take_literally(name) for name in names])
    _name_far(figure, differences, near)
    return figure


def _list_near(everybody: pd.DataFrame) -> dict[str, list[str]]:
    """The methods that are near the reference over all sites, by mask."""
    near: dict[str, list[str]] = {}
    for mask, rows in select_kind(everybody, ALL).groupby("mask", sort=False):
        reference = rows["reference"].iloc[0]
        methods = set(rows["method"]) | set(rows["versus"])
        near[mask] = [
            method
            for method in order_methods([*methods - {reference}])
            if select_pair(rows, method, reference)["value"].abs().le(FARTHEST).all()
        ]
    return near


def _pair_with_reference(
    table: pd.DataFrame, mask: str, methods: list[str]
) -> tuple[pd.DataFrame, str]:
    """A mask's rows of methods minus the reference, and the reference."""
    rows = table[table["mask"] == mask]
    reference = rows["reference"].iloc[0]
    return pd.concat([select_pair(rows, method, reference) for method in methods]), reference


def _name_far(figure: Figure, differences: pd.DataFrame, near: dict[str, list[str]]) -> None:
    """Add the legend, and say which methods are too far from the reference to be drawn."""
    named = set(differences["method"]) | set(differences["versus"])
    drawn = {method for methods in near.values() for method in methods}
    far = order_methods([*named - drawn - set(differences["reference"])])
    names = ", ".join(map(method_label, far))
    add_legend(figure, f"not drawn, more than {FARTHEST} away: {names}" if far else None)


def draw_along(table: pd.DataFrame) -> Figure:
    """Along each chromosome, at the first mask: what the reference leaves unexplained, and the
    other methods' difference to it, with intervals.
    """
    shown = table[(table["mask"] == table["mask"].iloc[0]) & (table["sites"] >= FEWEST_SITES)]
    apart = shown[shown["versus"] != ""]
    if not len(apart):
        return say_instead("no two methods to compare along a chromosome")
    near = _list_near_along(apart)
    names = list(apart["chromosome"].unique())
    # Where no other method is near, there is nothing to draw below.
    ratios = [1, 2] if near else [1]
    figure = Figure(figsize=(WIDTH, 1.25 * sum(ratios) * len(names) + 0.5))
    axes = figure.subplots(
        len(ratios) * len(names), 1, squeeze=False, height_ratios=ratios * len(names)
    )[:, 0]
    for number, name in enumerate(names):
        above, *below = axes[len(ratios) * number : len(ratios) * (number + 1)]
        above.set_title(f"chromosome {name}, {shown['mask'].iloc[0]}")
        _draw_unexplained(above, shown[shown["chromosome"] == name])
        for axis in below:
            _draw_apart(axis, apart[apart["chromosome"] == name], near)
            above.sharex(axis)
            above.tick_params(labelbottom=False)
        (below or [above])[-1].set_xlabel("position (Mb)")
    if near:
        add_legend(figure)
    return figure


def _list_near_along(apart: pd.DataFrame) -> list[str]:
    """The methods that are near the reference in the mean over all stretches."""
    mean = apart.groupby("method")["value"].mean().abs()
    return order_methods([*mean[mean <= FARTHEST].index])


def _draw_unexplained(axis: Axes, part: pd.DataFrame) -> None:
    """Draw what the reference leaves unexplained along a chromosome."""
    reference = part.loc[part["versus"] != "", "versus"].iloc[0]
    line = part[(part["method"] == reference) & (part["versus"] == "")]
    left = (1 - line["value"]).where(line["value"] < 1)
    axis.plot(line["centre_bp"] / 1e6, left, color=FAINT, linewidth=1)
    scale_as_log(axis.yaxis, left)
    axis.set_ylabel(f"1 - r2 of\n{method_label(reference)}", fontsize="small")


def _draw_apart(axis: Axes, part: pd.DataFrame, methods: list[str]) -> None:
    """Draw methods' differences to the reference along a chromosome, with intervals as bands."""
    for method, style in method_styles(methods).items():
        line = part[part["method"] == method]
        megabases = line["centre_bp"] / 1e6
        look = {"color": style["color"], "linewidth": 0}
        axis.fill_between(megabases, line["low"], line["high"], alpha=0.2, **look)
        axis.plot(megabases, line["value"], **{**style, "markersize": 2.5, "linewidth": 1})
    draw_zero(axis)
    reference = method_label(part["versus"].iloc[0])
    axis.set_ylabel(f"r2 minus that of\n{reference}")


def draw_calibration(table: pd.DataFrame) -> Figure:
    """Share truly ALT by predicted probability, and counts of alleles; a column a mask."""
    masks = list(table["mask"].unique())
    figure = Figure(figsize=(WIDTH, 4.3))
    axes = figure.subplots(2, len(masks), squeeze=False, height_ratios=[2.2, 1], sharex=True)
    for column, mask in enumerate(masks):
        above, below = axes[:, column]
        _draw_reliability(above, below, table[table["mask"] == mask])
        above.set(title=mask, xlim=(0, 1), ylim=(0, 1))
        below.set(xlabel="predicted probability of ALT", yscale="log")
    axes[0, 0].set_ylabel("share truly ALT")
    axes[1, 0].set_ylabel("alleles in the bin")
    add_legend(figure)
    return figure


def _draw_reliability(above: Axes, below: Axes, part: pd.DataFrame) -> None:
    """Draw a mask's methods: the share of ALT above, the counts below."""
    above.plot([0, 1], [0, 1], color=FAINT, linewidth=0.7)
    for method, style in method_styles(list(part["method"].unique())).items():
        bins = part[part["method"] == method]
        look = {**style, "markersize": 3, "linewidth": 1}
        below.plot(bins["mean_probability"], bins["alleles"], **look)
        enough = bins[bins["alleles"] >= FEWEST_ALLELES]
        above.plot(enough["mean_probability"], enough["alternate_share"], **look)


def draw_recall(table: pd.DataFrame) -> Figure:
    """Share of hidden minor alleles that no retrieved haplotype carries, by MAF bin and mask."""
    shown = select_maf_bins(table)
    bins = list(shown["group"].unique())
    places = locate_maf_bins(bins)
    missed = 1 - shown["carried"] / shown["minor_alleles"].where(shown["minor_alleles"] > 0)
    figure = Figure(figsize=(WIDTH, 3.1))
    axis = figure.subplots()
    masks = list(shown["mask"].unique())
    for number, mask in enumerate(masks):
        rows = shown["mask"] == mask
        values = missed[rows].where(missed[rows] > 0)
        share = values.set_axis(shown.loc[rows, "group"]).reindex(bins)
        colour, marker = PALETTE[number % len(PALETTE)], MARKERS[number % len(MARKERS)]
        style = {"marker": marker, "color": colour, "linewidth": 1}
        axis.plot(places, 100 * share, **style, label=f"mask {mask}")
    scale_as_log(axis.yaxis, 100 * missed)
    counted = shown.groupby("group", sort=False)["minor_alleles"].sum().reindex(bins)
    named = [f"{label_maf_bin(name)}\n{counted[name]:,}" for name in bins]
    axis.set_xticks(places, named)
    axis.set(
        xlabel="MAF in the reference, and hidden minor alleles counted",
        ylabel="carried by no neighbour (%)",
    )
    add_legend(figure)
    return figure
