"""The file of predictions: probabilities of ALT by method, mask, sample and site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from haplorag.io.hdf5 import COMPRESSION, get_array, opening_arrays, put_array


def create_predictions(
    file: h5py.File,
    methods: list[str],
    masks: list[str],
    people: np.ndarray,
    shape: tuple[int, ...],
) -> None:
    """Lay out predictions: names, rows of people, and probability float16 [method, mask, person, site, 2], NaN to fill in."""
    put_array(file, "methods", np.array(methods))
    put_array(file, "masks", np.array(masks))
    put_array(file, "people", people)
    create_shares(file, "probability", shape)


def create_shares(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    """Lay out float16 [..., person, site, 2], NaN to fill in window by window."""
    chunk = (*(1 for _ in shape[:-3]), shape[-3], min(shape[-2], 256), 2)
    file.create_dataset(name, shape, np.float16, chunks=chunk, fillvalue=np.nan, **COMPRESSION)


def iterate_predictions(
    path: Path, here: slice
) -> Iterator[tuple[str, str | None, np.ndarray, np.ndarray]]:
    """Mask, method, which sites of a stretch are hidden, and probability of ALT float32 [person, site, 2] at these.

    Where a file has it, the share of neighbours that carry ALT comes as that of no method.
    """
    with opening_arrays(path, "predictions") as file:
        methods = get_array(file, "methods")
        for row, mask in enumerate(get_array(file, "masks")):
            found = [
                (method, file["probability"][number, row, :, here])
                for number, method in enumerate(methods)
            ]
            found += [(None, file["carriers"][row, :, here])] if "carriers" in file else []
            for method, said in found:
                sites = np.flatnonzero(~np.isnan(said[0, :, 0]))
                if len(sites):
                    yield mask, method, sites, said[:, sites].astype(np.float32)
