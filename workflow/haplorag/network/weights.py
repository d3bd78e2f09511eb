"""Weights as safetensors, with their checksum."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from haplorag.errors import InputError
from haplorag.io.atomic import write_bytes


def save_weights(path: Path, network: nn.Module) -> None:
    """Write a network's weights as safetensors, with their checksum among the file's facts."""
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    write_bytes(path, save(tensors, {"sha256": _digest(tensors)}))


def load_weights(path: Path, network: nn.Module) -> None:
    """Read weights into a network.

    Raises InputError where they do not fit or the file is damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dictionary)
            if (file.metadata() or {}).get("sha256") != _digest(tensors):
                raise InputError("their checksum is not the one written with them")
        network.load_state_dict(tensors)
    except Exception as error:
        raise InputError(
            f"{path}: not the weights of this network ({error}); remove its folder and run again"
        ) from error


def check_shapes(path: Path, network: nn.Module) -> None:
    """Raise InputError where a file of weights is none, or has other shapes than a network's.

    The network may lie on the device `meta`, where it takes no memory.
    """
    try:
        with safe_open(path, "pt") as file:
            found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except Exception as error:
        raise InputError(
            f"{path}: not a file of weights ({error}); remove its folder and run again"
        ) from error
    wanted = {name: list(value.shape) for name, value in network.state_dict().items()}
    if found != wanted:
        raise InputError(
            f"{path}: not the weights of this network, their shapes differ; remove its folder and "
            "run again"
        )


def _digest(tensors: dict[str, Tensor]) -> str:
    total = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        total.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        total.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
