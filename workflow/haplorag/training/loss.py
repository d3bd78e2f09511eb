"""Loss, learning-rate schedule, optimiser groups, and the state that resumes training exactly."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

from haplorag.network.batch import Batch, Output
from haplorag.settings import OptimisationSettings


def focal_loss(logits: Tensor, labels: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Sum of -(1 - p)^gamma log p of the labelled class, and how many labels there are (-1 does not count).

    logits [..., classes], labels int [...]. gamma 0 is cross-entropy. After Lin et al. 2017 (arXiv:1708.02002).
    """
    known = labels >= 0
    log_share = functional.log_softmax(logits[known].float(), dim=-1)
    chosen = log_share.gather(-1, labels[known].long()[:, None]).squeeze(-1)
    weight = (1 - chosen.exp()) ** gamma if gamma else torch.ones_like(chosen)
    return -(weight * chosen).sum(), known.sum()


def compute_loss(
    output: Output, batch: Batch, labels: Tensor, settings: OptimisationSettings
) -> tuple[Tensor, Tensor]:
    """Weighted loss of a batch, summed over labelled sites, and their number: its mean is the loss per hidden allele.

    `labels` int8 [2B, L] are the core's true alleles; only hidden ones count, typed ones through `reconstruction_weight`.
    Each haplotype weighs `haplotype_weight`, the phased genotype `genotype_weight` where the network has that head, divided
    by the sum of the weights.
    """
    hidden = batch.hidden[batch.core]
    wanted = labels.masked_fill(~hidden, -1)
    alleles, number = focal_loss(output.haplotypes, wanted, settings.focal_gamma)
    loss = alleles
    if output.genotypes is not None:
        first, second = wanted[0::2], wanted[1::2]
        pair = torch.where((first < 0) | (second < 0), -1, 2 * first + second)
        genotypes, pairs = focal_loss(output.genotypes, pair, settings.focal_gamma)
        both, weight = 2 * settings.haplotype_weight, settings.genotype_weight
        loss = (both * alleles + weight * genotypes * number / pairs.clamp(min=1)) / (both + weight)
    if settings.reconstruction_weight:
        shown, seen = focal_loss(
            output.haplotypes, labels.masked_fill(hidden, -1), settings.focal_gamma
        )
        loss = loss + settings.reconstruction_weight * shown * number / seen.clamp(min=1)
    return loss, number
