"""An imputer's network, asked window by window."""

from __future__ import annotations

import numpy as np

from haplorag.dataset.batches import cut_batch
from haplorag.imputation.imputer import Impute, Imputer, Panel
from haplorag.training.epoch import choose_device
from haplorag.masking import choose_typed
from haplorag.network.model import build_network, predict
from haplorag.training.loss import load_weights
from haplorag.retrieval.search import search_neighbours
from haplorag.panel.windows import View


def load_network(imputer: Imputer, threads: int, gpus: int) -> Impute:
    """Load the network; what is given retrieves neighbours and asks it. Raises InputError where the weights do not fit."""
    device = choose_device(gpus, threads)
    network = build_network(imputer.reads)
    load_weights(imputer.folder / "weights.safetensors", network)
    network.to(device)

    def impute(panel: Panel, view: View, haplotypes: np.ndarray) -> np.ndarray:
        typed, inside = choose_typed(view.hidden, view.core, imputer.neighbours.reach_typed)
        nobody = np.full(len(haplotypes), -1)
        reference = view.shards.haplotypes(view.sites[typed])
        ids, _ = search_neighbours(haplotypes[:, typed], reference, inside, nobody, imputer.neighbours, threads)
        unknown = np.zeros(len(haplotypes) // 2, dtype=np.int64)
        batch, _ = cut_batch(view, haplotypes, ids, nobody, panel.frequencies, unknown, imputer.reads)
        return predict(network, batch.to(device)).cpu().numpy()

    return impute
