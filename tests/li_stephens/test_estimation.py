"""Rates of copying: expected events against brute force, and rates that are known by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haplorag.li_stephens import segments as cutting
from haplorag.li_stephens.estimation import Events, estimate_model, expect_events, maximise
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.parameters import CopyingModel, assume_model
from haplorag.li_stephens.passes import CorePasses
from haplorag.li_stephens.reference import expect_events_plainly
from haplorag.li_stephens.segments import cut_segments
from haplorag.settings import CopyingSetting, LiStephensSettings, MixtureSettings
from support import PlainPanel

SETTINGS = LiStephensSettings(
    switches_per_cm=6, mismatch=0.003, estimation_rounds=2, estimation_people=75,
    settings=[CopyingSetting(switching=1, mismatch=1)],
    mixture=MixtureSettings(
        people=0, centimorgans=1, pairs=1, evident=0, width=1, epochs=1, learning_rate=1
    ),
)  # fmt: skip


@given(st.integers(0, 2**32), st.integers(2, 30), st.integers(2, 8), st.sampled_from([40, 2**26]))
@settings(max_examples=40, deadline=None)
def test_events_are_those_of_the_plain_model(seed, sites, people, alleles_at_once):
    generator = np.random.default_rng(seed)
    panel = generator.integers(0, 2, (2 * people, sites), dtype=np.uint8)
    rates = CopyingModel(
        np.cumsum(generator.exponential(0.1, sites)),
        generator.uniform(0.001, 0.1, sites).astype(np.float32),
        tuple(SETTINGS.settings),
    )
    alleles = panel[[0, 1, 3]].astype(np.int8)
    alleles[generator.random(alleles.shape) < 0.1] = -1
    owner = np.array([0, 0, 1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "SEGMENT_ALLELES", alleles_at_once)
        patch.setattr(cutting, "SEGMENT_SITES", 1)
        cutting._cut_segments.cache_clear()
        cut = cut_segments(PlainPanel(panel), np.arange(sites), np.arange(0), rates.distance)
        found = expect_events(Queries(alleles, owner), cut, rates, threads=2)
        cutting._cut_segments.cache_clear()
    expected = [
        expect_events_plainly(
            alleles[row : row + 1], panel[None], rates.distance, rates.mismatch, owner[row]
        )
        for row in range(3)
    ]
    mismatches, switches = (sum(part[0] for part in parts) for parts in zip(*expected, strict=True))
    np.testing.assert_allclose(found.mismatches, mismatches, atol=2e-5)
    np.testing.assert_allclose(found.switches, switches, atol=2e-5)


def copy_founders(generator, founders, haplotypes, switch, mismatch):
    """Mosaics of founders 0/1 [F, S], with probabilities of a switch and of a mismatch [S]."""
    count, sites = founders.shape
    copied = np.empty((haplotypes, sites), dtype=int)
    copied[:, 0] = generator.integers(0, count, haplotypes)
    for site in range(1, sites):
        leaps = generator.random(haplotypes) < switch[site]
        fresh = generator.integers(0, count, haplotypes)
        copied[:, site] = np.where(leaps, fresh, copied[:, site - 1])
    errs = generator.random((haplotypes, sites)) < mismatch
    return (founders[copied, np.arange(sites)] ^ errs).astype(np.uint8)


def test_rates_that_are_known_are_found():
    """A hotspot between two sites, and a site that is often wrong."""
    generator = np.random.default_rng(11)
    founders = generator.integers(0, 2, (12, 120), dtype=np.uint8)
    switch, mismatch = np.full(120, 0.002), np.full(120, 0.002)
    switch[60], mismatch[30] = 0.35, 0.15
    panel = copy_founders(generator, founders, 300, switch, mismatch)
    centimorgan = np.linspace(0, 0.2, 120)
    many = SETTINGS.model_copy(update={"estimation_rounds": 12, "estimation_people": 150})
    rates = estimate_model(
        PlainPanel(panel), np.arange(120), centimorgan, many, 1, CorePasses(2).expect_events
    )
    gaps = np.diff(rates.distance)
    assert gaps.argmax() == 59 and -np.expm1(-gaps[59]) == pytest.approx(0.35, abs=0.1)
    assert np.median(gaps) < 0.02
    # Others that are wrong there too may be copied, so that fewer copies err than haplotypes.
    assert rates.mismatch.argmax() == 30 and 0.05 < rates.mismatch[30] < 0.15
    assert np.median(rates.mismatch) < 0.003


def test_it_is_a_function_of_the_seed():
    generator = np.random.default_rng(2)
    panel = generator.integers(0, 2, (400, 40), dtype=np.uint8)
    arguments = PlainPanel(panel), np.arange(0, 40, 2), np.linspace(0, 1, 40), SETTINGS
    one, two, other = (
        estimate_model(*arguments, seed, CorePasses(threads).expect_events)
        for seed, threads in ((1, 1), (1, 2), (2, 3))
    )
    np.testing.assert_array_equal(one.mismatch, two.mismatch)
    np.testing.assert_array_equal(one.distance, two.distance)
    assert (one.mismatch != other.mismatch).any()


def test_where_nothing_is_typed_the_prior_stands():
    panel = np.random.default_rng(3).integers(0, 2, (60, 50), dtype=np.uint8)
    centimorgan = np.linspace(0, 1, 50)
    prior = assume_model(centimorgan, SETTINGS)
    typed = np.array([20, 25, 30])
    rates = estimate_model(
        PlainPanel(panel), typed, centimorgan, SETTINGS, 1, CorePasses(1).expect_events
    )
    untyped = np.setdiff1d(np.arange(50), typed)
    np.testing.assert_array_equal(rates.mismatch[untyped], prior.mismatch[untyped])
    for part in (slice(0, 21), slice(30, 50)):
        np.testing.assert_allclose(np.diff(rates.distance[part]), np.diff(prior.distance[part]))
    for few in (typed[:1], typed[:0]):
        same = estimate_model(
            PlainPanel(panel), few, centimorgan, SETTINGS, 1, CorePasses(1).expect_events
        )
        np.testing.assert_array_equal(same.distance, prior.distance)


def test_no_haplotypes_leave_the_prior_and_many_outweigh_it():
    prior = assume_model(np.linspace(0, 0.2, 3), SETTINGS)
    typed = np.arange(3)
    nothing = maximise(Events(np.zeros(3), np.zeros(2)), np.zeros(3), typed, prior)
    np.testing.assert_allclose(nothing.distance, prior.distance)
    np.testing.assert_allclose(nothing.mismatch, prior.mismatch)
    much = maximise(Events(np.full(3, 1e4), np.full(2, 1e4)), np.full(3, 10**5), typed, prior)
    np.testing.assert_allclose(much.mismatch, 0.1, atol=1e-4)
    np.testing.assert_allclose(np.diff(much.distance), -np.log1p(-0.1), atol=1e-3)
