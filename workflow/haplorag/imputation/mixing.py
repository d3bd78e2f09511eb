"""Learns from the panel itself how to weigh the settings of the model of copying."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from haplorag.alleles import ABSENT
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.layers import train_layers
from haplorag.li_stephens.mixture import (
    Mixture,
    SiteFacts,
    Traced,
    gather_features,
    is_alternate_rare,
    is_unsure,
)
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.passes import Passes
from haplorag.panel.haplotypes import ShardSet
from haplorag.settings import MixtureSettings

log = logging.getLogger(__name__)
# From fewer examples chance is learned too (docs/experiments.md).
LEAST_EXAMPLES = 40_000
# A setting is taken alone where examples are so much likelier by it, in natural logarithms.
LEAST_EVIDENCE = 20.0
# However long a chromosome is, so many people are learned from: populations differ.
FEWEST_PEOPLE = 25


class Examples(NamedTuple):
    """Pairs of haplotype and site: what a mixture sees float32 [pair, F], the logit of the
    settings' mean float32 [pair], and whether the haplotype has the rarer allele, bool [pair]."""

    features: np.ndarray
    mean: np.ndarray
    carries: np.ndarray


def learn_mixture(
    shards: ShardSet,
    typed: np.ndarray,
    centimorgan: np.ndarray,
    model: CopyingModel,
    settings: MixtureSettings,
    seed: int,
    passes: Passes,
) -> tuple[CopyingModel, Mixture | None]:
    """Learn how to weigh a model's settings where the sites `typed` int [T] are typed.

    Reference samples, chosen by the seed, are left out of the panel in turn and followed through
    the rest; what all other sites show them to have is what is learned from. `centimorgan` [site]
    are the genetic positions of all sites. Gives the model to answer by, and no mixture where the
    settings ask for nobody or there is too little to learn from: then the model has one setting
    alone where that tells more than the mean of all.
    """
    if not settings.people or not len(typed):
        return model, None
    people = count_people(settings, float(np.ptp(centimorgan[typed])))
    settings = settings.model_copy(update={"people": people})
    examples = gather_examples(shards, typed, model, settings, seed, passes)
    if len(examples.mean) < LEAST_EXAMPLES:
        return choose_setting(model, examples), None
    center = examples.features.mean(axis=0)
    scale = examples.features.std(axis=0) + np.float32(1e-3)
    seen = (examples.features - center) / scale
    layers = train_layers(seen, examples.mean, examples.carries, settings, seed)
    return model, Mixture(settings.evident, center, scale, layers)


def choose_setting(model: CopyingModel, examples: Examples) -> CopyingModel:
    """A model with one setting alone, where examples are likelier by that than by the mean of all;
    else the same model."""
    told = [examples.mean, *examples.features[:, : len(model.settings)].T]
    mean, *alone = (_sum_loss(logit, examples.carries) for logit in told)
    best = int(np.argmin(alone))
    count = len(examples.mean)
    if mean - alone[best] < LEAST_EVIDENCE:
        log.info("only %d examples to weigh settings by: their mean is used", count)
        return model
    log.info("only %d examples to weigh settings by: setting %d alone is used", count, best)
    return replace(model, settings=(model.settings[best],))


def _sum_loss(logit: np.ndarray, carries: np.ndarray) -> float:
    """Cross-entropy of examples, summed."""
    return float(np.logaddexp(0, np.where(carries, -logit, logit), dtype=np.float64).sum())


def count_people(settings: MixtureSettings, length: float) -> int:
    """How many people are enough where typed sites extend over so many cM: the longer a chromosome,
    the more pieces of other haplotypes each of theirs is made of."""
    enough = math.ceil(settings.centimorgans / max(length, settings.centimorgans / settings.people))
    return min(settings.people, max(FEWEST_PEOPLE, enough))


def gather_examples(
    shards: ShardSet,
    typed: np.ndarray,
    model: CopyingModel,
    settings: MixtureSettings,
    seed: int,
    passes: Passes,
) -> Examples:
    """Pairs of which the settings are unsure, in reference samples at all sites but the typed."""
    generator = np.random.default_rng(seed)
    people = generator.permutation(shards.ploidy.people.shape[1])[: settings.people]
    owner = np.sort(people)
    core = np.setdiff1d(np.arange(len(model.distance)), typed)
    alleles = shards.of_people(core, owner)
    queries = Queries(shards.of_people(typed, owner), np.repeat(owner, 2))
    panel = passes.open_panel(shards, typed, core, slice(0, len(core)), model)
    found = []
    for some, traced in panel.trace(queries, settings.evident):
        truth = alleles[some]
        # Each haplotype's share: all examples of a long chromosome would fill the memory.
        most = settings.pairs * len(truth) // len(alleles)
        found.append(_draw_examples(_choose_unsure(traced, panel.sites, truth), most, generator))
    return Examples(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _draw_examples(examples: Examples, most: int, generator: np.random.Generator) -> Examples:
    """At most so many of the examples, in their order."""
    kept = np.sort(generator.permutation(len(examples.mean))[:most])
    return Examples(*(column[kept] for column in examples))


def _choose_unsure(traced: Traced, sites: SiteFacts, alleles: np.ndarray) -> Examples:
    """Examples among some samples' haplotypes, of which `alleles` int8 [Q, L] are the truth."""
    there = alleles != ABSENT
    rows, columns = np.nonzero(is_unsure(traced.alternate.mean(axis=1)) & there)
    both = (len(alleles) // 2, 2, -1)
    alternate = ((alleles == 1).reshape(both)).sum(axis=1)[rows // 2, columns]
    count = there.reshape(both).sum(axis=1)[rows // 2, columns]
    features, mean = gather_features(traced, sites, rows, columns, (alternate, count))
    carries = alleles[rows, columns] == is_alternate_rare(sites, columns)
    return Examples(features, mean, carries)
