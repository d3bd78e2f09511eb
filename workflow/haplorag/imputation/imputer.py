"""An imputer as it travels: a folder of settings, sites, reference haplotypes and weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from haplorag.io.checksums import check_checksum, checksum
from haplorag.io.hdf5 import read_arrays
from haplorag.io.metadata import read_facts
from haplorag.panel.frequencies import Frequencies
from haplorag.panel.haplotypes import SHARD_SUFFIX, ShardSet, open_shards
from haplorag.panel.windows import WindowSet, read_windows
from haplorag.settings import LiStephensSettings, NeighbourSettings, NetworkSettings


@dataclass(frozen=True)
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

    Raises InputError where a file is missing, damaged or of another format.
    """
    facts = read_facts(folder / "imputer.json", "imputer")
    for name, expected in facts["files"].items():
        check_checksum(
            folder / name, expected, "copy the whole folder again, or remove it and run again"
        )
    network = facts["network"]
    return Imputer(
        folder,
        network and NetworkSettings.model_validate(network),
        NeighbourSettings.model_validate(facts["neighbours"]),
        LiStephensSettings.model_validate(facts["li_stephens"]),
        facts["seed"],
        facts["chromosomes"],
    )


def open_panel_chromosome(imputer: Imputer, chromosome: str) -> PanelChromosome:
    """Open one chromosome of an imputer."""
    folder = imputer.folder / chromosome
    arrays = read_arrays(folder / "panel.h5", "panel")
    # Nobody's population is known, so that everyone's frequencies stand for it.
    known = Frequencies(
        [], arrays["frequency"], arrays["frequency"][None], arrays["genotype_frequency"][None]
    )
    position, ref, alt, name = (arrays[f"variants/{word}"] for word in ("POS", "REF", "ALT", "ID"))
    return PanelChromosome(
        position,
        ref,
        alt,
        name,
        known,
        read_windows(folder / "windows.h5"),
        open_shards(folder / "shards"),
    )


def checksum_files(folder: Path) -> dict[str, str]:
    """SHA-256 of all files of an imputer but imputer.json and the shards, which their own table of
    contents guards.
    """
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(SHARD_SUFFIX) and path.name != "imputer.json"
    )
    return {str(path.relative_to(folder)): checksum(path) for path in paths}
