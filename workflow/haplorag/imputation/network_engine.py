"""An imputer's network, asked window by window."""

from __future__ import annotations

import numpy as np

from haplorag.dataset.batches import cut_batch
from haplorag.imputation.engine import Engine
from haplorag.imputation.imputer import Imputer, PanelChromosome
from haplorag.network.device import choose_device, configure_runtime
from haplorag.network.model import build_network, predict
from haplorag.network.weights import load_weights
from haplorag.panel.masked_window import MaskedWindow, choose_typed_columns
from haplorag.retrieval.search import search_neighbours


def build_network_engine(imputer: Imputer, threads: int, gpus: int) -> Engine:
    """The network, which is given retrieved neighbours and the model over the panel.

    Raises InputError where the weights do not fit.
    """
    device = choose_device(gpus)
    configure_runtime(device, threads)
    network = build_network(imputer.reads)
    load_weights(imputer.folder / "weights.safetensors", network)
    network.to(device)

    def impute(panel: PanelChromosome, view: MaskedWindow, haplotypes: np.ndarray) -> np.ndarray:
        typed, inside = choose_typed_columns(view.hidden, view.core, imputer.neighbours.reach_typed)
        nobody = np.full(len(haplotypes), -1)
        reference = view.shards.haplotypes(view.sites[typed])
        ids, _ = search_neighbours(
            haplotypes[:, typed], reference, inside, nobody, imputer.neighbours, threads
        )
        unknown = np.zeros(len(haplotypes) // 2, dtype=np.int64)
        batch, _ = cut_batch(
            view, haplotypes, ids, nobody, panel.frequencies, unknown, imputer.reads
        )
        return predict(network, batch.to(device)).cpu().numpy()

    return Engine(impute, joins=False)
