"""Li and Stephens' model over the whole panel: along a chromosome, or in sight of a window."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.forward_backward import read_segment
from haplorag.li_stephens.lanes import Chunk, Queries, follow_chunks
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import PanelSegments, cut_segments
from haplorag.li_stephens.site_groups import SiteGroups
from haplorag.panel.masked_window import MaskedWindow, choose_typed_columns

# Probabilities that `impute_sites` has in memory at a time, under all settings of the model.
MOST_PROBABILITIES = 2**26


class TracedWindow(NamedTuple):
    """Probability of ALT float32 [Q, L] at core sites, and of copying each haplotype of interest,
    float32 [Q, P, K], at each group of core sites; both are means over the settings."""

    alternate: np.ndarray
    posterior: np.ndarray
    groups: SiteGroups


def trace_window(
    window: MaskedWindow,
    model: CopyingModel,
    haplotypes: np.ndarray,
    ids: np.ndarray,
    owner: np.ndarray,
    panel_typed: int,
    threads: int,
) -> TracedWindow:
    """Run haplotypes int8 [Q, S] through the panel over a window's core and the nearest
    `panel_typed` typed sites a side.

    `ids` int [Q, K] are haplotypes of interest (-1 for none), `owner` int [Q] as in `Queries`.
    """
    columns, _ = choose_typed_columns(window.hidden, window.core, panel_typed)
    panel = cut_segments(window.shards, window.sites[columns], window.core_sites, model.distance)
    queries = Queries(haplotypes[:, columns], owner)
    alternate, posterior = run_forward_backward(queries, panel, model, threads, ids)
    return TracedWindow(alternate.mean(axis=1), posterior.mean(axis=1), panel.groups)


def impute_sites(
    queries: Queries, panel: PanelSegments, model: CopyingModel, threads: int
) -> np.ndarray:
    """Probability of ALT float32 [Q, L] at the panel's core sites, the mean over the settings.

    So many queries go at a time that probabilities under all settings take no more than 256 MB.
    """
    found = np.empty((len(queries.alleles), len(panel.core)), dtype=np.float32)
    each = len(panel.core) * len(model.settings)
    step = max(2, MOST_PROBABILITIES // max(1, each))
    for start in range(0, len(found), step):
        some = slice(start, start + step)
        part = Queries(queries.alleles[some], queries.owner[some])
        found[some] = run_forward_backward(part, panel, model, threads)[0].mean(axis=1)
    return found


def run_forward_backward(
    queries: Queries,
    panel: PanelSegments,
    model: CopyingModel,
    threads: int = 1,
    ids: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Run haplotypes through the whole panel, forward and backward over its typed sites.

    Gives, under each setting, the probability of ALT float32 [Q, setting, L] at core sites, and
    that of copying each of `ids` int [Q, K] (-1 for none) float32 [Q, setting, P, K] at each group
    of core sites. After Li and Stephens 2003 (doi:10.1093/genetics/165.4.2213).
    """
    haplotypes = len(queries.alleles)
    ids = np.empty((haplotypes, 0)) if ids is None else ids
    shape = haplotypes, len(model.settings)
    alternate = np.empty((*shape, len(panel.core)), dtype=np.float32)
    posterior = np.empty((*shape, len(panel.groups.before), ids.shape[1]), dtype=np.float32)

    def read(chunk: Chunk) -> None:
        wanted = np.ascontiguousarray(ids[chunk.query], dtype=np.int64)
        rows = chunk.query[: chunk.size], chunk.setting[: chunk.size]
        for segment, lanes, ahead, behind in chunk.follow():
            groups = segment.groups
            at_sites = np.empty((len(wanted), groups.first[-1]), np.float32)
            at_groups = np.empty((len(wanted), len(groups.before), ids.shape[1]), np.float32)
            read_segment(
                lanes, segment.blocks, groups, ahead, behind, chunk.scratch, wanted,
                at_sites, at_groups,
            )  # fmt: skip
            alternate[(*rows, segment.core)] = at_sites[: chunk.size]
            posterior[(*rows, segment.places)] = at_groups[: chunk.size]

    follow_chunks(read, queries, panel, model, threads)
    return alternate, posterior
