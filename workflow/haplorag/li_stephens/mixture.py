"""What a small network makes of the settings' answers, where these are unsure or disagree.

It sees what each setting says, what the sites on either side of a site alone say, whether both
sides copy the same haplotypes, how frequent the allele is and how near the typed sites are. How to
weigh these differs from panel to panel and with the sites that are typed, so that it is learned for
each anew, from people of the panel who are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from haplorag.li_stephens.layers import expit
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.site_groups import SiteGroups

# Nearer to 0 or 1 than this, the mean of the settings is the answer.
UNSURE = 1e-3
# Probabilities are told apart up to here, and distances, in expected switches, from here on.
LEAST_PROBABILITY, LEAST_DISTANCE = 1e-5, 1e-3
# So far from a typed site a site counts where there is none on that side: 5 switches.
BEYOND = 5.0
# Pairs of haplotype and site that are reckoned with at a time.
PAIRS_AT_ONCE = 2**18


class Traced(NamedTuple):
    """What haplotypes are told at core sites and at groups of them, float32.

    `alternate` [Q, setting, L] is the probability of ALT under each setting, `posterior` [Q,
    setting, P, K] that of copying each haplotype of interest. Of the setting of which there is
    evidence, `ahead` and `behind` [Q, L] and `agreement` [Q, P] are as in `states.ReadOut`.
    """

    alternate: np.ndarray
    posterior: np.ndarray
    ahead: np.ndarray
    behind: np.ndarray
    agreement: np.ndarray


class SiteFacts(NamedTuple):
    """Of core sites: how many haplotypes of how many have ALT, int64 [L]; the logarithm of the
    distance from the typed sites before and after, float32 [L]; the group of each, int64 [L]."""

    alternate: np.ndarray
    haplotypes: np.ndarray
    near: np.ndarray
    far: np.ndarray
    group: np.ndarray


@dataclass(frozen=True, eq=False)
class Mixture:
    """A network of fully connected layers with SiLU between them: its answer is added to the logit
    of the settings' mean.

    `evident` numbers the setting of which it wants evidence. `center` and `scale` float32 [F] bring
    features to about the same size; `layers` are weights float32 [out, in] and biases [out].
    """

    evident: int
    center: np.ndarray
    scale: np.ndarray
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]


class DescribedPanel(Protocol):
    """A panel at typed and core sites, wherever it is held; see `segments.PanelSegments`."""

    @property
    def typed(self) -> np.ndarray:
        """Sorted typed sites, int [T]."""

    @property
    def core(self) -> np.ndarray:
        """Sorted core sites, int [L]."""

    @property
    def groups(self) -> SiteGroups:
        """Groups of core sites."""

    def count_alternate(self) -> tuple[np.ndarray, np.ndarray]:
        """How many haplotypes of how many have ALT at each core site, int64 [L] each."""


def describe_sites(panel: DescribedPanel, model: CopyingModel) -> SiteFacts:
    """What a mixture is told of a panel's core sites."""
    distance = model.distance
    ends = distance[:1] - BEYOND, distance[panel.typed], distance[-1:] + BEYOND
    bounds = np.concatenate(ends)
    before = np.searchsorted(panel.typed, panel.core, side="right")
    here = distance[panel.core]
    return SiteFacts(
        *panel.count_alternate(),
        np.log(here - bounds[before] + LEAST_DISTANCE).astype(np.float32),
        np.log(bounds[before + 1] - here + LEAST_DISTANCE).astype(np.float32),
        panel.groups.of_site,
    )


def mix_settings(mixture: Mixture, traced: Traced, sites: SiteFacts) -> np.ndarray:
    """Probability of ALT float32 [Q, L]: the network's where the settings' mean is unsure."""
    found = traced.alternate.mean(axis=1)
    for rows, columns in _iterate_unsure(found):
        features, mean = gather_features(traced, sites, rows, columns)
        hidden = (features - mixture.center) / mixture.scale
        for number, (weight, bias) in enumerate(mixture.layers):
            # Products by BLAS differ in the last bits with how many rows there are.
            seen = _silu(hidden) if number else hidden
            hidden = np.einsum("pi,oi->po", seen, weight) + bias
        minor = expit(mean + hidden[:, 0])
        found[rows, columns] = np.where(is_alternate_rare(sites, columns), minor, 1 - minor)
    return found


def _iterate_unsure(mean: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and columns of pairs whose mean is unsure, a few at a time."""
    unsure = np.flatnonzero(is_unsure(mean))
    for start in range(0, len(unsure), PAIRS_AT_ONCE):
        yield np.divmod(unsure[start : start + PAIRS_AT_ONCE], mean.shape[1])


def is_unsure(mean: np.ndarray) -> np.ndarray:
    """Where the settings' mean is not the answer, bool."""
    return (mean > UNSURE) & (mean < 1 - UNSURE)


def gather_features(
    traced: Traced,
    sites: SiteFacts,
    rows: np.ndarray,
    columns: np.ndarray,
    own: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What a mixture sees of pairs of haplotype and site: features float32 [pair, F], and the logit
    of the settings' mean [pair]; of the allele that is rarer in the panel.

    `own` says of haplotypes of the panel how often their own sample has ALT, and how many it has,
    int [pair] each.
    """
    rare = is_alternate_rare(sites, columns)
    told = traced.alternate[rows, :, columns]
    sides = traced.ahead[rows, columns], traced.behind[rows, columns]
    probability = np.concatenate([told, np.stack(sides, axis=1)], axis=1)
    mean = told.mean(axis=1)
    minor = np.where(rare[:, None], probability, 1 - probability)
    others, alternate = sites.haplotypes[columns], sites.alternate[columns]
    if own is not None:
        others, alternate = others - own[1], alternate - own[0]
    count = np.where(rare, alternate, others - alternate)
    facts = (
        np.log(np.maximum(traced.agreement[rows, sites.group[columns]], LEAST_PROBABILITY)),
        np.log(np.maximum(count, 0.5) / others),
        sites.near[columns],
        sites.far[columns],
    )
    features = np.concatenate([_logit(minor), np.stack(facts, axis=1)], axis=1)
    return features.astype(np.float32), _logit(np.where(rare, mean, 1 - mean))


def is_alternate_rare(sites: SiteFacts, columns: np.ndarray) -> np.ndarray:
    """Whether ALT is the rarer allele in the panel, bool [pair]."""
    return 2 * sites.alternate[columns] <= sites.haplotypes[columns]


def _logit(probability: np.ndarray) -> np.ndarray:
    bounded = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return (np.log(bounded) - np.log1p(-bounded)).astype(np.float32)


def _silu(value: np.ndarray) -> np.ndarray:
    return value * expit(value)
