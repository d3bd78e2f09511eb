"""Where networks run, and what is set for it."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os

import torch

log = logging.getLogger(__name__)
# Of glibc's malloc.h: numbers of mallopt's parameters.
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4


def local_rank() -> int:
    """Number of this process on its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def choose_device(gpus: int, threads: int) -> torch.device:
    """A GPU where one is given and present, else the CPU with so many threads, on which the same is computed twice."""
    torch.set_num_threads(threads)
    _keep_memory()
    device = (
        torch.device("cuda", local_rank())
        if gpus and torch.cuda.is_available()
        else torch.device("cpu")
    )
    if device.type == "cpu":
        # Otherwise threads add up gradients in whatever order they come.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        # As use_deterministic_algorithms(True), without the two seconds in which that loads a compiler.
        torch.set_deterministic_debug_mode("error")
    log.info(
        "on %s, %d threads%s",
        device,
        threads,
        "; no GPU was found" if gpus and device.type == "cpu" else "",
    )
    return device


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """bfloat16 where it is asked for and the device is a GPU."""
    return torch.autocast(
        device.type, torch.bfloat16, enabled=precision == "bfloat16" and device.type == "cuda"
    )


def _keep_memory() -> None:
    """Let the C library keep what is freed: large tensors come and go, and fresh pages cost a quarter of the time."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        for parameter, value in ((MMAP_MAX, 0), (TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, 2**26)):
            library.mallopt(parameter, value)
