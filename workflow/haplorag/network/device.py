"""Where networks run, and what is set for it."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import torch

from haplorag.errors import InputError

log = logging.getLogger(__name__)
# What Triton and the kernels of PyTorch for bfloat16 ask of a card.
LEAST_CAPABILITY = (8, 0)
DEVICES = Path("/dev")
ON_CPU = "ask for the CPU: --resources gpu=0, or by hand --gpus 0"
# Of glibc's malloc.h: numbers of mallopt's parameters.
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4


def local_rank() -> int:
    """Number of this process on its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def choose_device(gpus: int) -> torch.device:
    """This process's GPU where any is given and the machine has one, else the CPU.

    Raises InputError where the machine has a GPU that cannot be used: PyTorch without support, a
    driver or a card that is too old.
    """
    if not gpus:
        return torch.device("cpu")
    if not _has_card():
        log.info("no GPU was found: on the CPU")
        return torch.device("cpu")
    if torch.version.cuda is None:
        raise InputError(
            f"this machine has a GPU, and the PyTorch installed here, {torch.__version__}, is one "
            f"for the CPU; install envs/gpu.txt, or {ON_CPU}"
        )
    try:
        torch.cuda.init()
    except RuntimeError as error:
        raise InputError(f"this machine's GPU cannot be used: {error}; or {ON_CPU}") from error
    device = torch.device("cuda", local_rank())
    _check_card(device)
    return device


def _has_card() -> bool:
    """Whether the machine has an NVIDIA GPU that is not hidden from this process."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    return torch.cuda.is_available() or any(DEVICES.glob("nvidia[0-9]*"))


def _check_card(device: torch.device) -> None:
    capability = torch.cuda.get_device_capability(device)
    if capability < LEAST_CAPABILITY:
        name = torch.cuda.get_device_name(device)
        found, least = (".".join(map(str, pair)) for pair in (capability, LEAST_CAPABILITY))
        raise InputError(
            f"{name}: its compute capability is {found}, and {least} (A100 and newer) is the "
            f"least; {ON_CPU}"
        )


@contextlib.contextmanager
def telling_what_to_lower(setting: str, value: int | None = None) -> Iterator[None]:
    """Turn the end of a GPU's memory into MemoryError that names the setting to lower, and how far.

    Half of it takes half of the memory but what the network itself takes.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        how_far = f"from {value} to {max(1, value // 2)}" if value else "by half"
        raise MemoryError(
            f"of the GPU: {str(error).partition('. GPU')[0]}; lower {setting} {how_far}"
        ) from error


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
