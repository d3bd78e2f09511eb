"""A trained imputer as it travels: a folder with weights, settings, sites and packed reference haplotypes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from haplorag.io import hdf5 as store
from haplorag.errors import InputError
from haplorag.panel.frequencies import Frequencies
from haplorag.settings import Neighbours, Network
from haplorag.li_stephens.model import trace_view
from haplorag.panel.windows import ShardSet, View, WindowSet, open_shards, read_windows

# Where only the model over the whole panel speaks, as many windows are traced as one as give this many probabilities (400 MB)
# or hold this many alleles of the panel (100 MB): what lies beside them is passed once for all.
TRACED_TOGETHER = 100_000_000


@dataclass(frozen=True)
class Imputer:
    """What an imputer says of itself, and the folder its network and its chromosomes lie in."""

    folder: Path
    reads: Network
    neighbours: Neighbours
    chromosomes: list[str]


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


# Probability of ALT float32 [2n, L] at the core of a view of a panel, given haplotypes int8 [2n, S] over it.
Impute = Callable[[Panel, View, np.ndarray], np.ndarray]


def open_imputer(folder: Path) -> Imputer:
    """Open an imputer's folder. Raises InputError where a file is missing, damaged or of another format."""
    facts = store.read_facts(folder / "imputer.json", "imputer")
    for name, expected in facts["files"].items():
        store.check(folder / name, expected, "copy the whole folder again, or remove it and run again")
    settings = Network.model_validate(facts["network"]), Neighbours.model_validate(facts["neighbours"])
    return Imputer(folder, *settings, facts["chromosomes"])


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


def count_together(panel: Panel, people: int) -> int:
    """How many windows may be traced as one, for so many people, where no network is asked."""
    widest, most = int(np.diff(panel.windows.cores).max()), max(2 * people, panel.shards.reference_haplotypes)
    return max(1, TRACED_TOGETHER // (most * widest))


def trace_with(imputer: Imputer, threads: int) -> Impute:
    """The model over the whole panel, alone. Raises InputError where the imputer's network does not copy."""
    if not imputer.reads.copies:
        raise InputError(f"{imputer.folder}: its network does not copy; set imputation.network to full")

    def impute(_: Panel, view: View, haplotypes: np.ndarray) -> np.ndarray:
        ids, nobody = np.empty((len(haplotypes), 0), dtype=np.int32), np.full(len(haplotypes), -1)
        return trace_view(view, haplotypes, ids, nobody, imputer.reads.panel_typed, threads).alternate

    return impute


def impute_windows(
    impute: Impute,
    panel: Panel,
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
        view = View(sites, core, ~typed[sites], panel.windows.centimorgan, panel.shards)
        haplotypes, step = read(sites), 2 * batch_people
        pieces = [haplotypes[piece : piece + step] for piece in range(0, len(haplotypes), step)]
        probability = np.concatenate([impute(panel, view, piece) for piece in pieces])
        known = haplotypes[:, slice(*core)]
        for window in windows:
            here = slice(*(panel.windows.cores[window] - start))
            yield window, known[:, here], probability[:, here]
