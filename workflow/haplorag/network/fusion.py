"""Seven ways to fuse a haplotype's own features with those of its retrieved references."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


def mean_over(references: Tensor, valid: Tensor) -> Tensor:
    """Mean over K of [N, K, L, D], padding left out."""
    share = valid[:, :, None, None].to(references.dtype)
    return (references * share).sum(1) / share.sum(1).clamp(min=1)


def max_over(references: Tensor, valid: Tensor) -> Tensor:
    """Maximum over K of [N, K, L, D], padding left out; zero where all is padding."""
    lowest = torch.finfo(references.dtype).min
    highest = references.masked_fill(~valid[:, :, None, None], lowest).amax(1)
    return highest.masked_fill(~valid.any(1)[:, None, None], 0)


def _maf(frequency: Tensor) -> Tensor:
    return torch.minimum(frequency, 1 - frequency)[..., None]


class Concat(nn.Module):
    """Mean and maximum over the references, projected and added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.project = nn.Linear(2 * width, width)

    def forward(
        self, own: Tensor, references: Tensor, valid: Tensor, frequency: Tensor, population: Tensor
    ) -> Tensor:
        """own [N, L, D], references [N, K, L, D], valid [N, K], frequency [L], population [N, L],
        to [N, L, D].
        """
        return own + self.project(
            torch.cat([mean_over(references, valid), max_over(references, valid)], dim=-1)
        )


class FixedConcat(nn.Module):
    """The mean through Linear, LayerNorm and GELU, added with a fixed weight of 0.1."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(2 * width, width), nn.LayerNorm(width), nn.GELU())

    def forward(
        self, own: Tensor, references: Tensor, valid: Tensor, frequency: Tensor, population: Tensor
    ) -> Tensor:
        """As `Concat.forward`."""
        return own + 0.1 * self.project(torch.cat([own, mean_over(references, valid)], dim=-1))


class CrossAttention(nn.Module):
    """Each site attends to the references at the same site."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key_value, self.out = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )

    def forward(
        self, own: Tensor, references: Tensor, valid: Tensor, frequency: Tensor, population: Tensor
    ) -> Tensor:
        """As `Concat.forward`."""
        size, count, sites, width = references.shape
        by_site = references.transpose(1, 2).reshape(size * sites, count, width)
        query = self.query(own).reshape(size * sites, 1, self.heads, -1).transpose(1, 2)
        key, value = (
            self.key_value(by_site)
            .reshape(size * sites, count, 2, self.heads, -1)
            .permute(2, 0, 3, 1, 4)
        )
        # A haplotype without references attends to padding, and what comes of it is dropped below.
        mask = valid | ~valid.any(1, keepdim=True)
        mask = (
            mask[:, None, None, None]
            .expand(size, sites, 1, 1, count)
            .reshape(size * sites, 1, 1, count)
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        attended = self.out(attended.transpose(1, 2).reshape(size, sites, width))
        return own + attended * valid.any(1)[:, None, None]


class RareVariant(nn.Module):
    """References weighted by a function of AF, 0.7 mean and 0.3 maximum, added in proportion to how
    rare the site is.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Linear(1, width), nn.GELU(), nn.Linear(width, 1), nn.Sigmoid()
        )
        self.project = nn.Linear(width, width)

    def forward(
        self, own: Tensor, references: Tensor, valid: Tensor, frequency: Tensor, population: Tensor
    ) -> Tensor:
        """As `Concat.forward`."""
        weighted = self.weigh(frequency[:, None]) * references
        pooled = 0.7 * mean_over(weighted, valid) + 0.3 * max_over(weighted, valid)
        return own + self.project(pooled) * (1 - 2 * _maf(frequency))


class CrossFrequency(nn.Module):
    """A gated joint encoding of a site's frequency and the population's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encode, self.gate = nn.Linear(2, width), nn.Linear(2, width)

    def forward(self, frequency: Tensor, population: Tensor) -> Tensor:
        """frequency [L], population [N, L], to [N, L, D]."""
        pair = torch.stack([frequency.expand_as(population), population], dim=-1)
        return functional.gelu(self.encode(pair)) * torch.sigmoid(self.gate(pair))


class EnhancedRareVariant(nn.Module):
    """The fusion of the published systems: references weighted by both frequencies, softmax-pooled,
    scaled by rarity.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.frequencies = CrossFrequency(width)
        self.weigh = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))
        self.score = nn.Linear(width, 1)
        self.mix = nn.Sequential(
            nn.Linear(2 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.scale = nn.Parameter(torch.tensor(0.1))

    def forward(
        self, own: Tensor, references: Tensor, valid: Tensor, frequency: Tensor, population: Tensor
    ) -> Tensor:
        """As `Concat.forward`."""
        weight = torch.sigmoid(self.weigh(self.frequencies(frequency, population)))
        weighted = weight[:, None] * references
        scores = self.score(weighted).masked_fill(
            ~valid[:, :, None, None], torch.finfo(own.dtype).min
        )
        pooled = (torch.softmax(scores, dim=1) * weighted).sum(1) * valid.any(1)[:, None, None]
        rarity = torch.log1p(1 / (_maf(frequency) + 1e-6)).clamp(max=3)
        return own + self.scale * self.mix(torch.cat([own, pooled], dim=-1)) * rarity


class Gated(nn.Module):
    """A scalar gate between the haplotype's own features and the pooled references."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Linear(2 * width + 1, width), nn.GELU(), nn.Linear(width, 1), nn.Sigmoid()
        )
        self.scale = nn.Parameter(torch.tensor(0.1))

    def forward(
        self, own: Tensor, references: Tensor, valid: Tensor, frequency: Tensor, population: Tensor
    ) -> Tensor:
        """As `Concat.forward`."""
        pooled = mean_over(references, valid)
        gate = self.gate(
            torch.cat([own, pooled, frequency[:, None].expand(*own.shape[:2], 1)], dim=-1)
        )
        return own + self.scale * (gate * own + (1 - gate) * pooled)


FUSIONS: dict[str, type[nn.Module]] = {
    "concat": Concat,
    "fixed_concat": FixedConcat,
    "cross_attention": CrossAttention,
    "rare_variant": RareVariant,
    "enhanced_rare_variant": EnhancedRareVariant,
    "gated": Gated,
}
