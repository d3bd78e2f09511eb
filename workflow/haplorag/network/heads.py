"""Turns features into logits; probabilities are made once, in the loss or at prediction."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class HaplotypeHead(nn.Module):
    """Logits of allele 0 and 1 from a haplotype's features, the site's frequency and the
    population's.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width + 2, width), nn.GELU(), nn.Linear(width, 2))

    def forward(self, features: Tensor, frequency: Tensor, population: Tensor) -> Tensor:
        """Features [2B, L, D], frequency [L] and the population's [2B, L] to logits [2B, L, 2]."""
        shares = torch.stack([frequency.expand_as(population), population], dim=-1)
        return self.layers(torch.cat([features, shares], dim=-1))


class GenotypeHead(nn.Module):
    """Logits of the phased genotypes 0|0, 0|1, 1|0, 1|1 from both haplotypes' features and genotype
    frequencies.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * width + 3, width), nn.GELU(), nn.Linear(width, 4))

    def forward(self, features: Tensor, genotype_frequency: Tensor) -> Tensor:
        """Features [2B, L, D], rows 2b and 2b + 1 of one person, genotype frequency [B, L, 3], to
        logits [B, L, 4].
        """
        both = torch.cat([features[0::2], features[1::2], genotype_frequency], dim=-1)
        return self.layers(both)
