"""All that a network may see of a window, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass
class Batch:
    """B people at C context sites of one window; rows 2b and 2b + 1 are a person's two haplotypes.

    The true alleles of hidden sites are not in here: labels travel apart.
    """

    alleles: Tensor
    """int8 [2B, C]: 0, 1, and -1 where hidden or missing."""
    references: Tensor
    """uint8 [2B, K, C]: alleles of the retrieved haplotypes, best first."""
    reference_valid: Tensor
    """bool [2B, K]: false for padding."""
    hidden: Tensor
    """bool [C]."""
    core: slice
    """The core's L columns among the C."""
    centimorgan: Tensor
    """float32 [C]."""
    frequency: Tensor
    """float32 [C]: of ALT among reference people."""
    population_frequency: Tensor
    """float32 [2B, L]: of ALT in the person's super-population, or overall where that is unknown."""
    genotype_frequency: Tensor
    """float32 [B, L, 3]: of genotypes 0, 1, 2, likewise."""
    panel_haplotypes: int
    """Haplotypes in the whole reference."""

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        moved = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in self._items()}
        return Batch(**moved)

    def _items(self) -> list[tuple[str, object]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


@dataclass
class Output:
    """Logits: of alleles [2B, L, 2], and of phased genotypes 2 * h1 + h2 [B, L, 4] where the network has that head."""

    haplotypes: Tensor
    genotypes: Tensor | None
