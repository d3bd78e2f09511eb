"""Embeds haplotypes: what stands at a site, how frequent it is, and where the site lies."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

MASKED, PADDING, TOKENS = 2, 3, 4
FREQUENCIES = 32


class FourierFeatures(nn.Module):
    """sin and cos of a number in [0, 1] at learnable frequencies, log-spaced 1..100 at the start,
    then a small MLP.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.logspace(0, 2, FREQUENCIES))
        self.project = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, width),
            nn.LayerNorm(width),
            nn.GELU(),
            nn.Linear(width, width),
        )

    def forward(self, values: Tensor) -> Tensor:
        """Values [...] to features [..., D]."""
        angles = 2 * math.pi * values.unsqueeze(-1) * self.frequencies
        return self.project(torch.cat([angles.sin(), angles.cos()], dim=-1))


class HaplotypeEmbedding(nn.Module):
    """Sum of a token's, a frequency's and a position's embedding.

    Frequency and position are the same for every haplotype at a site, so that two haplotypes differ
    only by their tokens: the distance between embeddings is their number of mismatches, times a
    constant.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Embedding(TOKENS, width)
        self.frequency = FourierFeatures(width)
        self.position = FourierFeatures(width)

    def forward(self, tokens: Tensor, frequency: Tensor, centimorgan: Tensor) -> Tensor:
        """Tokens int [..., L], frequency and centimorgan float [L], to [..., L, D]."""
        start, stop = centimorgan.min(), centimorgan.max()
        place = (centimorgan - start) / (stop - start).clamp(min=1e-6)
        return self.token(tokens) + self.frequency(frequency) + self.position(place)


def tokenise(alleles: Tensor) -> Tensor:
    """Alleles int8 [...] (0, 1, -1 where hidden or missing) to token numbers int64."""
    return torch.where(alleles < 0, MASKED, alleles).long()
