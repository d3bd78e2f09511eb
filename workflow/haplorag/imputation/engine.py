"""Imputes a chromosome of a target with Li and Stephens' model over the whole panel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from operator import attrgetter
from typing import Any, Protocol

import numpy as np

from haplorag.alleles import MISSING
from haplorag.imputation.imputer import Imputer, PanelChromosome
from haplorag.imputation.mixing import learn_mixture
from haplorag.imputation.phase_mean import Piece, average_phases, cut_pieces, find_unknown
from haplorag.imputation.target_chromosome import TargetChromosome
from haplorag.li_stephens.estimation import estimate_model
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.mixture import Mixture
from haplorag.li_stephens.model import answer
from haplorag.li_stephens.model_store import read_models, write_models
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.passes import Passes
from haplorag.panel.ploidy import mark_absent
from haplorag.seeding import seed_of
from haplorag.vcf.writer import LEVELS

log = logging.getLogger(__name__)
# Window, known alleles int8 [2n, L] (-1 where untyped or missing, ABSENT where somebody has no
# second haplotype) and probability of ALT float32 [2n, L] at its core sites, window by window.
Windows = Iterator[tuple[int, np.ndarray, np.ndarray]]


class Progress(Protocol):
    """Passes items on, and shows how far they are."""

    def __call__(
        self, items: Iterable[Any], what: str, total: int, size: Callable[[Any], int] = ...
    ) -> Iterable[Any]:
        """Items, what they are, how many in all, and for how many each of them counts."""


# A model that imputes a chromosome of a target from that of the panel.
Engine = Callable[[PanelChromosome, TargetChromosome, Progress], Windows]


def build_panel_engine(imputer: Imputer, batch_people: int, passes: Passes) -> Engine:
    """The model over the whole panel, alone; at most `batch_people` people go at a time, and more
    where the passes are best taken by many.

    Each goes along the whole chromosome. What comes out is kept beside the target's store, in
    thousandths, and given window by window.
    """

    def impute(panel: PanelChromosome, target: TargetChromosome, progress: Progress) -> Windows:
        typed = target.typed
        known = target.read_haplotypes(typed)
        # Of typed sites only those are imputed where somebody lacks the genotype.
        imputed = np.ones(len(target.record), dtype=bool)
        imputed[typed[(known != MISSING).all(axis=0)]] = False
        core = np.flatnonzero(imputed)
        wanted = target.is_wanted(panel.position)
        asked = _find_asked(core, typed, np.flatnonzero(wanted))
        learned = _learn(imputer, panel, target, passes)
        what = f"chromosome {target.name}, learning from the panel"
        _, (model, mixture) = progress(learned, what, 2)
        levels = _create_levels(target, len(known), asked.stop - asked.start)
        followed = passes.open_panel(panel.shards, typed, core, asked, model)
        evident = -1 if mixture is None else mixture.evident

        def ask(haplotypes: np.ndarray) -> np.ndarray:
            traced = followed.trace(Queries(haplotypes, np.full(len(haplotypes), -1)), evident)
            return answer(traced, followed.sites, len(haplotypes), mixture, passes.threads)

        there = np.ones(len(known), dtype=bool)
        there[1::2] = (target.ploidy.people > 1).any(axis=0)
        pieces = cut_pieces(target, batch_people * passes.people_together)
        what = f"chromosome {target.name}, people"
        for piece in progress(pieces, what, target.people, attrgetter("people.size")):
            # Who has one haplotype all along is followed once.
            rows = piece.rows[there[piece.rows]]
            draws = (target.read_draw(draw, rows) for draw in piece.draws)
            found = (ask(haplotypes) for haplotypes in chain([known[rows]], draws))
            mean = _average(found, target, piece, known, core[asked])
            mean *= LEVELS
            levels[rows] = np.rint(mean, out=mean)
        windows = choose_windows(panel, wanted)
        yield from _cut_windows(panel, target, known, core[asked], levels, windows)

    return impute


def _average(
    found: Iterator[np.ndarray],
    target: TargetChromosome,
    piece: Piece,
    known: np.ndarray,
    core: np.ndarray,
) -> np.ndarray:
    """The mean of what is found under each phase of a piece's people, float32 [rows, L].

    Only who has several phases has two rows for certain: without heterozygotes there is one phase.
    """
    if not piece.draws:
        return next(found)
    return average_phases(found, _find_unknown(target, piece, known, core))


def _find_unknown(
    target: TargetChromosome, piece: Piece, known: np.ndarray, core: np.ndarray
) -> np.ndarray:
    """Where people of a piece have two haplotypes and neither allele is known: bool [m, L] at core
    sites; `known` int8 [2n, T] are the alleles at typed ones.
    """
    unknown = ~target.ploidy.take(piece.people).find_haploid(core).T
    _, columns, typed = np.intersect1d(core, target.typed, True, return_indices=True)
    unknown[:, columns] = find_unknown(known[piece.rows][:, typed])
    return unknown


def choose_windows(panel: PanelChromosome, wanted: np.ndarray) -> list[int]:
    """Windows that have one of the sites that are wanted, bool [site]."""
    cores = panel.windows.cores.tolist()
    return [window for window, (start, stop) in enumerate(cores) if wanted[start:stop].any()]


def _find_asked(core: np.ndarray, typed: np.ndarray, wanted: np.ndarray) -> slice:
    """Which of the core sites are read out for the wanted ones, all sorted: those as far as the
    typed sites around, since sites between two of them share weights.
    """
    before, after = np.searchsorted(typed, wanted[[0, -1]], side="right")
    bounds = np.concatenate([[0], typed, [core[-1] + 1 if len(core) else 0]])[[before, after + 1]]
    return slice(*np.searchsorted(core, bounds).tolist())


def estimate_copying(
    imputer: Imputer, panel: PanelChromosome, target: TargetChromosome, passes: Passes
) -> CopyingModel:
    """How haplotypes copy where a target's sites are typed, as the panel itself tells.

    Phasing and imputation both ask: it is estimated once, and kept beside the target's store.
    """
    path, name = target.path.with_suffix(".rates.h5"), "target"
    if path.exists():
        return read_models(path)[name]
    seed = seed_of(imputer.seed, "rates", target.chromosome)
    positions = panel.windows.centimorgan
    expect = passes.expect_events
    model = estimate_model(panel.shards, target.typed, positions, imputer.copying, seed, expect)
    write_models(path, {name: model}, sources="")
    return model


def _learn(
    imputer: Imputer, panel: PanelChromosome, target: TargetChromosome, passes: Passes
) -> Iterator[Any]:
    """How haplotypes copy where a target's sites are typed, and then by which settings to answer,
    and how to weigh them."""
    model = estimate_copying(imputer, panel, target, passes)
    yield model
    yield _learn_mixture(imputer, panel, target, model, passes)


def _learn_mixture(
    imputer: Imputer,
    panel: PanelChromosome,
    target: TargetChromosome,
    model: CopyingModel,
    passes: Passes,
) -> tuple[CopyingModel, Mixture | None]:
    """By which settings to answer where a target's sites are typed, and how to weigh them, as the
    panel itself tells."""
    settings = imputer.copying.mixture
    seed = seed_of(imputer.seed, "mixture", target.chromosome)
    positions = panel.windows.centimorgan
    return learn_mixture(panel.shards, target.typed, positions, model, settings, seed, passes)


def _create_levels(target: TargetChromosome, haplotypes: int, sites: int) -> np.ndarray:
    """Room on disk for probabilities in thousandths, uint16 [2n, L]."""
    if not sites:
        return np.empty((haplotypes, 0), dtype=np.uint16)
    path = target.path.with_suffix(".levels")
    return np.memmap(path, dtype=np.uint16, mode="w+", shape=(haplotypes, sites))


def _cut_windows(
    panel: PanelChromosome,
    target: TargetChromosome,
    known: np.ndarray,
    core: np.ndarray,
    levels: np.ndarray,
    windows: list[int],
) -> Windows:
    typed = target.typed
    for window in windows:
        start, stop = panel.windows.cores[window]
        alleles = np.full((len(known), stop - start), -1, dtype=np.int8)
        probability = np.zeros(alleles.shape, dtype=np.float32)
        first, last = np.searchsorted(typed, (start, stop))
        alleles[:, typed[first:last] - start] = known[:, first:last]
        first, last = np.searchsorted(core, (start, stop))
        probability[:, core[first:last] - start] = levels[:, first:last] / np.float32(LEVELS)
        yield window, mark_absent(alleles, np.arange(start, stop), target.ploidy), probability
