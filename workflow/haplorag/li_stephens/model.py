"""Li and Stephens' model over what is in sight of a window, or of many."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.forward_backward import run_forward_backward
from haplorag.li_stephens.haplotype_blocks import HaplotypeBlocks, cut_haplotype_blocks
from haplorag.li_stephens.site_groups import SiteGroups, group_core_sites
from haplorag.panel.haplotypes import ShardSet
from haplorag.panel.masked_window import MaskedWindow, choose_typed_columns


class TracedWindow(NamedTuple):
    """Probability of ALT float32 [Q, L] at core sites, and of copying each haplotype asked for float32 [Q, P, K] at places."""

    alternate: np.ndarray
    posterior: np.ndarray
    places: SiteGroups


def trace_window(
    view: MaskedWindow,
    haplotypes: np.ndarray,
    ids: np.ndarray,
    owner: np.ndarray,
    panel_typed: int,
    threads: int,
) -> TracedWindow:
    """Trace haplotypes int8 [Q, S] over a view's core and the nearest `panel_typed` typed sites a side.

    `ids` int [Q, K] and `owner` int [Q] as in `trace_mosaic`.
    """
    columns, _ = choose_typed_columns(view.hidden, view.core, panel_typed)
    typed = view.sites[columns]
    places = group_core_sites(
        typed, view.core_sites, view.centimorgan, view.shards.reference_haplotypes
    )
    stretches = _read_haplotype_blocks(view.shards, typed.tobytes(), view.core_sites.tobytes())
    traced = run_forward_backward(
        haplotypes[:, columns], view.centimorgan[typed], stretches, places, ids, owner, threads
    )
    return TracedWindow(*traced, places)


@lru_cache(maxsize=4)
def _read_haplotype_blocks(shards: ShardSet, typed: bytes, core: bytes) -> HaplotypeBlocks:
    """The whole panel at sorted typed and core sites, the bytes of int32 arrays; the last few are kept in memory."""
    at_typed, at_core = (np.frombuffer(sites, dtype=np.int32) for sites in (typed, core))
    before = np.searchsorted(at_typed, at_core, side="right")
    return cut_haplotype_blocks(shards.by_site(at_typed), shards.by_site(at_core), before)
