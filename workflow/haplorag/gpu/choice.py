"""Chooses where the model over the panel is followed."""

from __future__ import annotations

import torch

from haplorag.li_stephens.passes import CorePasses, Passes


def choose_passes(device: torch.device, threads: int, setting: str, people: int) -> Passes:
    """The passes on a GPU where the device is one, else on so many of the processor's cores.

    `setting` is the one that says how many `people` go at a time, which is told where the GPU's
    memory ends.
    """
    if device.type == "cpu":
        return CorePasses(threads)
    # Triton comes with PyTorch's builds for GPUs, and is missing elsewhere.
    from haplorag.gpu.passes import GpuPasses

    return GpuPasses(device, threads, setting, people)
