"""Imputes window by window with whatever model is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from haplorag.errors import InputError
from haplorag.imputation.imputer import Imputer, PanelChromosome
from haplorag.li_stephens.model import trace_window
from haplorag.panel.masked_window import MaskedWindow

# Where only the model over the whole panel speaks, as many windows are traced as one as give this many probabilities (400 MB)
# or hold this many alleles of the panel (100 MB): what lies beside them is passed once for all.
MAX_TRACED = 100_000_000
# Probability of ALT float32 [2n, L] at the core of a view of a panel, given haplotypes int8 [2n, S] over it.
Engine = Callable[[PanelChromosome, MaskedWindow, np.ndarray], np.ndarray]


def count_windows_together(panel: PanelChromosome, people: int) -> int:
    """How many windows may be traced as one, for so many people, where no network is asked."""
    widest, most = (
        int(np.diff(panel.windows.cores).max()),
        max(2 * people, panel.shards.reference_haplotypes),
    )
    return max(1, MAX_TRACED // (most * widest))


def build_panel_engine(imputer: Imputer, threads: int) -> Engine:
    """The model over the whole panel, alone. Raises InputError where the imputer's network does not copy."""
    if not imputer.reads.copies:
        raise InputError(
            f"{imputer.folder}: its network does not copy; set imputation.network to full"
        )

    def impute(_: PanelChromosome, view: MaskedWindow, haplotypes: np.ndarray) -> np.ndarray:
        ids, nobody = np.empty((len(haplotypes), 0), dtype=np.int32), np.full(len(haplotypes), -1)
        return trace_window(
            view, haplotypes, ids, nobody, imputer.reads.panel_typed, threads
        ).alternate

    return impute


def impute_windows(
    impute: Engine,
    panel: PanelChromosome,
    read: Callable[[np.ndarray], np.ndarray],
    typed: np.ndarray,
    batch_people: int,
    together: int = 1,
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Window, known alleles int8 [2n, L] and probability of ALT float32 [2n, L] at its core sites, window by window.

    `read` gives haplotypes int8 [2n, C] of the target's n people at sites int [C] (-1 where untyped or missing), `typed` is
    bool [site]. People are imputed `batch_people` at a time, and so many windows `together`.
    """
    for first in range(0, len(panel.windows), together):
        windows = range(first, min(first + together, len(panel.windows)))
        sites = np.unique(np.concatenate([panel.windows.context(window) for window in windows]))
        start, stop = panel.windows.cores[windows[0]][0], panel.windows.cores[windows[-1]][1]
        core = int(np.searchsorted(sites, start)), int(np.searchsorted(sites, stop))
        view = MaskedWindow(sites, core, ~typed[sites], panel.windows.centimorgan, panel.shards)
        haplotypes, step = read(sites), 2 * batch_people
        pieces = [haplotypes[piece : piece + step] for piece in range(0, len(haplotypes), step)]
        probability = np.concatenate([impute(panel, view, piece) for piece in pieces])
        known = haplotypes[:, slice(*core)]
        for window in windows:
            here = slice(*(panel.windows.cores[window] - start))
            yield window, known[:, here], probability[:, here]
