"""An imputer as it travels: a folder of settings, sites, reference haplotypes and weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from haplorag.imputation.received import (
    ImputerContents,
    check_names,
    check_panel,
    check_shards,
    check_windows,
    read_contents,
)
from haplorag.io.apart import try_apart
from haplorag.io.checksums import check_checksum, checksum
from haplorag.io.hdf5 import check_arrays, read_arrays
from haplorag.io.metadata import read_facts
from haplorag.panel.frequencies import Frequencies
from haplorag.panel.haplotypes import SHARD_SUFFIX, ShardSet, open_shards
from haplorag.panel.windows import WindowSet, read_windows
from haplorag.settings import LiStephensSettings, NeighbourSettings, NetworkSettings

PANEL_ARRAYS = (
    *(f"variants/{word}" for word in ("POS", "REF", "ALT", "ID")),
    "frequency",
    "genotype_frequency",
)

# Files of the folder that no checksum is kept of.
BESIDE = ("imputer.json", "ACCURACY.md")


@dataclass(frozen=True, eq=False)
class Imputer:
    """What an imputer says of itself, and the folder its chromosomes and its network lie in.

    `reads` is None where it has no network.
    """

    folder: Path
    reads: NetworkSettings | None
    neighbours: NeighbourSettings
    copying: LiStephensSettings
    seed: int
    chromosomes: list[str]


@dataclass(frozen=True)
class PanelChromosome:
    """One chromosome of the reference as an imputer knows it: sites, frequencies, windows and
    haplotypes.
    """

    position: np.ndarray
    ref: np.ndarray
    alt: np.ndarray
    name: np.ndarray
    frequencies: Frequencies
    windows: WindowSet
    shards: ShardSet


def open_imputer(folder: Path) -> Imputer:
    """Open an imputer's folder.

    Raises InputError where a file is missing, damaged, of another format or outside of the folder.
    """
    path = folder / "imputer.json"
    facts = read_facts(path, "imputer")
    del facts["format"]
    contents = read_contents(path, ImputerContents, facts)
    check_names(folder, contents)
    for name, expected in contents.files.items():
        check_checksum(
            folder / name, expected, "copy the whole folder again, or remove it and run again"
        )
    return Imputer(
        folder,
        contents.network,
        contents.neighbours,
        contents.li_stephens,
        contents.seed,
        contents.chromosomes,
    )


@lru_cache(maxsize=1)
def open_panel_chromosome(imputer: Imputer, chromosome: str) -> PanelChromosome:
    """Open one chromosome of an imputer; the last one is kept in memory.

    Raises InputError where its files are not such as `imputer` writes, or do not fit together.
    """
    folder = imputer.folder / chromosome
    for word in ("panel", "windows"):
        path = folder / f"{word}.h5"
        _try_once(path, word, path.stat().st_mtime_ns)
    arrays = read_arrays(folder / "panel.h5", "panel", *PANEL_ARRAYS)
    check_panel(folder / "panel.h5", arrays)
    # Nobody's population is known, so that everyone's frequencies stand for it.
    known = Frequencies(
        [], arrays["frequency"], arrays["frequency"][None], arrays["genotype_frequency"][None]
    )
    position, ref, alt, name = (arrays[f"variants/{word}"] for word in ("POS", "REF", "ALT", "ID"))
    windows = read_windows(folder / "windows.h5")
    check_windows(folder / "windows.h5", windows, len(position))
    check_shards(folder / "shards", windows)
    shards = open_shards(folder / "shards")
    return PanelChromosome(position, ref, alt, name, known, windows, shards)


@lru_cache(maxsize=64)
def _try_once(path: Path, word: str, changed: int) -> None:
    """Read a file of arrays in a process of its own, the first time that it is asked for."""
    try_apart(path, partial(check_arrays, path, word))


def checksum_files(folder: Path) -> dict[str, str]:
    """SHA-256 of all files of an imputer but imputer.json, the shards, which their own table of
    contents guards, and what others put beside them.
    """
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(SHARD_SUFFIX) and path.name not in BESIDE
    )
    return {str(path.relative_to(folder)): checksum(path) for path in paths}
