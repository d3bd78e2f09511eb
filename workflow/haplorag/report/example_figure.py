"""A region as people look at it: a query haplotype, whom it copies from where, a rare allele."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from haplorag.report.axes import WIDTH
from haplorag.report.styles import FAINT, INK, PALETTE, SHEET

# Half the height of a row, and how many shades tell the probability of copying.
HALF, SHADES = 0.32, 20
# Rows between which the query stands apart from the others.
QUERY_GAP = 0.6


@dataclass(frozen=True)
class CopiedRegion:
    """What is shown of a region.

    `position` int [S] are all sites in view, `typed` bool [S] those that are typed, `query` int8
    [S] the true alleles of the query. `posterior` float [S, K] is the probability of copying each
    haplotype shown, `alleles` 0/1 [S, K] theirs; `labels` say of which super-population query and
    haplotypes are. `site` is the place of the rare allele among the sites, `probability` that of
    its being there, `carriers` how many reference haplotypes have it, and `minor` which allele it
    is.
    """

    position: np.ndarray
    typed: np.ndarray
    query: np.ndarray
    posterior: np.ndarray
    alleles: np.ndarray
    query_label: str
    labels: list[str]
    site: int
    minor: int
    probability: float
    carriers: int

    @property
    def copied(self) -> np.ndarray:
        """Of the haplotypes shown the one most probably copied at each site, int64 [S]."""
        return self.posterior.argmax(axis=1)


def draw_example(region: CopiedRegion, chromosome: str) -> Figure:
    """Draw the query as a mosaic above the haplotypes that it copies."""
    rows = len(region.labels)
    figure = Figure(figsize=(WIDTH, 0.36 * rows + 2.0))
    axis = figure.subplots()
    kilobases = region.position / 1e3
    edges = np.concatenate([kilobases[:1], (kilobases[1:] + kilobases[:-1]) / 2, kilobases[-1:]])
    heights = [0.0, *(1 + QUERY_GAP + np.arange(rows))]
    _draw_mosaic(axis, region, edges)
    for row, height in enumerate(heights[1:]):
        _draw_haplotype(axis, region, edges, row, height)
        _mark_alleles(axis, region, region.alleles[:, row], height)
    _mark_alleles(axis, region, region.query, heights[0])
    _mark_rare_allele(axis, region, heights)
    axis.set_yticks(heights, [region.query_label, *region.labels])
    axis.set(xlabel=f"position on chromosome {chromosome} (kb)", xlim=(edges[0], edges[-1]))
    axis.set_ylim(heights[-1] + 0.7, -1.1)
    axis.grid(visible=False)
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    return figure


def _draw_mosaic(axis: Axes, region: CopiedRegion, edges: np.ndarray) -> None:
    """Draw the query in the colours of what it most probably copies, with a line at each switch."""
    for row, first, last in _list_runs(region.copied):
        colour = PALETTE[row % len(PALETTE)]
        width = edges[last] - edges[first]
        axis.broken_barh(
            [(edges[first], width)], (-HALF, 2 * HALF), color=colour, alpha=0.75, linewidth=0
        )
        if first:
            axis.plot([edges[first]] * 2, [-HALF - 0.18, HALF + 0.18], color=INK, linewidth=1)


def _draw_haplotype(
    axis: Axes, region: CopiedRegion, edges: np.ndarray, row: int, height: float
) -> None:
    """Draw a haplotype, the stronger the more probably it is copied."""
    shades = np.rint(region.posterior[:, row] * SHADES).astype(int)
    colour = PALETTE[row % len(PALETTE)]
    axis.plot([edges[0], edges[-1]], [height, height], color=FAINT, linewidth=0.5, zorder=0)
    for shade, first, last in _list_runs(shades):
        if shade:
            stretch = [(edges[first], edges[last] - edges[first])]
            axis.broken_barh(
                stretch, (height - HALF, 2 * HALF), color=colour, alpha=shade / SHADES, linewidth=0
            )


def _mark_alleles(axis: Axes, region: CopiedRegion, alleles: np.ndarray, height: float) -> None:
    """Mark typed sites: a dot for ALT, and a ring where a haplotype differs from the query."""
    kilobases = region.position / 1e3
    alternate = region.typed & (alleles == 1)
    differs = region.typed & (alleles != region.query) & (region.query >= 0)
    axis.scatter(kilobases[alternate], np.full(alternate.sum(), height), s=2.5, color=INK, zorder=3)
    ring = {"s": 18, "facecolors": "none", "edgecolors": INK, "linewidths": 0.7, "zorder": 3}
    axis.scatter(kilobases[differs], np.full(differs.sum(), height), **ring)


def _mark_rare_allele(axis: Axes, region: CopiedRegion, heights: list[float]) -> None:
    """Mark the rare allele: where it is, who of those shown carries it, and what was imputed."""
    at = region.position[region.site] / 1e3
    axis.axvline(at, color=INK, linewidth=0.8, linestyle=":", zorder=1)
    carries = [heights[0]]
    carries += [
        height
        for row, height in enumerate(heights[1:])
        if region.alleles[region.site, row] == region.minor
    ]
    look = {"marker": "*", "s": 110, "color": INK, "edgecolors": SHEET, "linewidths": 0.6}
    axis.scatter([at] * len(carries), carries, zorder=4, **look)
    text = (
        f"rare allele, hidden: imputed with probability {region.probability:.2f}; "
        f"{region.carriers} reference haplotypes carry it"
    )
    look = {"fontsize": 8.5, "bbox": {"facecolor": SHEET, "edgecolor": "none", "pad": 1.5}}
    axis.annotate(text, (at, -0.75), ha="center", va="center", annotation_clip=False, **look)


def _list_runs(values: np.ndarray) -> list[tuple[int, int, int]]:
    """Value, first and last place + 1 of each run of equal values."""
    runs = []
    first = 0
    for value, run in groupby(values.tolist()):
        last = first + len(list(run))
        runs.append((value, first, last))
        first = last
    return runs
