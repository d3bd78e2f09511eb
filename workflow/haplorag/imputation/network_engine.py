"""An imputer's network, asked window by window."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from haplorag.dataset.batches import cut_batch
from haplorag.errors import InputError
from haplorag.imputation.engine import Engine, Progress, Windows, choose_windows, estimate_copying
from haplorag.imputation.imputer import Imputer, PanelChromosome
from haplorag.imputation.phase_mean import average_phases, cut_pieces, find_unknown
from haplorag.imputation.target_chromosome import TargetChromosome
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.passes import Passes, trace_window
from haplorag.network.device import telling_what_to_lower
from haplorag.network.model import load_network, predict
from haplorag.panel.masked_window import MaskedWindow, choose_typed_columns, mask_window
from haplorag.panel.ploidy import find_own_rows, repeat_haploid
from haplorag.retrieval.search import search_neighbours


def build_network_engine(
    imputer: Imputer, batch_people: int, passes: Passes, device: torch.device, threads: int
) -> Engine:
    """The network on a device, which is given retrieved neighbours and the model over the panel.

    At most `batch_people` people go at a time. Raises InputError where the imputer has no network,
    or its weights do not fit.
    """
    if imputer.reads is None:
        raise InputError(f"{imputer.folder}: has no network; make one of a trained model")
    reads, neighbours, most = imputer.reads, imputer.neighbours, batch_people
    network = load_network(imputer.folder / "weights.safetensors", reads)
    network.to(device)

    def ask(
        panel: PanelChromosome, copying: CopyingModel, view: MaskedWindow, haplotypes: np.ndarray
    ) -> np.ndarray:
        typed, inside = choose_typed_columns(view.hidden, view.core, neighbours.reach_typed)
        nobody = np.full(len(haplotypes), -1)
        own = find_own_rows(view.rows, nobody)
        reference = view.read_reference(typed)
        ids, _ = search_neighbours(
            haplotypes[:, typed], reference, inside, own, neighbours, threads
        )
        unknown = np.zeros(len(haplotypes) // 2, dtype=np.int64)
        trace = partial(trace_window, passes, copying)
        batch, _ = cut_batch(
            view, trace, haplotypes, ids, nobody, panel.frequencies, unknown, reads
        )
        with telling_what_to_lower("imputation.batch_people", batch_people):
            found = predict(network, batch.to(device)).cpu().numpy()
        if not np.isfinite(found).all():
            raise InputError(
                f"{imputer.folder}: its network answers with what is no number; use another imputer"
            )
        return found

    def impute(panel: PanelChromosome, target: TargetChromosome, progress: Progress) -> Windows:
        copying = estimate_copying(imputer, panel, target, passes)
        untyped = target.record < 0
        chosen = choose_windows(panel, target.is_wanted(panel.position))
        for window in progress(chosen, f"chromosome {target.name}, windows", len(chosen)):
            view = mask_window(panel.windows, panel.shards, window, untyped)
            yield window, *_impute_window(partial(ask, panel, copying, view), view, target, most)

    return impute


def _impute_window(
    ask: Callable[[np.ndarray], np.ndarray],
    view: MaskedWindow,
    target: TargetChromosome,
    batch_people: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Known alleles int8 [2n, L] at a window's core sites, and what a network says of them."""
    phases = [target.read_haplotypes(view.sites, draw) for draw in range(1 + target.draws)]
    known = phases[0][:, slice(*view.core)]
    probability = np.empty(known.shape, dtype=np.float32)
    for piece in cut_pieces(target, batch_people):
        asked = (repeat_haploid(phases[draw][piece.rows]) for draw in (0, *piece.draws))
        unknown = find_unknown(known[piece.rows])
        probability[piece.rows] = average_phases(map(ask, asked), unknown)
    return known, probability
