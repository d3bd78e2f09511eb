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


def choose_device(gpus: int) -> torch.device:
    """This process's GPU where any is given and present, else the CPU."""
    if gpus and torch.cuda.is_available():
        return torch.device("cuda", local_rank())
    if gpus:
        log.info("no GPU was found")
    return torch.device("cpu")


def configure_runtime(device: torch.device, threads: int) -> None:
    """Set for the whole process what networks on a device need.

    So many threads, a C library that keeps freed memory, and on the CPU algorithms that compute the
    same twice.
    """
    torch.set_num_threads(threads)
    _keep_memory()
    if device.type == "cpu":
        # Otherwise threads add up gradients in whatever order they come.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        # As use_deterministic_algorithms(True), without loading a compiler, which takes two
        # seconds.
        torch.set_deterministic_debug_mode("error")
    log.info("on %s, %d threads", device, threads)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """bfloat16 where it is asked for and the device is a GPU."""
    return torch.autocast(
        device.type, torch.bfloat16, enabled=precision == "bfloat16" and device.type == "cuda"
    )


def _keep_memory() -> None:
    """Let the C library keep what is freed.

    Large tensors come and go, and fresh pages cost a quarter of the time.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        for parameter, value in ((MMAP_MAX, 0), (TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, 2**26)):
            library.mallopt(parameter, value)
