"""Li and Stephens' model written down plainly, state by state, to hold the fast passes against."""

from __future__ import annotations

import numpy as np


def weigh_haplotypes(
    alleles: np.ndarray,
    panel: np.ndarray,
    typed_distance: np.ndarray,
    core_distance: np.ndarray,
    mismatch: float | np.ndarray,
    own: int = -1,
) -> np.ndarray:
    """Posterior of copying each haplotype at each core site: float64 [Q, L, N].

    `alleles` int8 [Q, T] (-1 where missing) and `panel` 0/1 [Q or 1, N, T] are those of typed
    sites, which lie at `typed_distance` [T], in switches expected from some start on, as core sites
    do at `core_distance` [L]; both rise. `mismatch` is the chance of an allele that is not the
    copied one, of all typed sites or of each [T]. `own` is the rank of the queries' sample in the
    panel, whose two haplotypes are never copied, -1 for nobody. Every state of every site is held
    in memory. After Li and Stephens 2003 (doi:10.1093/genetics/165.4.2213); docs/method.md has the
    recursion.
    """
    prior = _start(panel.shape[1], own)
    emission = _emit(alleles, panel, mismatch)
    gaps = np.diff(typed_distance)
    forward = _run_pass(emission, gaps, prior)
    backward = _run_pass(emission[..., ::-1], gaps[::-1], prior)[..., ::-1]
    right = np.searchsorted(typed_distance, core_distance)
    weights = np.empty((len(alleles), len(core_distance), panel.shape[1]))
    for column, position in enumerate(core_distance):
        weight = np.ones((len(alleles), panel.shape[1])) * (prior > 0)
        for states, site in ((forward, right[column] - 1), (backward, right[column])):
            if 0 <= site < len(typed_distance):
                gap = abs(position - typed_distance[site])
                weight *= _switch(states[..., site], gap, prior)
        weights[:, column] = weight / weight.sum(axis=1, keepdims=True)
    return weights


def expect_events_plainly(
    alleles: np.ndarray,
    panel: np.ndarray,
    typed_distance: np.ndarray,
    mismatch: float | np.ndarray,
    own: int = -1,
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that a haplotype errs at typed sites [Q, T], and switches between them [Q, T -
    1].

    As `weigh_haplotypes`. A switch may lead back to the haplotype that was copied.
    """
    prior = _start(panel.shape[1], own)
    emission = _emit(alleles, panel, mismatch)
    gaps = np.diff(typed_distance)
    forward = _run_pass(emission, gaps, prior)
    backward = _run_pass(emission[..., ::-1], gaps[::-1], prior)[..., ::-1]
    errs = np.zeros(alleles.shape)
    switches = np.zeros((len(alleles), len(gaps)))
    weights = weigh_haplotypes(alleles, panel, typed_distance, typed_distance, mismatch, own)
    for site in range(alleles.shape[1]):
        other = (panel[..., site] != alleles[:, None, site]) & (alleles[:, None, site] >= 0)
        errs[:, site] = (weights[:, site] * other).sum(axis=1)
        if site:
            stayed = np.exp(-gaps[site - 1]) * forward[..., site - 1] * backward[..., site]
            either = _switch(forward[..., site - 1], gaps[site - 1], prior) * backward[..., site]
            switches[:, site - 1] = 1 - stayed.sum(axis=1) / either.sum(axis=1)
    return errs, switches


def _start(haplotypes: int, own: int) -> np.ndarray:
    prior = np.ones(haplotypes)
    prior[2 * own : 2 * own + 2 if own >= 0 else 0] = 0
    return prior / prior.sum()


def _emit(alleles: np.ndarray, panel: np.ndarray, mismatch: float | np.ndarray) -> np.ndarray:
    """Probability [Q, N, T] of each typed allele where each haplotype is copied."""
    agrees = np.where(alleles[:, None] == panel, 1 - mismatch, mismatch)
    return np.where(alleles[:, None] < 0, 1.0, agrees)


def _run_pass(emission: np.ndarray, gaps: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """States [Q, N, T] after each typed site, in order, each site's summing to one."""
    states = np.empty(emission.shape)
    for site in range(emission.shape[2]):
        before = prior[None] if site == 0 else _switch(states[..., site - 1], gaps[site - 1], prior)
        state = before * emission[..., site]
        states[..., site] = state / state.sum(axis=1, keepdims=True)
    return states


def _switch(states: np.ndarray, gap: float, prior: np.ndarray) -> np.ndarray:
    """States after a gap in which `gap` switches are expected: each goes to any haplotype."""
    chance = -np.expm1(-gap)
    return (1 - chance) * states + chance * prior
