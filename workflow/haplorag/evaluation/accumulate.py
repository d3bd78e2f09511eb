"""Adds up what methods say at hidden sites, block by block, over chromosomes and populations."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.evaluation.bootstrap import resample_people
from haplorag.evaluation.metrics import bin_reliability, count_recalled, group_by_maf, tally_method
from haplorag.evaluation.predictions import MaskedPrediction, NeighbourShares
from haplorag.evaluation.tables import StretchKey, TallyKey
from haplorag.io.hdf5 import read_arrays
from haplorag.panel.genotype_store import iterate_truth
from haplorag.panel.samples import list_populations
from haplorag.seeding import seed_of
from haplorag.settings import EvaluationSettings

log = logging.getLogger(__name__)
# Points of a method's line along a chromosome: more would hide the methods behind each other.
STRETCHES = 60


@dataclass(frozen=True)
class JudgedPopulation:
    """A super-population among the judged people, None for everybody."""

    name: str | None
    # int64 [n], rows among the judged people.
    members: np.ndarray
    # float64 [draw, n], how often each person counts; the first draw has everybody once.
    weights: np.ndarray


@dataclass(frozen=True)
class TruthBlock:
    """The truth at a block of sites, or at some of them."""

    sites: slice
    # int64 [site], 1-based.
    position: np.ndarray
    # int64 [site], which of `STRETCHES` equal parts of the chromosome a site lies in.
    stretch: np.ndarray
    # int8 [person, site, 2], -1 where unknown.
    alleles: np.ndarray
    # bool [G, site], which sites are in which group.
    groups: np.ndarray
    # bool [site].
    minor_is_alt: np.ndarray


def resample_populations(
    people: pd.DataFrame, settings: EvaluationSettings, seed: int
) -> list[JudgedPopulation]:
    """Everybody first, then each super-population, with the weights of the bootstrap."""
    populations = [(None, np.arange(len(people))), *list_populations(people)]
    judged = []
    for name, members in populations:
        # The name of everybody's draws; a super-population of this name draws its own people.
        own_seed = seed_of(seed, "bootstrap", "all" if name is None else name)
        weights = resample_people(len(members), settings.bootstrap, own_seed)
        judged.append(JudgedPopulation(name, members, weights))
    return judged


def iterate_truth_blocks(
    genotypes: Path, frequencies: Path, rows: np.ndarray, settings: EvaluationSettings
) -> Iterator[TruthBlock]:
    """The truth of a chromosome, block by block, for people by their rows in the panel."""
    arrays = read_arrays(frequencies, "frequencies", "position", "frequency")
    position = arrays["position"]
    stretch = cut_stretches(position)
    for sites, alleles in iterate_truth(genotypes, rows):
        frequency = arrays["frequency"][sites]
        _, groups = group_by_maf(frequency, settings.maf_bins, settings.rare_maf)
        yield TruthBlock(sites, position[sites], stretch[sites], alleles, groups, frequency <= 0.5)


def cut_stretches(position: np.ndarray) -> np.ndarray:
    """Which of `STRETCHES` equally long parts of a chromosome each site lies in: int64 [site]."""
    edges = np.linspace(position[0], position[-1] + 1, STRETCHES + 1)
    return np.digitize(position, edges[1:-1])


class AccuracyAccumulator:
    """Counts of all methods, from which every table of the evaluation is made.

    `tallies` float64 [draw, G, 17] by `TallyKey`, `reliability` float64 [bins, 3] by mask and
    method, `recalled` int64 [G, 2] by mask, `along` by `StretchKey` float64 [draw, stretch, 3]:
    sums of r2, of sites where it is defined, and of their positions.
    """

    def __init__(self, populations: list[JudgedPopulation]) -> None:
        self.tallies: dict[TallyKey, np.ndarray] = {}
        self.reliability: dict[tuple[str, str], np.ndarray] = {}
        self.recalled: dict[str, np.ndarray] = {}
        self.along: dict[StretchKey, np.ndarray] = {}
        self._populations = populations

    def add_prediction(
        self, chromosome: str, truth: TruthBlock, prediction: MaskedPrediction
    ) -> None:
        """Count what a method says in a block of sites."""
        method = prediction.mask, prediction.method
        alleles = truth.alleles[:, prediction.sites]
        groups = truth.groups[:, prediction.sites]
        minor_is_alt = truth.minor_is_alt[prediction.sites]
        for population in self._populations:
            tally, r2 = tally_method(
                prediction.probability[population.members],
                alleles[population.members],
                groups,
                minor_is_alt,
                population.weights,
            )
            for where in (chromosome, None):
                key = TallyKey(*method, where, population.name)
                self.tallies[key] = self.tallies.get(key, 0) + tally
            if population.name is None:
                stretches = StretchKey(*method, chromosome)
                sums = add_up_stretches(
                    truth.position[prediction.sites], truth.stretch[prediction.sites], r2
                )
                self.along[stretches] = self.along.get(stretches, 0) + sums
        reliability = bin_reliability(prediction.probability, alleles)
        self.reliability[method] = self.reliability.get(method, 0) + reliability

    def add_recall(self, truth: TruthBlock, shares: NeighbourShares) -> None:
        """Count which minor alleles any neighbour carries in a block of sites."""
        counts = count_recalled(
            shares.carriers,
            truth.alleles[:, shares.sites],
            truth.groups[:, shares.sites],
            truth.minor_is_alt[shares.sites],
        )
        self.recalled[shares.mask] = self.recalled.get(shares.mask, 0) + counts

    def log_chromosome(self, chromosome: str) -> None:
        """Log each method's mean r2 on a chromosome whose blocks have all been counted."""
        for key, sums in self.along.items():
            if key.chromosome == chromosome:
                total, sites, _ = sums[0].sum(axis=0)
                mean = total / sites if sites else np.nan
                log.info(
                    "%s, %s, %s: mean r2 %.4f at %d sites",
                    chromosome, key.mask, key.method, mean, sites,
                )  # fmt: skip


def add_up_stretches(position: np.ndarray, stretch: np.ndarray, r2: np.ndarray) -> np.ndarray:
    """Sums of r2 [draw, site], of sites where it is defined, and of their positions, by stretch.

    float64 [draw, stretch, 3]; `position` and `stretch` are int [site].
    """
    members = np.eye(STRETCHES)[stretch]
    defined = ~np.isnan(r2)
    return np.stack(
        [np.nan_to_num(r2) @ members, defined @ members, (defined * position) @ members], axis=-1
    )
