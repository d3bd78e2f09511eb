"""Copies alleles from the panel: what Li and Stephens' model says, corrected by the neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from haplorag.network.batch import Batch

# Share of the copied probability that the site's frequency keeps: no copy is certain.
UNCERTAINTY = 1e-3
FAR_CENTIMORGAN = 0.5
MATCH_FEATURES = 8
CALIBRATION_FEATURES = 9
TINY = 1e-9


def silence(layers: nn.Sequential) -> None:
    """Set the last layer to zero, so that a network starts by adding nothing."""
    for parameter in layers[-1].parameters():
        nn.init.zeros_(parameter)


@dataclass
class Copies:
    """What copying says of core sites: ALT logit [N, L], entropy of the copying weights [N, L], the
    weights [L, N, K].
    """

    logit: Tensor
    entropy: Tensor
    weights: Tensor


def describe_matches(
    mismatch: Tensor,
    surprise: Tensor,
    typed_cm: Tensor,
    core_cm: Tensor,
    left: Tensor,
    right: Tensor,
) -> Tensor:
    """Describe how well each neighbour matches around each core site: features [L, N, K, 7].

    `mismatch` bool [T, N, K], `surprise` [T, N] is -log of the frequency of the allele held,
    `typed_cm` [T] and `core_cm` [L] genetic positions, `left` and `right` int [L] the typed sites
    around. The features: log distance to the first and second mismatch on the left, then on the
    right (FAR_CENTIMORGAN beyond the last typed site if there is none); between the first
    mismatches the surprise matched (sharing rare alleles counts for much) and the typed sites
    matched, in logs; and on how many sides there is no mismatch at all.
    """
    sites = len(mismatch)
    number = torch.arange(sites, dtype=torch.int32, device=mismatch.device)
    # Scans are several times faster along the last dimension.
    lanes = mismatch.permute(1, 2, 0).contiguous()
    before = torch.where(lanes, number, -1).cummax(-1).values
    after = torch.where(lanes, number, sites).flip(-1).cummin(-1).values.flip(-1)
    edge = before.new_empty(*before.shape[:2], 2)
    shifted_left = torch.cat([torch.full_like(edge, -1), before], dim=-1)
    shifted_right = torch.cat([after, torch.full_like(edge, sites)], dim=-1)
    # Around each core site [N, K, L]: the first mismatch on either side, and the second, beyond it.
    first_left = shifted_left[..., left + 2].long()
    first_right = shifted_right[..., right].long()
    second_left = shifted_left.gather(-1, first_left + 1).long()
    second_right = shifted_right.gather(-1, first_right + 1).long()
    place = torch.cat([typed_cm[:1] - FAR_CENTIMORGAN, typed_cm, typed_cm[-1:] + FAR_CENTIMORGAN])
    distances = [core_cm - place[found + 1] for found in (first_left, second_left)]
    distances += [place[found + 1] - core_cm for found in (first_right, second_right)]
    total = (
        torch.cat([torch.zeros_like(surprise[:1]), surprise.cumsum(0)])
        .T[:, None]
        .expand(-1, mismatch.shape[2], -1)
    )
    matched = total.gather(-1, first_right) - total.gather(-1, first_left + 1)
    features = [torch.log1p(100 * distance.clamp(min=0)) for distance in distances]
    features += [
        torch.log1p(matched.clamp(min=0)),
        torch.log1p((first_right - first_left - 1).float()),
    ]
    features += [(first_left < 0).float() + (first_right >= sites).float()]
    return torch.stack(features, dim=-1).permute(2, 0, 1, 3)


class CopyingLayer(nn.Module):
    """Scores every neighbour at every core site, and the rest of the panel as one more; copies by
    the scores, and calibrates.

    All networks inside end in zeros, so that the untrained layer is Li and Stephens' model over the
    whole panel.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(1 + MATCH_FEATURES, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, 1),
        )
        self.score_rest = nn.Sequential(nn.Linear(2, hidden), nn.GELU(), nn.Linear(hidden, 1))
        self.calibrate = nn.Sequential(
            nn.Linear(CALIBRATION_FEATURES, hidden), nn.GELU(), nn.Linear(hidden, 1)
        )
        for layers in (self.score, self.score_rest, self.calibrate):
            silence(layers)

    def forward(self, batch: Batch) -> Copies:
        """Copy for every core site of a batch.

        Computed in float32 whatever the autocast: posteriors are small numbers.
        """
        with torch.autocast(batch.alleles.device.type, enabled=False):
            return self._copy(batch)

    def _copy(self, batch: Batch) -> Copies:
        assert batch.mosaic is not None
        place, posterior = batch.mosaic.of_site, batch.mosaic.posterior.transpose(0, 1)
        alleles = batch.references[:, :, batch.core].permute(2, 0, 1).float()
        frequency = batch.frequency[batch.core, None]
        alternate = batch.mosaic.alternate.T
        # What the model gives to haplotypes that are not among the neighbours, and what these say
        # of each site.
        rest = (1 - posterior.sum(-1)).clamp(min=TINY)
        elsewhere = ((alternate - (posterior[place] * alleles).sum(-1)) / rest[place]).clamp(0, 1)
        known = torch.log(posterior + TINY)
        scores = known + self.score(
            torch.cat([known[..., None] / 5 + 1, describe_neighbours(batch)], dim=-1)
        ).squeeze(-1)
        unknown = torch.log(rest)
        certainty = torch.stack([unknown, known.amax(-1)], dim=-1) / 5 + 1
        scores = scores.masked_fill(~batch.reference_valid, -1e9)
        scores = torch.cat(
            [scores, (unknown + self.score_rest(certainty).squeeze(-1))[..., None]], dim=-1
        )
        by_place = torch.softmax(scores, dim=-1)
        entropy = -(by_place * torch.log(by_place + TINY)).sum(-1)[place]
        weights, left = by_place[place][..., :-1], by_place[place][..., -1]
        carried, others = weights * alleles, weights * (1 - alleles)
        copied = carried.sum(-1) + left * elsewhere
        logit = torch.logit((1 - UNCERTAINTY) * copied + UNCERTAINTY * frequency, eps=1e-6)
        summary = [
            logit / 5,
            torch.logit((1 - UNCERTAINTY) * alternate + UNCERTAINTY * frequency, eps=1e-6) / 5,
            torch.logit(frequency, eps=1e-4).expand_as(logit) / 5,
            entropy / 3,
            weights.amax(-1),
            left,
            torch.log1p(alleles.sum(-1)) / 3,
            torch.log(carried.amax(-1) + 1e-5) / 5,
            torch.log(others.amax(-1) + 1e-5) / 5,
        ]
        logit = logit + self.calibrate(torch.stack(summary, dim=-1)).squeeze(-1)
        return Copies(logit.T, entropy.T, weights)


@torch.no_grad()
def describe_neighbours(batch: Batch) -> Tensor:
    """Describe how well each neighbour matches around each place of the core: [P, N, K, 8], the
    last its standing.
    """
    assert batch.mosaic is not None
    posterior = batch.mosaic.posterior.transpose(0, 1)
    typed = torch.nonzero(~batch.hidden).squeeze(1)
    if not len(typed):
        return posterior.new_zeros(*posterior.shape, MATCH_FEATURES)
    held = batch.alleles[:, typed].T
    mismatch = (held[:, :, None] != batch.references[:, :, typed].permute(2, 0, 1)) & (
        held[:, :, None] >= 0
    )
    shares = batch.frequency[typed].clamp(1e-3, 1 - 1e-3)[:, None]
    surprise = torch.where(held < 0, 0.0, -torch.log(torch.where(held > 0, shares, 1 - shares)))
    right = torch.searchsorted(typed, batch.core.start + batch.mosaic.first, right=True)
    at_typed = batch.centimorgan[typed]
    features = describe_matches(
        mismatch, surprise, at_typed, batch.mosaic.centimorgan, right - 1, right
    )
    best = posterior.amax(-1, keepdim=True).clamp(min=TINY)
    return torch.cat([features, torch.log(posterior / best + 1e-6)[..., None] / 5], dim=-1)
