"""Settings are weighed as the panel itself tells."""

import math
from dataclasses import replace

import numpy as np
import pytest

from haplorag.imputation import mixing
from haplorag.imputation.mixing import (
    Examples,
    choose_setting,
    count_people,
    gather_examples,
    learn_mixture,
)
from haplorag.li_stephens import model as following
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.model import impute_sites
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.passes import CorePasses
from haplorag.li_stephens.segments import cut_segments
from haplorag.settings import CopyingSetting, MixtureSettings
from support import PlainPanel

# Both are too sure of themselves: the haplotypes below switch and mutate more often.
KINDS = CopyingSetting(switching=0.02, mismatch=0.1), CopyingSetting(switching=0.2, mismatch=0.3)
SITES = 400
CENTIMORGAN = np.linspace(0, 10, SITES)


@pytest.fixture(scope="module")
def simulated():
    """Haplotypes 0/1 uint8 [260, 400], mosaics of forty, which sites are typed, and the model."""
    generator = np.random.default_rng(11)
    founders = (generator.random((40, SITES)) < generator.beta(0.3, 1.5, SITES)).astype(np.uint8)
    haplotypes = np.empty((260, SITES), dtype=np.uint8)
    for row in haplotypes:
        switches = np.flatnonzero(generator.random(SITES) < 0.03)
        pieces = np.split(np.arange(SITES), switches)
        for piece in pieces:
            row[piece] = founders[generator.integers(40), piece]
    haplotypes ^= (generator.random(haplotypes.shape) < 0.01).astype(np.uint8)
    typed = np.arange(0, SITES, 8)
    model = CopyingModel(np.arange(SITES) * 0.03, np.full(SITES, 0.01, dtype=np.float32), KINDS)
    return haplotypes, typed, model


def ask(**changed):
    values = {"people": 60, "centimorgans": 800, "pairs": 60_000, "evident": 1, "width": 16}
    return MixtureSettings(**{**values, "epochs": 4, "learning_rate": 0.01, **changed})


def test_what_is_learned_serves_people_who_are_new(simulated):
    haplotypes, typed, model = simulated
    shards, new = PlainPanel(haplotypes[:200]), haplotypes[200:]
    _, mixture = learn_mixture(shards, typed, CENTIMORGAN, model, ask(), 1, CorePasses(1))
    core = np.setdiff1d(np.arange(SITES), typed)
    panel = cut_segments(shards, typed, core, model.distance)
    queries = Queries(new[:, typed].astype(np.int8), np.full(60, -1))
    losses = [
        cross_entropy(impute_sites(queries, panel, model, 1, mixed), new[:, core])
        for mixed in (None, mixture)
    ]
    assert losses[1] < 0.9 * losses[0]


def cross_entropy(probability, alleles):
    right = np.where(alleles == 1, probability, 1 - probability)
    return -np.log(np.clip(right, 1e-6, 1)).mean()


def test_the_same_is_learned_again_and_with_any_threads(simulated):
    haplotypes, typed, model = simulated
    (_, first), (_, again) = (
        learn_mixture(
            PlainPanel(haplotypes), typed, CENTIMORGAN, model, ask(epochs=1), 5, CorePasses(threads)
        )
        for threads in (1, 2)
    )
    for one, other in zip(first.layers, again.layers, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_examples_are_of_samples_who_are_left_out(simulated):
    """Whoever were copied from themselves would be right nearly always."""
    haplotypes, typed, model = simulated
    examples = gather_examples(PlainPanel(haplotypes), typed, model, ask(), 5, CorePasses(1))
    assert len(examples.mean) <= 60_000
    guessed = examples.mean > 0
    assert 0.5 < (guessed == examples.carries).mean() < 0.95
    assert examples.features.shape[1] == len(KINDS) + 6


def test_each_haplotype_gives_its_share_of_the_examples(simulated, monkeypatch):
    """Of a long chromosome few haplotypes go at a time, and most of their examples are left out."""
    haplotypes, typed, model = simulated
    monkeypatch.setattr(following, "MOST_PROBABILITIES", 1)
    held = []
    draw = mixing._draw_examples
    monkeypatch.setattr(mixing, "_draw_examples", lambda *a: held.append(draw(*a)) or held[-1])
    examples = gather_examples(
        PlainPanel(haplotypes), typed, model, ask(pairs=600), 5, CorePasses(1)
    )
    assert len(held) == 60 and len(examples.mean) == 600
    assert {len(part.mean) for part in held} == {10}


def test_who_has_too_little_to_learn_from_learns_nothing(simulated):
    haplotypes, typed, model = simulated

    def learn(haplotypes, typed, settings):
        panel, passes = PlainPanel(haplotypes), CorePasses(1)
        return learn_mixture(panel, typed, CENTIMORGAN, model, settings, 5, passes)

    assert learn(haplotypes[:8], typed, ask())[1] is None
    assert learn(haplotypes, typed, ask(people=0)) == (model, None)
    assert learn(haplotypes, typed[:0], ask()) == (model, None)


@pytest.mark.parametrize(
    ("people", "length", "enough"),
    [(100, 0, 100), (100, 8, 100), (100, 8.1, 99), (100, 20, 40), (100, 250, 25), (10, 250, 10)],
)
def test_of_a_long_chromosome_fewer_people_are_enough(people, length, enough):
    assert count_people(ask(people=people, centimorgans=800), length) == enough


def test_as_many_people_are_followed_as_are_enough(simulated, monkeypatch):
    haplotypes, typed, model = simulated
    asked = []
    gather = mixing.gather_examples
    monkeypatch.setattr(
        mixing, "gather_examples", lambda *given: asked.append(given[3].people) or gather(*given)
    )
    panel, passes = PlainPanel(haplotypes), CorePasses(1)
    for centimorgans in (1e6, 400):
        settings = ask(centimorgans=centimorgans, epochs=1)
        learn_mixture(panel, typed, CENTIMORGAN, model, settings, 5, passes)
    assert asked == [60, math.ceil(400 / np.ptp(CENTIMORGAN[typed]))]


def test_with_few_examples_the_setting_that_tells_more_than_the_mean_is_taken_alone(
    simulated, monkeypatch
):
    """By the first setting nearly nothing is copied wrongly, by the second nearly all is chance."""
    haplotypes, typed, model = simulated
    monkeypatch.setattr(mixing, "LEAST_EXAMPLES", 1_000_000)
    kinds = CopyingSetting(switching=1, mismatch=1), CopyingSetting(switching=500, mismatch=30)
    panel, passes = PlainPanel(haplotypes), CorePasses(1)
    for settings, alone in ((kinds, 0), (kinds[::-1], 1)):
        both = replace(model, settings=settings)
        found, mixture = learn_mixture(panel, typed, CENTIMORGAN, both, ask(), 5, passes)
        assert mixture is None and found.settings == (settings[alone],)
        assert found.distance is model.distance


def test_little_evidence_does_not_part_a_setting_from_the_others(simulated):
    _, _, model = simulated
    generator = np.random.default_rng(2)
    carries = generator.random(400) < 0.5
    right = np.where(carries, 1.0, -1.0)

    def choose(better):
        features = np.stack([better * right, 0.5 * right], axis=1).astype(np.float32)
        examples = Examples(features, (0.5 * right).astype(np.float32), carries)
        return choose_setting(model, examples).settings

    assert choose(0.6) == KINDS
    assert choose(0.7) == KINDS[:1]
    nothing = np.empty((0, 2), np.float32), np.empty(0, np.float32), np.empty(0, bool)
    assert choose_setting(model, Examples(*nothing)) is model
