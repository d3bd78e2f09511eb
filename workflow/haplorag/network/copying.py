"""Copies alleles from retrieved haplotypes: Li and Stephens' model over the neighbours, and learned corrections to it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from haplorag.network.batch import Batch

# Switches of the copied haplotype per cM, times the number of haplotypes in the panel: 4 Ne / 100 with Ne = 1e5. The result
# is flat within a factor of four either way, so the layer reads the posterior at three rates and starts from the middle one.
SWITCHES_PER_CENTIMORGAN = 4000.0
RATES = (0.3, 1.0, 3.0)
FIRST = RATES.index(1.0)
MISMATCH = 1e-3
# Share of the copied probability that the site's frequency keeps: no copy is certain.
UNCERTAINTY = 1e-3
FAR_CENTIMORGAN = 0.5
MATCH_FEATURES = 8
# Core sites between the same typed sites, and so close that this many switches are expected between them at the middle rate,
# are copied with the same weights.
PLACE_SWITCHES = 0.01
CALIBRATION_FEATURES = 7
TINY = 1e-9


def silence(layers: nn.Sequential) -> None:
    """Set the last layer to zero, so that a network starts by adding nothing."""
    for parameter in layers[-1].parameters():
        nn.init.zeros_(parameter)


@dataclass
class Copies:
    """What copying says of core sites: ALT logit [N, L], entropy of the copying weights [N, L], the weights [L, N, K]."""

    logit: Tensor
    entropy: Tensor
    weights: Tensor


def run_forward_backward(emission: Tensor, switch: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
    """Forward and backward probabilities of copying each neighbour, scaled to sum to one at each site.

    `emission` [T, N, K], `switch` [T - 1, R] the chance to switch between sites at each of R rates, `prior` [N, K] whom a
    switch goes to. Gives forward [T, R, N, K], the emission at its own site included, and backward [T, R, N, K], likewise
    with the emission at its own site: the two meet between sites. After Li and Stephens 2003 (doi:10.1093/genetics/165.4.2213).
    """
    sites, rates = len(emission), switch.shape[1]
    forward = emission.new_empty(sites, rates, *emission.shape[1:])
    backward = torch.empty_like(forward)
    for into, order in ((forward, range(sites)), (backward, range(sites - 1, -1, -1))):
        previous = None
        for site in order:
            if previous is None:
                state = (prior * emission[site]).expand(rates, -1, -1)
            else:
                chance = switch[min(site, previous), :, None, None]
                state = ((1 - chance) * into[previous] + chance * prior) * emission[site]
            into[site] = state / state.sum(-1, keepdim=True).clamp(min=TINY)
            previous = site
    return forward, backward


def interpolate_posterior(
    forward: Tensor, backward: Tensor, prior: Tensor, left: Tensor, right: Tensor, reach_left: Tensor, reach_right: Tensor
) -> Tensor:
    """Posterior of copying each neighbour at any site from the typed sites on both sides of it: [L, R, N, K], summing to one.

    `left` and `right` int [L] are the typed sites around, -1 and T where there is none (nothing is known on that side);
    `reach_left` and `reach_right` [L, R] are the chances of a switch on the way there.
    """
    last = len(forward) - 1
    reach_left = torch.where(left[:, None] < 0, 1.0, reach_left)[..., None, None]
    reach_right = torch.where(right[:, None] > last, 1.0, reach_right)[..., None, None]
    ahead = (1 - reach_left) * forward[left.clamp(min=0)] + reach_left * prior
    behind = (1 - reach_right) * backward[right.clamp(max=last)] + reach_right * prior
    posterior = ahead * behind
    return posterior / posterior.sum(-1, keepdim=True).clamp(min=TINY)


def describe_matches(
    mismatch: Tensor, surprise: Tensor, typed_cm: Tensor, core_cm: Tensor, left: Tensor, right: Tensor
) -> Tensor:
    """Describe how well each neighbour matches around each core site: features [L, N, K, 7].

    `mismatch` bool [T, N, K], `surprise` [T, N] is -log of the frequency of the allele held, `typed_cm` [T] and `core_cm`
    [L] genetic positions, `left` and `right` int [L] the typed sites around. The features: log distance to the first and
    second mismatch on the left, then on the right (FAR_CENTIMORGAN beyond the last typed site if there is none); between the
    first mismatches the surprise matched (sharing rare alleles counts for much) and the typed sites matched, in logs; and
    on how many sides there is no mismatch at all.
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
    total = torch.cat([torch.zeros_like(surprise[:1]), surprise.cumsum(0)]).T[:, None].expand(-1, mismatch.shape[2], -1)
    matched = total.gather(-1, first_right) - total.gather(-1, first_left + 1)
    features = [torch.log1p(100 * distance.clamp(min=0)) for distance in distances]
    features += [torch.log1p(matched.clamp(min=0)), torch.log1p((first_right - first_left - 1).float())]
    features += [(first_left < 0).float() + (first_right >= sites).float()]
    return torch.stack(features, dim=-1).permute(2, 0, 1, 3)


class CopyingLayer(nn.Module):
    """Scores every neighbour at every core site, copies by the scores, and calibrates what was copied.

    Both networks inside end in zeros, so that the untrained layer is Li and Stephens' model itself.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(len(RATES) + MATCH_FEATURES, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, 1),
        )
        self.calibrate = nn.Sequential(nn.Linear(CALIBRATION_FEATURES, hidden), nn.GELU(), nn.Linear(hidden, 1))
        silence(self.score)
        silence(self.calibrate)

    def forward(self, batch: Batch) -> Copies:
        """Copy for every core site of a batch."""
        posterior, features, place = read_copies(batch)
        alleles = batch.references[:, :, batch.core].permute(2, 0, 1).float()
        frequency = batch.frequency[batch.core, None]
        log_posterior = torch.log(posterior + TINY)
        scores = log_posterior[..., FIRST] + self.score(torch.cat([log_posterior / 5 + 1, features], dim=-1)).squeeze(-1)
        by_place = torch.softmax(scores.masked_fill(~batch.reference_valid, -1e9), dim=-1)
        entropy = -(by_place * torch.log(by_place + TINY)).sum(-1)[place]
        weights = by_place[place]
        carried, others = weights * alleles, weights * (1 - alleles)
        copied = torch.where(batch.reference_valid.any(1), carried.sum(-1), frequency)
        logit = torch.logit((1 - UNCERTAINTY) * copied + UNCERTAINTY * frequency, eps=1e-6)
        summary = [
            logit / 5,
            torch.logit(frequency, eps=1e-4).expand_as(logit) / 5,
            entropy / 3,
            weights.amax(-1),
            torch.log1p(alleles.sum(-1)) / 3,
            torch.log(carried.amax(-1) + 1e-5) / 5,
            torch.log(others.amax(-1) + 1e-5) / 5,
        ]
        logit = logit + self.calibrate(torch.stack(summary, dim=-1)).squeeze(-1)
        return Copies(logit.T, entropy.T, weights)


def find_places(typed: Tensor, core: Tensor, centimorgan: Tensor, width: float) -> tuple[Tensor, Tensor, Tensor]:
    """Group core sites that lie between the same typed sites and in the same stretch of `width` cM.

    `typed` int [T] and `core` int [L] are columns of the context, `centimorgan` [C]. Gives the place of each core site int
    [L], for each place the number of typed sites up to it int [P], and its genetic position [P].
    """
    before = torch.searchsorted(typed, core, right=True)
    keys = torch.stack([before, (centimorgan[core] / width).long()])
    keys, place, count = torch.unique_consecutive(keys, dim=1, return_inverse=True, return_counts=True)
    here, last = centimorgan[core], count.cumsum(0) - 1
    mean = torch.zeros(len(count), device=core.device).index_add_(0, place, here - here[0]) / count + here[0]
    # Rounding must not carry a place past its typed sites: a chance below zero has no logarithm.
    return place, keys[0], mean.clamp(here[last + 1 - count], here[last])


@torch.no_grad()
def read_copies(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Posterior [P, N, K, R] of Li and Stephens' model at each rate and match features [P, N, K, 8] at P places of the core.

    The third result is the place of each core site, int [L]. Computed in float32 whatever the autocast, as products over
    hundreds of sites.
    """
    with torch.autocast(batch.alleles.device.type, enabled=False):
        typed = torch.nonzero(~batch.hidden).squeeze(1)
        core = torch.arange(batch.core.start, batch.core.stop, device=typed.device)
        width = PLACE_SWITCHES * batch.panel_haplotypes / SWITCHES_PER_CENTIMORGAN
        place, right, here = find_places(typed, core, batch.centimorgan, width)
        shape = (len(here), *batch.references.shape[:2])
        valid = batch.reference_valid.float()
        prior = valid / valid.sum(1, keepdim=True).clamp(min=1)
        if not len(typed):
            posterior = prior.expand(len(RATES), *shape).permute(1, 2, 3, 0)
            return posterior, prior.new_zeros(*shape, MATCH_FEATURES), place
        held = batch.alleles[:, typed].T
        mismatch = (held[:, :, None] != batch.references[:, :, typed].permute(2, 0, 1)) & (held[:, :, None] >= 0)
        emission = torch.where(mismatch, MISMATCH, 1 - MISMATCH) * batch.reference_valid
        per_cm = torch.tensor(RATES, device=typed.device) * SWITCHES_PER_CENTIMORGAN / batch.panel_haplotypes
        at_typed = batch.centimorgan[typed]
        forward, backward = run_forward_backward(emission, -torch.expm1(-at_typed.diff()[:, None] * per_cm), prior)
        left = right - 1
        reach_left = -torch.expm1(-(here - at_typed[left.clamp(min=0)])[:, None] * per_cm)
        reach_right = -torch.expm1(-(at_typed[right.clamp(max=len(typed) - 1)] - here)[:, None] * per_cm)
        posterior = interpolate_posterior(forward, backward, prior, left, right, reach_left, reach_right)
        shares = batch.frequency[typed].clamp(1e-3, 1 - 1e-3)[:, None]
        surprise = torch.where(held < 0, 0.0, -torch.log(torch.where(held > 0, shares, 1 - shares)))
        features = describe_matches(mismatch, surprise, at_typed, here, left, right)
        best = posterior[:, FIRST]
        standing = torch.log(best / best.amax(-1, keepdim=True).clamp(min=TINY) + 1e-6) / 5
        return posterior.permute(0, 2, 3, 1), torch.cat([features, standing[..., None]], dim=-1), place
