"""The loss of a batch."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

from haplorag.network.batch import Batch, Output
from haplorag.settings import OptimisationSettings


def focal_loss(logits: Tensor, labels: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Sum of -(1 - p)^gamma log p of the labelled class, and how many labels there are.

    logits [..., classes], labels int [...]; label -1 does not count. gamma 0 is cross-entropy.
    After Lin et al. 2017 (arXiv:1708.02002).
    """
    is_labelled = labels >= 0
    log_share = functional.log_softmax(logits[is_labelled].float(), dim=-1)
    chosen = log_share.gather(-1, labels[is_labelled].long()[:, None]).squeeze(-1)
    weight = (1 - chosen.exp()) ** gamma if gamma else torch.ones_like(chosen)
    return -(weight * chosen).sum(), is_labelled.sum()


def compute_loss(
    output: Output, batch: Batch, labels: Tensor, settings: OptimisationSettings
) -> tuple[Tensor, Tensor]:
    """Weighted loss of a batch, summed over labelled sites, and their number: its mean is the loss
    per hidden allele.

    `labels` int8 [2B, L] are the core's true alleles; only hidden ones count, typed ones through
    `reconstruction_weight`. Each haplotype weighs `haplotype_weight`, the phased genotype
    `genotype_weight` where the network has that head, divided by the sum of the weights.
    """
    hidden = batch.hidden[batch.core]
    hidden_labels = labels.masked_fill(~hidden, -1)
    alleles, number = focal_loss(output.haplotypes, hidden_labels, settings.focal_gamma)
    loss = alleles
    if output.genotypes is not None:
        pair_labels = _pair_labels(hidden_labels)
        genotypes, pairs = focal_loss(output.genotypes, pair_labels, settings.focal_gamma)
        both = 2 * settings.haplotype_weight
        weight = settings.genotype_weight
        loss = (both * alleles + weight * genotypes * number / pairs.clamp(min=1)) / (both + weight)
    if settings.reconstruction_weight:
        typed_labels = labels.masked_fill(hidden, -1)
        typed_loss, typed = focal_loss(output.haplotypes, typed_labels, settings.focal_gamma)
        loss = loss + settings.reconstruction_weight * typed_loss * number / typed.clamp(min=1)
    return loss, number


def _pair_labels(labels: Tensor) -> Tensor:
    """Phased genotypes 2 h1 + h2 [B, L] of alleles [2B, L], -1 where one is not labelled."""
    first = labels[0::2]
    second = labels[1::2]
    return torch.where((first < 0) | (second < 0), -1, 2 * first + second)
