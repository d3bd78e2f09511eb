"""A pre-norm transformer over the sites of a haplotype."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

# PyTorch's attention on a CPU takes up to half as long again for narrower heads.
NARROWEST_HEAD = 16


def choose_attention(device: str, kind: torch.dtype) -> AbstractContextManager:
    """What attention may be computed by, on a device and with numbers of a kind.

    On a GPU, in 16 bits, it is flash attention (Dao et al. 2022, arXiv:2205.14135) or an error: any
    other way writes out weights of all pairs of sites. In 32 bits, and elsewhere, PyTorch chooses.
    """
    if device == "cuda" and kind in (torch.float16, torch.bfloat16):
        return sdpa_kernel(SDPBackend.FLASH_ATTENTION)
    return nullcontext()


def attend(projected: Tensor, dropout: float) -> Tensor:
    """Attention of all sites to all, [N, L, heads, d], by queries, keys and values [N, L, 3, heads,
    d].
    """
    width = projected.shape[-1]
    if projected.device.type == "cpu" and width < NARROWEST_HEAD:
        # Zeros change no product.
        projected = functional.pad(projected, (0, NARROWEST_HEAD - width))
    query, key, value = projected.permute(2, 0, 3, 1, 4)
    with choose_attention(query.device.type, query.dtype):
        attended = functional.scaled_dot_product_attention(
            query, key, value, dropout_p=dropout, scale=width**-0.5
        )
    return attended.transpose(1, 2)[..., :width]


class Block(nn.Module):
    """Self-attention, then a GELU feed-forward layer of four times the width; dropout inside the
    branches only.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_attention, self.norm_forward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, features: Tensor) -> Tensor:
        """[N, L, D] to [N, L, D]."""
        size, sites, width = features.shape
        projected = self.query_key_value(self.norm_attention(features))
        dropout = self.dropout if self.training else 0.0
        attended = attend(projected.view(size, sites, 3, self.heads, -1), dropout)
        features = features + self.out(attended.reshape(size, sites, width))
        return features + self.feed_forward(self.norm_forward(features))


class Transformer(nn.Module):
    """A stack of blocks, with a last norm."""

    def __init__(self, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor, recompute: bool = False) -> Tensor:
        """[N, L, D] to [N, L, D]; `recompute` keeps no activations for the backward pass, to save
        memory.
        """
        for block in self.blocks:
            features = (
                checkpoint(block, features, use_reentrant=False)
                if recompute and self.training
                else block(features)
            )
        return self.norm(features)
