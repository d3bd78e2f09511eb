"""Estimates how often copying errs at each typed site, and switches in each gap, from the panel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from haplorag.alleles import ABSENT
from haplorag.li_stephens.forward_backward import count_events
from haplorag.li_stephens.lanes import Chunk, Queries, follow_chunks
from haplorag.li_stephens.parameters import MIN_SWITCH, CopyingModel, assume_model
from haplorag.li_stephens.segments import PanelSegments
from haplorag.panel.haplotypes import ShardSet
from haplorag.settings import CopyingSetting, RateSettings

AS_IT_IS = (CopyingSetting(switching=1, mismatch=1),)
# The prior counts as much as so many haplotypes.
PRIOR_OF_MISMATCH, PRIOR_OF_SWITCH = 20.0, 10.0
# A site that is hardly ever wrong may be so in the next haplotype.
LEAST_MISMATCH, MOST_MISMATCH, MOST_SWITCH = 1e-3, 0.2, 0.9


class Events(NamedTuple):
    """What is expected to have happened in some haplotypes: float64 [T] mismatches at typed sites,
    and [T - 1] switches in the gaps between them, NaN where these are not followed."""

    mismatches: np.ndarray
    switches: np.ndarray


# From haplotypes, the panel, its typed sites int [T] and a model.
Expect = Callable[[Queries, ShardSet, np.ndarray, CopyingModel], Events]


def estimate_model(
    shards: ShardSet,
    typed: np.ndarray,
    centimorgan: np.ndarray,
    settings: RateSettings,
    seed: int,
    expect: Expect,
) -> CopyingModel:
    """Estimate how haplotypes copy where the sites `typed` int [T] are typed.

    Some reference samples, chosen by the seed, are left out and followed through the rest; what is
    expected to have happened gives new rates, shrunk to the prior: expectation-maximisation, a few
    rounds of it. `centimorgan` [site] are the genetic positions of all sites. Between typed sites
    switches follow the genetic map, and where nothing is typed the prior stands. `expect` adds up
    what is expected to have happened, as `Passes.expect_events`.
    """
    prior = assume_model(centimorgan, settings)
    samples = shards.ploidy.people.shape[1]
    if len(typed) < 2 or samples < 2 or not settings.estimation_rounds:
        return prior
    generator = np.random.default_rng(seed)
    owner = np.sort(generator.permutation(samples)[: settings.estimation_people])
    queries = Queries(shards.of_people(typed, owner), np.repeat(owner, 2))
    followed = (queries.alleles != ABSENT).sum(axis=0)
    model = prior
    for _ in range(settings.estimation_rounds):
        events = expect(queries, shards, typed, model)
        model = maximise(events, followed, typed, prior)
    return model


def expect_events(
    queries: Queries, panel: PanelSegments, model: CopyingModel, threads: int
) -> Events:
    """Add up what is expected to have happened in haplotypes of the panel, each without its own.

    Of the model's settings none is asked.
    """
    chunks: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def count(chunk: Chunk) -> None:
        mismatches = np.zeros(len(panel.typed))
        switches = np.zeros(len(panel.typed))
        for segment, lanes, ahead, behind in chunk.follow():
            count_events(
                lanes, segment.blocks, ahead, behind, chunk.scratch,
                mismatches[segment.typed], switches[segment.typed],
            )  # fmt: skip
        chunks[int(chunk.query[0])] = mismatches, switches

    follow_chunks(count, queries, panel, replace(model, settings=AS_IT_IS), threads)
    # In the order of the haplotypes, whichever thread came first.
    in_order = [chunks[first] for first in sorted(chunks)]
    mismatches, switches = (np.sum(parts, axis=0) for parts in zip(*in_order, strict=True))
    # Where other haplotypes begin, nothing goes on and nothing is seen.
    opening = [part.typed.start for part in panel.segments if part.opens]
    switches[[start for start in opening if start < len(switches)]] = np.nan
    return Events(mismatches, switches[1:])


def maximise(
    events: Events, haplotypes: np.ndarray, typed: np.ndarray, prior: CopyingModel
) -> CopyingModel:
    """The model that events in so many haplotypes, int [T], speak for, shrunk to the prior."""
    mismatch = prior.mismatch.copy()
    expected = events.mismatches + PRIOR_OF_MISMATCH * prior.mismatch[typed]
    share = expected / (haplotypes + PRIOR_OF_MISMATCH)
    mismatch[typed] = np.clip(share, LEAST_MISMATCH, MOST_MISMATCH)
    by_map = prior.distance[typed]
    assumed = -np.expm1(-np.diff(by_map))
    chance = (events.switches + PRIOR_OF_SWITCH * assumed) / (haplotypes[1:] + PRIOR_OF_SWITCH)
    chance = np.where(np.isnan(events.switches), assumed, chance)
    gaps = -np.log1p(-np.clip(chance, MIN_SWITCH, MOST_SWITCH))
    at_typed = np.append(0, np.cumsum(gaps))
    distance = _interpolate(prior.distance, by_map, at_typed)
    return CopyingModel(distance, mismatch, prior.settings)


def _interpolate(by_map: np.ndarray, typed_by_map: np.ndarray, at_typed: np.ndarray) -> np.ndarray:
    """Distances of all sites from those of typed ones; beyond the outermost the prior goes on."""
    between = np.interp(by_map, typed_by_map, at_typed)
    return (
        between + np.minimum(by_map - typed_by_map[0], 0) + np.maximum(by_map - typed_by_map[-1], 0)
    )
