"""The files of an epoch: what the next one goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from haplorag.io.atomic import copy_whole
from haplorag.io.checksums import check_checksum, checksum


@dataclass(frozen=True)
class EpochFiles:
    """What an epoch leaves: weights, the optimiser's state, the best weights so far and the history
    of the model, which holds the checksums of the other three."""

    weights: Path
    state: Path
    best: Path
    history: Path

    @property
    def summed(self) -> tuple[Path, Path, Path]:
        """Those whose checksums the history holds."""
        return self.weights, self.state, self.best


def checksum_epoch(files: EpochFiles) -> dict[str, str]:
    """SHA-256 of weights, state and best weights, by their names."""
    return {path.name: checksum(path) for path in files.summed}


def check_epoch(files: EpochFiles, checksums: dict[str, str]) -> None:
    """Raise InputError where one of the files is missing or has not its checksum of the history."""
    for path in files.summed:
        check_checksum(path, checksums[path.name], "remove its folder and run again")


def copy_epoch(source: EpochFiles, target: EpochFiles) -> None:
    """Copy weights, state and best weights, each complete or absent."""
    for path, copy in zip(source.summed, target.summed, strict=True):
        copy_whole(path, copy)
