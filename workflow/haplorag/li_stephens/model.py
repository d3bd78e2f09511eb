"""Li and Stephens' model over what is in sight of a window, or of many."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from haplorag.masking import choose_typed
from haplorag.li_stephens.forward_backward import trace_mosaic
from haplorag.li_stephens.haplotype_blocks import Places, Stretches, cut_stretches, find_places
from haplorag.panel.windows import ShardSet, View


class Traced(NamedTuple):
    """Probability of ALT float32 [Q, L] at core sites, and of copying each haplotype asked for float32 [Q, P, K] at places."""

    alternate: np.ndarray
    posterior: np.ndarray
    places: Places


def trace_view(
    view: View, haplotypes: np.ndarray, ids: np.ndarray, owner: np.ndarray, panel_typed: int, threads: int
) -> Traced:
    """Trace haplotypes int8 [Q, S] over a view's core and the nearest `panel_typed` typed sites a side.

    `ids` int [Q, K] and `owner` int [Q] as in `trace_mosaic`.
    """
    columns, _ = choose_typed(view.hidden, view.core, panel_typed)
    typed = view.sites[columns]
    places = find_places(typed, view.core_sites, view.centimorgan, view.shards.reference_haplotypes)
    stretches = _read_stretches(view.shards, typed.tobytes(), view.core_sites.tobytes())
    traced = trace_mosaic(haplotypes[:, columns], view.centimorgan[typed], stretches, places, ids, owner, threads)
    return Traced(*traced, places)


@lru_cache(maxsize=4)
def _read_stretches(shards: ShardSet, typed: bytes, core: bytes) -> Stretches:
    """The whole panel at sorted typed and core sites, the bytes of int32 arrays; the last few are kept in memory."""
    at_typed, at_core = (np.frombuffer(sites, dtype=np.int32) for sites in (typed, core))
    before = np.searchsorted(at_typed, at_core, side="right")
    return cut_stretches(shards.by_site(at_typed), shards.by_site(at_core), before)
