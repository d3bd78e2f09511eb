"""Imputes window by window with whatever model is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from haplorag.errors import InputError
from haplorag.imputation.imputer import Imputer, PanelChromosome
from haplorag.imputation.target import TargetChromosome
from haplorag.li_stephens.model import trace_window
from haplorag.panel.masked_window import MaskedWindow

# Where only the model over the whole panel speaks, as many windows are traced as one as give this
# many probabilities (400 MB) or hold this many alleles of the panel (100 MB): what lies beside them
# is passed once for all.
MAX_TRACED = 100_000_000


@dataclass(frozen=True)
class Engine:
    """A model that imputes windows.

    `impute` gives the probability of ALT float32 [2n, L] at the core of a window of a panel, from
    haplotypes int8 [2n, S] over all it sees. `joins` says whether successive windows may be imputed
    as one.
    """

    impute: Callable[[PanelChromosome, MaskedWindow, np.ndarray], np.ndarray]
    joins: bool

    def count_windows_together(self, panel: PanelChromosome, people: int) -> int:
        """How many windows are imputed as one, for so many people."""
        if not self.joins:
            return 1
        widest = int(np.diff(panel.windows.cores).max())
        most = max(2 * people, panel.shards.reference_haplotypes)
        return max(1, MAX_TRACED // (most * widest))


def build_panel_engine(imputer: Imputer, threads: int) -> Engine:
    """The model over the whole panel, alone. Raises InputError where the network does not copy."""
    if not imputer.reads.copies:
        raise InputError(
            f"{imputer.folder}: its network does not copy; set imputation.network to full"
        )

    def impute(_: PanelChromosome, view: MaskedWindow, haplotypes: np.ndarray) -> np.ndarray:
        nothing = np.empty((len(haplotypes), 0), dtype=np.int32)
        nobody = np.full(len(haplotypes), -1)
        typed = imputer.reads.panel_typed
        return trace_window(view, haplotypes, nothing, nobody, typed, threads).alternate

    return Engine(impute, joins=True)


def impute_windows(
    engine: Engine, panel: PanelChromosome, target: TargetChromosome, batch_people: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Impute the windows of a chromosome one after the other.

    Gives window, known alleles int8 [2n, L] (-1 where untyped or missing) and probability of ALT
    float32 [2n, L] at its core sites. People are imputed `batch_people` at a time.
    """
    together = engine.count_windows_together(panel, target.people)
    for first in range(0, len(panel.windows), together):
        windows = range(first, min(first + together, len(panel.windows)))
        view = _join_windows(panel, windows, target.record >= 0)
        haplotypes = target.read_haplotypes(view.sites)
        pieces = np.split(haplotypes, range(2 * batch_people, len(haplotypes), 2 * batch_people))
        probability = np.concatenate([engine.impute(panel, view, piece) for piece in pieces])
        known = haplotypes[:, slice(*view.core)]
        start = panel.windows.cores[first][0]
        for window in windows:
            here = slice(*(panel.windows.cores[window] - start))
            yield window, known[:, here], probability[:, here]


def _join_windows(panel: PanelChromosome, windows: range, typed: np.ndarray) -> MaskedWindow:
    """All that some successive windows see, as one."""
    sites = np.unique(np.concatenate([panel.windows.context(window) for window in windows]))
    ends = panel.windows.cores[windows[0]][0], panel.windows.cores[windows[-1]][1]
    start, stop = np.searchsorted(sites, ends)
    core = int(start), int(stop)
    return MaskedWindow(sites, core, ~typed[sites], panel.windows.centimorgan, panel.shards)
