"""The example shows a rare allele chosen by its place, and whom the query copies there."""

import numpy as np
import pytest

import haplorag.steps.example as step
from haplorag.evaluation.example import choose_rare_alleles
from haplorag.panel.samples import read_samples
from support import SEED


def test_rare_alleles_nearest_the_middle_come_first():
    frequency = np.array([0.005, 0.4, 0.005, 0.995, 0.0])
    haplotypes = np.array([[1, 1, 0, 1, 0], [0, 1, 0, 0, 1]], dtype=np.int8)
    hidden = np.ones(5, dtype=bool)
    chosen = choose_rare_alleles(haplotypes, frequency, hidden, 0.01, 1)
    assert chosen == [(3, 1, 0), (0, 0, 1)]
    hidden[[0, 3]] = False
    assert choose_rare_alleles(haplotypes, frequency, hidden, 0.01, 1) == []


@pytest.fixture
def drawn(simulated, tmp_path, monkeypatch):
    """Draw the example of the simulated panel; gives the region and the figure's text."""
    seen = []
    draw = step.draw_example
    monkeypatch.setattr(step, "RARE", 0.05)
    monkeypatch.setattr(step, "draw_example", lambda *given: seen.append(given[0]) or draw(*given))
    step.example(
        tmp_path / "example.svg", samples=simulated.samples, genotypes=simulated.genotypes,
        frequencies=simulated.frequencies, masks=simulated.drawn("masks", "test"),
        rates=simulated.drawn("rates", "test"), shards=simulated.shards, chromosome="1",
        mask="array", seed=SEED,
    )  # fmt: skip
    return seen[0], (tmp_path / "example.svg").read_text()


def test_who_is_copied_carries_what_was_imputed(drawn):
    region, _ = drawn
    total = region.posterior.sum(axis=1)
    assert (total <= 1.001).all() and total.mean() > 0.2
    assert region.query[region.site] == region.minor and region.carriers > 0
    carriers = region.alleles[region.site] == region.minor
    assert region.probability >= region.posterior[region.site, carriers].sum() - 1e-3
    typed = region.typed
    copied = region.alleles[np.arange(len(typed)), region.copied]
    assert (copied == region.query)[typed].mean() > 0.8


def test_the_figure_names_nobody(drawn, simulated):
    _, text = drawn
    assert "query (" in text and "reference (" in text
    assert not [name for name in read_samples(simulated.samples)["sample"] if name in text]
