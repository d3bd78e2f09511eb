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
    weights [N, K, L].
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
) -> list[Tensor]:
    """Describe how well each neighbour matches around each core site: seven features [N, K, L].

    `mismatch` bool [N, K, T], `surprise` [N, T] is -log of the frequency of the allele held,
    `typed_cm` [T] and `core_cm` [L] genetic positions, `left` and `right` int [L] the typed sites
    around. The features: log distance to the first and second mismatch on the left, then on the
    right (FAR_CENTIMORGAN beyond the last typed site if there is none); between the first
    mismatches the surprise matched (sharing rare alleles counts for much) and the typed sites
    matched, in logs; and on how many sides there is no mismatch at all.
    """
    sites = mismatch.shape[-1]
    number = torch.arange(sites, dtype=torch.int32, device=mismatch.device)
    edge = number.new_full((*mismatch.shape[:2], 2), -1)
    # The last mismatch up to each typed site, from two sites before the first one on; and from the
    # other end the first mismatch from each on.
    before = torch.where(mismatch, number, -1).cummax(-1).values
    after = torch.where(mismatch.flip(-1), number.flip(-1), sites).cummin(-1).values
    until = torch.cat([edge, before], dim=-1)
    since = torch.cat([edge + 1 + sites, after], dim=-1)
    # Around each core site [N, K, L]: the first mismatch on either side, and the second, beyond it.
    first_left = pick(until, left + 2).long()
    first_right = pick(since, sites + 1 - right).long()
    second_left = until.gather(-1, first_left + 1).long()
    second_right = since.gather(-1, sites - first_right).long()
    place = torch.cat([typed_cm[:1] - FAR_CENTIMORGAN, typed_cm, typed_cm[-1:] + FAR_CENTIMORGAN])
    distances = [core_cm - place.take(found + 1) for found in (first_left, second_left)]
    distances += [place.take(found + 1) - core_cm for found in (first_right, second_right)]
    total = torch.cat([torch.zeros_like(surprise[:, :1]), surprise.cumsum(-1)], dim=-1)
    total = total[:, None].expand(-1, mismatch.shape[1], -1)
    matched = total.gather(-1, first_right) - total.gather(-1, first_left + 1)
    return [
        *(torch.log1p(100 * distance.clamp(min=0)) for distance in distances),
        torch.log1p(matched.clamp(min=0)),
        torch.log1p((first_right - first_left - 1).float()),
        (first_left < 0).float() + (first_right >= sites).float(),
    ]


def pick(values: Tensor, columns: Tensor) -> Tensor:
    """Columns int [L] of values [N, K, C], as [N, K, L], in half of an index's time."""
    return values.gather(-1, columns.expand(*values.shape[:2], -1))


def apply_layers(layers: nn.Sequential, features: Tensor) -> Tensor:
    """The one number that layers make of each of features [F, ...]. Apart in memory, features take
    half the time that they take side by side.
    """
    found = features.flatten(1)
    for layer in layers:
        if isinstance(layer, nn.Linear):
            found = torch.addmm(layer.bias[:, None], layer.weight, found)
        else:
            found = layer(found)
    return found.view(features.shape[1:])


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
        place, alternate = batch.mosaic.of_site, batch.mosaic.alternate
        posterior = batch.mosaic.posterior.transpose(1, 2).contiguous()
        alleles = batch.references[:, :, batch.core].float()
        frequency = batch.frequency[batch.core]
        # What the model gives to haplotypes that are not among the neighbours, and what these say
        # of each site.
        rest = (1 - posterior.sum(1)).clamp(min=TINY)
        known_alternate = (pick(posterior, place) * alleles).sum(1)
        elsewhere = ((alternate - known_alternate) / rest[:, place]).clamp(0, 1)
        weights, entropy = self._weigh(batch, posterior, rest)
        # Gradients of what is indexed are added up in one order on a GPU, too.
        left, largest = weights[:, -1, place], weights[:, :-1].amax(1)[:, place]
        weights = weights[:, :-1, place]
        carried = weights * alleles
        others = weights - carried
        copied = carried.sum(1) + left * elsewhere
        logit = torch.logit((1 - UNCERTAINTY) * copied + UNCERTAINTY * frequency, eps=1e-6)
        entropy = entropy[:, place]
        summary = [
            logit / 5,
            torch.logit((1 - UNCERTAINTY) * alternate + UNCERTAINTY * frequency, eps=1e-6) / 5,
            torch.logit(frequency, eps=1e-4).expand_as(logit) / 5,
            entropy / 3,
            largest,
            left,
            torch.log1p(alleles.sum(1)) / 3,
            torch.log(carried.amax(1) + 1e-5) / 5,
            torch.log(others.amax(1) + 1e-5) / 5,
        ]
        return Copies(logit + apply_layers(self.calibrate, torch.stack(summary)), entropy, weights)

    def _weigh(self, batch: Batch, posterior: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        """Weights [N, K + 1, P] of the neighbours and of all other haplotypes at each place, and
        their entropy [N, P]; of posteriors [N, K, P], and what these leave, [N, P]."""
        known, unknown = torch.log(posterior + TINY), torch.log(rest)
        features = torch.stack([known / 5 + 1, *describe_neighbours(batch, posterior)])
        scores = known + apply_layers(self.score, features)
        certainty = torch.stack([unknown, known.amax(1)]) / 5 + 1
        scores = scores.masked_fill(~batch.reference_valid[:, :, None], -1e9)
        others = unknown + apply_layers(self.score_rest, certainty)
        weights = torch.softmax(torch.cat([scores, others[:, None]], dim=1), dim=1)
        return weights, -(weights * torch.log(weights + TINY)).sum(1)


@torch.no_grad()
def describe_neighbours(batch: Batch, posterior: Tensor) -> list[Tensor]:
    """Describe how well each neighbour matches around each place of the core: MATCH_FEATURES
    features [N, K, P], the last its standing by posteriors [N, K, P].
    """
    assert batch.mosaic is not None
    typed = torch.nonzero(~batch.hidden).squeeze(1)
    if not len(typed):
        return [torch.zeros_like(posterior)] * MATCH_FEATURES
    held = batch.alleles[:, typed]
    mismatch = (held[:, None] != batch.references[:, :, typed]) & (held >= 0)[:, None]
    shares = batch.frequency[typed].clamp(1e-3, 1 - 1e-3)
    surprise = torch.where(held < 0, 0.0, -torch.log(torch.where(held > 0, shares, 1 - shares)))
    right = torch.searchsorted(typed, batch.core.start + batch.mosaic.first, right=True)
    at_typed = batch.centimorgan[typed]
    features = describe_matches(
        mismatch, surprise, at_typed, batch.mosaic.centimorgan, right - 1, right
    )
    best = posterior.amax(1, keepdim=True).clamp(min=TINY)
    return [*features, torch.log(posterior / best + 1e-6) / 5]
