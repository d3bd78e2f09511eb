"""The files that a network's data are read from, chromosome by chromosome."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PanelFiles:
    """What every job reads of the panel: the table of samples, and one path a chromosome of each
    other stage; those of `shards` are folders."""

    samples: Path
    genotypes: list[Path]
    frequencies: list[Path]
    windows: list[Path]
    shards: list[Path]


@dataclass(frozen=True)
class DrawFiles:
    """Masks of a draw, the neighbours that were retrieved under them, and how haplotypes copy
    there; one path a chromosome.
    """

    masks: list[Path]
    neighbours: list[Path]
    rates: list[Path]
