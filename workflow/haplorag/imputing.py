"""A trained imputer as it travels: a folder with weights, settings, sites and packed reference haplotypes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from haplorag import store
from haplorag.batches import Frequencies, cut_batch
from haplorag.errors import InputError
from haplorag.masking import choose_typed
from haplorag.network import build_network, predict
from haplorag.optimisation import load_weights
from haplorag.retrieval import search_neighbours
from haplorag.settings import Neighbours, Network
from haplorag.windowing import ShardSet, WindowSet, open_shards, read_windows


@dataclass(frozen=True)
class Imputer:
    """A network with its settings, and the folder its chromosomes lie in."""

    folder: Path
    network: nn.Module
    reads: Network
    neighbours: Neighbours
    chromosomes: list[str]
    device: torch.device


@dataclass(frozen=True)
class Panel:
    """One chromosome of the reference as an imputer knows it: sites, frequencies, windows and haplotypes."""

    position: np.ndarray
    ref: np.ndarray
    alt: np.ndarray
    name: np.ndarray
    frequencies: Frequencies
    windows: WindowSet
    shards: ShardSet


def open_imputer(folder: Path, device: torch.device) -> Imputer:
    """Open an imputer's folder. Raises InputError where a file is missing, damaged or of another format."""
    facts = store.read_facts(folder / "imputer.json", "imputer")
    for name, expected in facts["files"].items():
        path = folder / name
        if not path.exists() or store.checksum(path) != expected:
            raise InputError(
                f"{path}: missing or damaged, its checksum is not the one in imputer.json; copy the whole folder again"
            )
    reads = Network.model_validate(facts["network"])
    network = build_network(reads)
    load_weights(folder / "weights.safetensors", network)
    neighbours = Neighbours.model_validate(facts["neighbours"])
    return Imputer(folder, network.to(device).eval(), reads, neighbours, facts["chromosomes"], device)


def open_panel(imputer: Imputer, chromosome: str) -> Panel:
    """Open one chromosome of an imputer."""
    folder = imputer.folder / chromosome
    arrays = store.read_arrays(folder / "panel.h5", "panel")
    # Nobody's population is known, so that everyone's frequencies stand for it.
    known = Frequencies([], arrays["frequency"], arrays["frequency"][None], arrays["genotype_frequency"][None])
    position, ref, alt, name = (arrays[f"variants/{word}"] for word in ("POS", "REF", "ALT", "ID"))
    return Panel(position, ref, alt, name, known, read_windows(folder / "windows.h5"), open_shards(folder / "shards"))


def list_files(folder: Path) -> dict[str, str]:
    """SHA-256 of all files of an imputer but imputer.json and the shards, which their own table of contents guards."""
    paths = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.suffix != ".faiss" and path.name != "imputer.json"
    )
    return {str(path.relative_to(folder)): store.checksum(path) for path in paths}


def impute_window(
    imputer: Imputer, panel: Panel, window: int, haplotypes: np.ndarray, hidden: np.ndarray, people: int, threads: int
) -> np.ndarray:
    """Probability of ALT float32 [2n, L] at a window's core sites, `people` people at a time.

    `haplotypes` int8 [2n, C] over the window's context (-1 where hidden or missing), `hidden` bool [C] where nothing is typed.
    """
    sites, core = panel.windows.context(window), panel.windows.core_columns(window)
    typed, typed_core = choose_typed(hidden, core, imputer.neighbours.reach_typed)
    reference = panel.shards.haplotypes(sites[typed])
    parts: list[Any] = []
    for start in range(0, len(haplotypes), 2 * people):
        queries = haplotypes[start : start + 2 * people]
        nobody = np.full(len(queries), -1)
        ids, _ = search_neighbours(queries[:, typed], reference, typed_core, nobody, imputer.neighbours, threads)
        batch, _ = cut_batch(
            queries,
            ids,
            nobody,
            panel.shards,
            hidden,
            sites,
            core,
            panel.windows.centimorgan,
            panel.frequencies,
            np.zeros(len(queries) // 2, dtype=np.int64),
            imputer.reads,
        )
        parts.append(predict(imputer.network, batch.to(imputer.device)).cpu().numpy())
    return np.concatenate(parts)
