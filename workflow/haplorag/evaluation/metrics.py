"""Judges imputed alleles and dosages against the truth, by frequency."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from haplorag.alleles import sum_dosages, sum_genotypes

# Kinds of groups of sites; there are many MAF bins, and one group of each other kind.
MAF_BIN, ALL, RARE, COMMON = "maf_bin", "all", "rare", "common"
# A MAF bin is named by its two edges, as `%g` writes them: 0-0.005, 1e-05-0.001.
BIN_NAME = re.compile(r"(\d+(?:\.\d+)?(?:e-\d+)?)-(\d+(?:\.\d+)?(?:e-\d+)?)")

# What is counted of each person; all of it adds up over people, sites and chromosomes.
COUNTS = (
    "genotypes", "dosage", "truth", "dosage_squared", "truth_squared", "product",
    "same", "carried", "same_carried", "alleles", "squared_error", "called", "alternate", "hits",
)  # fmt: skip
SCORES = (
    "aggregate_r2",
    "concordance",
    "nonref_concordance",
    "brier",
    "f1",
    "precision",
    "recall",
    "accuracy",
)
# A sum of squares this small, per person, is what rounding leaves where nothing varies.
RESIDUE = 1e-9


@dataclass(frozen=True)
class SiteGroup:
    """Sites that are judged together: their name, and their kind (`maf_bin`, `all`, ...)."""

    name: str
    kind: str


def list_site_groups(edges: list[float]) -> list[SiteGroup]:
    """The groups that `group_by_maf` makes, in its order."""
    bins = [SiteGroup(f"{low:g}-{high:g}", MAF_BIN) for low, high in pairwise(edges)]
    return [*bins, *(SiteGroup(kind, kind) for kind in (ALL, RARE, COMMON))]


def is_maf_bin(name: str) -> bool:
    """Whether a group of sites of that name is a MAF bin."""
    return BIN_NAME.fullmatch(name) is not None


def parse_maf_bin(name: str) -> tuple[float, float]:
    """Lower and upper edge of a MAF bin, by its name. Raises ValueError where it is not a bin's."""
    found = BIN_NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is not the name of a MAF bin")
    return float(found[1]), float(found[2])


def group_by_maf(
    frequency: np.ndarray, edges: list[float], rare: float
) -> tuple[list[str], np.ndarray]:
    """Group sites by MAF: names [G], and members bool [G, site].

    Bins are [edge, next edge), the last one closed. After the bins come `all`, `rare` (MAF below
    `rare`) and `common`.
    """
    maf = np.minimum(frequency, 1 - frequency)
    members = []
    for low, high in pairwise(edges):
        members.append((maf >= low) & ((maf < high) | ((high == edges[-1]) & (maf == high))))
    everything = np.ones(len(maf), dtype=bool)
    names = [group.name for group in list_site_groups(edges)]
    return names, np.stack([*members, everything, maf < rare, maf >= rare])


def count_recalled(
    carriers: np.ndarray, alleles: np.ndarray, groups: np.ndarray, minor_is_alt: np.ndarray
) -> np.ndarray:
    """Count minor alleles, and those of them that any neighbour carries: int64 [G, 2].

    `carriers` [n, site, 2] is the share of neighbours with ALT, `alleles` int8 of the same shape,
    `groups` bool [G, site], `minor_is_alt` bool [site].
    """
    minor = alleles == minor_is_alt[:, None]
    found = minor & np.where(minor_is_alt[:, None], carriers > 0, carriers < 1)
    return np.stack([part.sum(axis=(0, 2)) @ groups.T for part in (minor, found)], axis=1)


def dosage_r2_by_site(dosage: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Squared correlation of dosage with true genotype at each site: float [site].

    Both are [person, site]; truth is 0, 1, 2 and -1 where unknown. NaN where the truth does not
    vary among these people (not defined), 0 where it does but the dosage does not.
    """
    return r2_of_moments(sum_moments(dosage, truth, np.ones((1, len(dosage)))))[0]


def sum_moments(dosage: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sums over people of 1, d, t, d d, t t, d t: float64 [6, draw, site].

    dosage and truth are [person, site] (truth -1 where unknown), weights [draw, person]: how often
    each person counts.
    """
    known = (truth >= 0).astype(np.float64)
    d = dosage.astype(np.float64) * known
    t = truth * known
    return np.stack([weights @ product for product in (known, d, t, d * d, t * t, d * t)])


def r2_of_moments(moments: np.ndarray) -> np.ndarray:
    """Squared correlation [...] from the sums [6, ...] of `sum_moments`.

    NaN where the truth does not vary, 0 where only the dosage does not.
    """
    number, d, t, dd, tt, dt = moments
    with np.errstate(divide="ignore", invalid="ignore"):
        variance_d = dd - d * d / number
        variance_t = tt - t * t / number
        r2 = (dt - d * t / number) ** 2 / (variance_d * variance_t)
    still = variance_d <= RESIDUE * np.maximum(number, 1)
    r2 = np.where(still, 0.0, np.minimum(r2, 1.0))
    return np.where((number < 2) | (variance_t <= RESIDUE * np.maximum(number, 1)), np.nan, r2)


def count_people(
    probability: np.ndarray, alleles: np.ndarray, members: np.ndarray, minor_is_alt: np.ndarray
) -> np.ndarray:
    """Count what `COUNTS` names, of each person and group of sites: float64 [person, G, 14].

    probability (of ALT) float and alleles int8 (-1 unknown) are [person, site, 2], members bool
    [G, site]. A haploid genotype, with ABSENT for its second allele, counts as one allele, and as
    a genotype in which it stands twice. Dosages and genotypes are counted in minor alleles
    (`minor_is_alt` bool [site]); an allele is called ALT above one half.
    """
    probability = probability.astype(np.float64)
    known = alleles >= 0
    genotype = sum_genotypes(alleles)
    whole = genotype >= 0
    truth = genotype.astype(np.float64)
    dosage = sum_dosages(probability, alleles)
    called = probability > 0.5
    call = sum_dosages(called, alleles)
    same = (call == truth) & whole
    carried = ((call > 0) | (truth > 0)) & whole
    d = np.where(minor_is_alt, dosage, 2 - dosage) * whole
    t = np.where(minor_is_alt, truth, 2 - truth) * whole
    squared_error = np.where(known, probability - alleles, 0.0) ** 2
    hits = called & (alleles > 0)
    counted = [
        whole, d, t, d * d, t * t, d * t, same, carried, same & carried, _add_both(known),
        _add_both(squared_error), _add_both(called & known), _add_both(alleles > 0),
        _add_both(hits),
    ]  # fmt: skip
    groups = members.T.astype(np.float64)
    return np.stack([values.astype(np.float64) @ groups for values in counted], axis=-1)


def _add_both(values: np.ndarray) -> np.ndarray:
    """Sums float64 [...] of [..., 2], in half the time or less that numpy's own take."""
    return np.add(values[..., 0], values[..., 1], dtype=np.float64)


def score_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """The figures `SCORES` names, each [...], from summed counts [..., 14].

    NaN where there was nothing to count.
    `aggregate_r2` is the squared correlation over all genotypes, in minor alleles; non-reference
    concordance leaves out genotypes that are 0 in both truth and call; the Brier score is the mean
    squared error of allele probabilities; F1, precision and recall are those of the ALT allele.
    """
    by_name = dict(zip(COUNTS, np.moveaxis(counts, -1, 0), strict=True))
    alleles, called, alternate, hits = (
        by_name[name] for name in ("alleles", "called", "alternate", "hits")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "aggregate_r2": r2_of_moments(np.moveaxis(counts[..., :6], -1, 0)),
            "concordance": by_name["same"] / by_name["genotypes"],
            "nonref_concordance": by_name["same_carried"] / by_name["carried"],
            "brier": by_name["squared_error"] / alleles,
            "f1": 2 * hits / (called + alternate),
            "precision": hits / called,
            "recall": hits / alternate,
            "accuracy": (alleles - called - alternate + 2 * hits) / alleles,
        }


def tally_method(
    probability: np.ndarray,
    alleles: np.ndarray,
    groups: np.ndarray,
    minor_is_alt: np.ndarray,
    weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Count what one method says: float64 [draw, G, 14 + 3], and r2 [draw, site].

    probability and alleles are [person, site, 2], groups bool [G, site], weights [draw, person].
    The counts add up over sites. After those of `COUNTS` come the sum of r2 over sites, the number
    of sites where it is defined, and of all sites.
    """
    counts = np.einsum(
        "bn,ngc->bgc",
        weights,
        count_people(probability, alleles, groups, minor_is_alt),
        optimize=True,
    )
    genotype = sum_genotypes(alleles)
    dosage = sum_dosages(probability, alleles)
    r2 = r2_of_moments(sum_moments(dosage, genotype, weights))
    members = groups.T.astype(np.float64)
    sites = np.stack(
        [np.nan_to_num(r2) @ members, ~np.isnan(r2) @ members, np.ones(r2.shape) @ members], axis=-1
    )
    return np.concatenate([counts, sites], axis=-1), r2


def score_tally(tally: np.ndarray) -> dict[str, np.ndarray]:
    """Figures [draw, G] of tallies [draw, G, 17]: `r2` and those of `SCORES`.

    `r2` is the mean over the sites where it is defined.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return {"r2": tally[..., -3] / tally[..., -2], **score_counts(tally[..., :-3])}


def bin_reliability(probability: np.ndarray, truth: np.ndarray, bins: int = 20) -> np.ndarray:
    """Reliability of probabilities in equal bins: float [bins, 3].

    The columns are sums of count, of probability and of truly ALT. Both arrays have one shape;
    truth -1 does not count.
    """
    known = truth >= 0
    number = np.minimum((probability[known] * bins).astype(int), bins - 1)
    sums = [
        np.bincount(number, weights, bins) for weights in (None, probability[known], truth[known])
    ]
    return np.stack(sums, axis=1).astype(np.float64)
