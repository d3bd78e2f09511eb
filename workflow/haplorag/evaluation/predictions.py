"""The file of predictions: probabilities of ALT by method, mask, sample and site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from haplorag.io.hdf5 import COMPRESSION, get_array, opening_arrays, put_array


@dataclass(frozen=True)
class MaskedPrediction:
    """What one method says at the sites that a mask hides, within a block of sites."""

    mask: str
    method: str
    # int64 [H], counted from the first site of the block.
    sites: np.ndarray
    # float32 [person, H, 2], of ALT.
    probability: np.ndarray


@dataclass(frozen=True)
class NeighbourShares:
    """Which share of the retrieved haplotypes carries ALT at the sites that a mask hides."""

    mask: str
    # int64 [H], counted from the first site of the block.
    sites: np.ndarray
    # float32 [person, H, 2].
    carriers: np.ndarray


def create_predictions(
    file: h5py.File,
    methods: list[str],
    masks: list[str],
    people: np.ndarray,
    shape: tuple[int, ...],
) -> None:
    """Lay out predictions: names, rows of people, and `probability` to fill in.

    `probability` is float16 [method, mask, person, site, 2], NaN where nothing is written.
    """
    put_array(file, "methods", np.array(methods))
    put_array(file, "masks", np.array(masks))
    put_array(file, "people", people)
    create_shares(file, "probability", shape)


def create_shares(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    """Lay out float16 [..., person, site, 2], NaN to fill in window by window."""
    chunk = (*(1 for _ in shape[:-3]), shape[-3], min(shape[-2], 256), 2)
    file.create_dataset(name, shape, np.float16, chunks=chunk, fillvalue=np.nan, **COMPRESSION)


def group_by_masks(paths: list[Path]) -> list[list[Path]]:
    """Files whose predictions are under the same masks, together."""
    groups: dict[tuple[str, ...], list[Path]] = {}
    for path in paths:
        with opening_arrays(path, "predictions") as file:
            groups.setdefault(tuple(get_array(file, "masks")), []).append(path)
    return list(groups.values())


def iterate_predictions(path: Path, block: slice) -> Iterator[MaskedPrediction]:
    """What each method of a file says in a block of sites, mask by mask, where any is hidden."""
    with opening_arrays(path, "predictions") as file:
        methods = get_array(file, "methods")
        for row, mask in enumerate(get_array(file, "masks")):
            for number, method in enumerate(methods):
                values = file["probability"][number, row, :, block]
                sites = _find_hidden(values)
                if len(sites):
                    yield MaskedPrediction(mask, method, sites, values[:, sites].astype(np.float32))


def iterate_carriers(path: Path, block: slice) -> Iterator[NeighbourShares]:
    """Shares of neighbours with ALT in a block of sites, mask by mask, where the file has any."""
    with opening_arrays(path, "predictions") as file:
        if "carriers" not in file:
            return
        for row, mask in enumerate(get_array(file, "masks")):
            values = file["carriers"][row, :, block]
            sites = _find_hidden(values)
            if len(sites):
                yield NeighbourShares(mask, sites, values[:, sites].astype(np.float32))


def _find_hidden(values: np.ndarray) -> np.ndarray:
    """Sites of [person, site, 2] that are filled in, int64 [H]; they are the same for everybody."""
    return np.flatnonzero(~np.isnan(values[0, :, 0]))
