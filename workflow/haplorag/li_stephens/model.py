"""Li and Stephens' model over what is in sight of a window, or of many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from haplorag.li_stephens.forward_backward import Chances, CoreGroups, run_queries
from haplorag.li_stephens.haplotype_blocks import HaplotypeBlocks, cut_haplotype_blocks
from haplorag.li_stephens.parameters import MIN_SWITCH, MISMATCH, SWITCHES_PER_CENTIMORGAN
from haplorag.li_stephens.site_groups import SiteGroups, group_core_sites
from haplorag.panel.haplotypes import ShardSet
from haplorag.panel.masked_window import MaskedWindow, choose_typed_columns


class TracedWindow(NamedTuple):
    """Probability of ALT float32 [Q, L] at core sites, and of copying each haplotype of interest,
    float32 [Q, P, K], at each group of core sites."""

    alternate: np.ndarray
    posterior: np.ndarray
    groups: SiteGroups


def trace_window(
    window: MaskedWindow,
    haplotypes: np.ndarray,
    ids: np.ndarray,
    owner: np.ndarray,
    panel_typed: int,
    threads: int,
) -> TracedWindow:
    """Run haplotypes int8 [Q, S] through the panel over a window's core and the nearest
    `panel_typed` typed sites a side.

    `ids` int [Q, K] and `owner` int [Q] as in `run_forward_backward`.
    """
    columns, _ = choose_typed_columns(window.hidden, window.core, panel_typed)
    typed = window.sites[columns]
    core = window.core_sites
    haplotypes_in_panel = window.shards.reference_haplotypes
    groups = group_core_sites(typed, core, window.centimorgan, haplotypes_in_panel)
    blocks = _read_haplotype_blocks(window.shards, typed.tobytes(), core.tobytes())
    alternate, posterior = run_forward_backward(
        haplotypes[:, columns], window.centimorgan[typed], blocks, groups, ids, owner, threads
    )
    return TracedWindow(alternate, posterior, groups)


def run_forward_backward(
    alleles: np.ndarray,
    typed_centimorgan: np.ndarray,
    blocks: HaplotypeBlocks,
    groups: SiteGroups,
    ids: np.ndarray,
    owner: np.ndarray,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Run haplotypes through the whole panel, forward and backward over the typed sites.

    `alleles` int8 [Q, T] (-1 where missing) and genetic positions `typed_centimorgan` [T] are those
    of typed sites, `blocks` the panel at these and at the L core sites wanted, `ids` int [Q, K]
    haplotypes of interest (-1 for none), `owner` int [Q] the rank of the query's sample among the
    reference samples, -1 for nobody; a sample's own two haplotypes are never copied.

    Gives the probability of ALT float32 [Q, L], and that of copying each of `ids` float32
    [Q, P, K] at each group of core sites. After Li and Stephens 2003
    (doi:10.1093/genetics/165.4.2213).
    """
    chances = _compute_chances(typed_centimorgan, groups, blocks.group.shape[1])
    core = CoreGroups(groups.first, groups.before.astype(np.int64))
    alternate = np.empty((len(alleles), len(groups.of_site)), dtype=np.float32)
    posterior = np.empty((len(alleles), len(groups.before), ids.shape[1]), dtype=np.float32)
    alleles = np.ascontiguousarray(alleles)
    ids = ids.astype(np.int64)
    owner = owner.astype(np.int64)
    share = max(1, -(-len(alleles) // threads))

    def run(start: int) -> None:
        part = slice(start, start + share)
        outputs = alternate[part], posterior[part]
        run_queries(alleles[part], blocks, chances, core, ids[part], owner[part], *outputs)

    # Threads of our own, see `jit`.
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(0, len(alleles), share)))
    return alternate, posterior


def _compute_chances(typed_centimorgan: np.ndarray, groups: SiteGroups, haplotypes: int) -> Chances:
    """Turn distances into probabilities of a switch."""
    per_centimorgan = SWITCHES_PER_CENTIMORGAN / haplotypes
    # Beyond the first and the last typed site nothing is known: a switch from there is certain.
    bounds = np.concatenate([[-np.inf], typed_centimorgan, [np.inf]])
    left = groups.centimorgan - bounds[groups.before]
    right = bounds[groups.before + 1] - groups.centimorgan
    switch, from_left, from_right = (
        np.maximum(-np.expm1(-np.maximum(gap, 0) * per_centimorgan), MIN_SWITCH).astype(np.float32)
        for gap in (np.diff(bounds), left, right)
    )
    return Chances(switch, from_left, from_right, np.float32(MISMATCH))


@lru_cache(maxsize=4)
def _read_haplotype_blocks(shards: ShardSet, typed: bytes, core: bytes) -> HaplotypeBlocks:
    """The whole panel at sorted typed and core sites, the bytes of int32 arrays; the last few are
    kept in memory."""
    typed_sites = np.frombuffer(typed, dtype=np.int32)
    core_sites = np.frombuffer(core, dtype=np.int32)
    before = np.searchsorted(typed_sites, core_sites, side="right")
    return cut_haplotype_blocks(shards.by_site(typed_sites), shards.by_site(core_sites), before)
