"""Training by several processes at once, as torchrun starts them.

Who takes which batch, and sums over all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as distributed
from torch import nn

import __main__
from haplorag.errors import InputError
from haplorag.network.device import local_rank


def relaunch_with_torchrun(gpus: int) -> None:
    """Start this very command again, once for each GPU, where there are to be several.

    Nothing happens where that was done. Raises InputError where the machine has fewer.
    """
    if gpus < 2 or "WORLD_SIZE" in os.environ:
        return
    if torch.cuda.device_count() < gpus:
        raise InputError(
            f"training.gpus: {gpus} are asked for, this machine has {torch.cuda.device_count()}; "
            "set it to that"
        )
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(gpus),
    ]
    module = __main__.__spec__
    assert module is not None
    os.execv(sys.executable, [*launcher, "-m", module.name, *sys.argv[1:]])


@contextmanager
def process_group(device: torch.device) -> Iterator[bool]:
    """Join the processes that torchrun started, if it did; gives whether this one writes files."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield True
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield distributed.get_rank() == 0
        distributed.barrier()
    finally:
        distributed.destroy_process_group()


def world_size() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def owns_batch(number: int) -> bool:
    """Whether this process takes the batch of that number; they take turns."""
    return (
        not distributed.is_initialized()
        or number % distributed.get_world_size() == distributed.get_rank()
    )


def all_reduce_sum(value: float) -> float:
    """Sum of a number over all processes."""
    if not distributed.is_initialized():
        return value
    total = torch.tensor(value, dtype=torch.float64, device=_device())
    distributed.all_reduce(total)
    return float(total)


def all_reduce_gradients(network: nn.Module) -> None:
    """Replace every gradient by its sum over all processes."""
    if not distributed.is_initialized():
        return
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    summed = flat.split([parameter.numel() for parameter in parameters])
    for parameter, gradient in zip(parameters, summed, strict=True):
        parameter.grad = gradient.view_as(parameter)


def _device() -> torch.device:
    return (
        torch.device("cuda", local_rank())
        if distributed.get_backend() == "nccl"
        else torch.device("cpu")
    )
