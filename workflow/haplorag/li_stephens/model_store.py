"""The file of models of copying, one for each mask of a draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from haplorag.io.hdf5 import get_array, opening_arrays, write_arrays
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.settings import CopyingSetting

SETTINGS = TypeAdapter(tuple[CopyingSetting, ...])


def write_models(path: Path, models: dict[str, CopyingModel], sources: str) -> None:
    """Write the model of each mask by name; all have the same settings."""
    settings = next(iter(models.values())).settings
    write_arrays(
        path,
        "rates",
        {
            "names": np.array(list(models)),
            "distance": np.stack([model.distance for model in models.values()]),
            "mismatch": np.stack([model.mismatch for model in models.values()]),
        },
        sources=sources,
        settings=SETTINGS.dump_json(settings).decode(),
    )


def read_models(path: Path) -> dict[str, CopyingModel]:
    """Read the model of each mask, by name."""
    with opening_arrays(path, "rates") as file:
        settings = SETTINGS.validate_json(file.attrs["settings"])
        names = get_array(file, "names").tolist()
        rates = zip(names, file["distance"][:], file["mismatch"][:], strict=True)
        return {
            name: CopyingModel(distance, mismatch, settings) for name, distance, mismatch in rates
        }


def match_models(models: dict[str, CopyingModel], masks: list[str]) -> list[CopyingModel]:
    """The model of each mask; where these are others, as those of an epoch, the mean of all."""
    if list(models) == masks:
        return list(models.values())
    found = list(models.values())
    distance = np.stack([model.distance for model in found]).mean(axis=0)
    mismatch = np.stack([model.mismatch for model in found]).mean(axis=0)
    return [CopyingModel(distance, mismatch, found[0].settings)] * len(masks)
