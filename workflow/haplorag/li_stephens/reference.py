"""Li and Stephens' model written down plainly, state by state, to hold the fast passes against."""

from __future__ import annotations

import numpy as np


def weigh_haplotypes(
    alleles: np.ndarray,
    panel: np.ndarray,
    typed_centimorgan: np.ndarray,
    core_centimorgan: np.ndarray,
    switches_per_centimorgan: float,
    mismatch: float,
    own: int = -1,
) -> np.ndarray:
    """Posterior of copying each haplotype at each core site: float64 [Q, L, N].

    `alleles` int8 [Q, T] (-1 where missing) and `panel` 0/1 [Q or 1, N, T] are those of typed
    sites, whose genetic positions [T] rise as those of the core sites [L] do. `own` is the rank of
    the queries' sample in the panel, whose two haplotypes are never copied, -1 for nobody. Every
    state of every site is held in memory. After Li and Stephens 2003 (doi:10.1093/genetics/165.4.2213);
    docs/method.md has the recursion.
    """
    prior = np.ones(panel.shape[1])
    prior[2 * own : 2 * own + 2 if own >= 0 else 0] = 0
    prior /= prior.sum()
    agrees = np.where(alleles[:, None] == panel, 1 - mismatch, mismatch)
    emission = np.where(alleles[:, None] < 0, 1.0, agrees)
    gaps = np.diff(typed_centimorgan) * switches_per_centimorgan
    forward = _run_pass(emission, gaps, prior)
    backward = _run_pass(emission[..., ::-1], gaps[::-1], prior)[..., ::-1]
    right = np.searchsorted(typed_centimorgan, core_centimorgan)
    weights = np.empty((len(alleles), len(core_centimorgan), panel.shape[1]))
    for column, position in enumerate(core_centimorgan):
        weight = np.ones((len(alleles), panel.shape[1])) * (prior > 0)
        for states, site in ((forward, right[column] - 1), (backward, right[column])):
            if 0 <= site < len(typed_centimorgan):
                gap = abs(position - typed_centimorgan[site]) * switches_per_centimorgan
                weight *= _switch(states[..., site], gap, prior)
        weights[:, column] = weight / weight.sum(axis=1, keepdims=True)
    return weights


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
