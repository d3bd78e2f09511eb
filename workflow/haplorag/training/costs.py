"""What an epoch costs."""

from __future__ import annotations

import resource

import torch

from haplorag.dataset.chromosome import ChromosomeData


def measure_costs(seconds: float, chromosomes: list[ChromosomeData]) -> dict[str, float]:
    """What an epoch of so many seconds on these chromosomes cost.

    Time, pairs of person and window a second, and this process's peak memory in MB.
    """
    items = sum(len(chromosome.retrieved.person) for chromosome in chromosomes)
    costs = {
        "seconds": seconds,
        "samples_per_second": items / seconds,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }
    if torch.cuda.is_available():
        costs["peak_gpu_memory_mb"] = torch.cuda.max_memory_allocated() / 1e6
    return costs
