"""Errors that a simulated panel is read with: as many as asked for, and of the kind asked for."""

import numpy as np
import pytest

from haplorag.panel.simulation import misphase, misread


@pytest.fixture(scope="module")
def haplotypes():
    generator = np.random.default_rng(4)
    return (generator.random((400, 50, 2)) < generator.random((400, 1, 1))).astype(np.int8)


def test_misread_alleles_are_drawn_by_frequency(haplotypes):
    read = misread(haplotypes, 0.2, np.random.default_rng(1))
    frequency = haplotypes.mean(axis=(1, 2))
    expected = 0.2 * 2 * frequency * (1 - frequency)
    assert (read != haplotypes).mean() == pytest.approx(expected.mean(), rel=0.05)
    # A site where nobody differs stays as it is.
    nobody = frequency == 0
    assert (read[nobody] == 0).all()


def test_misphased_people_keep_their_genotypes_and_turn_from_a_site_on(haplotypes):
    turned = misphase(haplotypes, 0.02, np.random.default_rng(1))
    np.testing.assert_array_equal(turned.sum(axis=2), haplotypes.sum(axis=2))
    pairs = switches = 0
    for person in range(haplotypes.shape[1]):
        sites = np.flatnonzero(haplotypes[:, person, 0] != haplotypes[:, person, 1])
        as_it_was = turned[sites, person, 0] == haplotypes[sites, person, 0]
        switches += np.count_nonzero(as_it_was[1:] != as_it_was[:-1]) + (not as_it_was[0])
        pairs += len(sites)
    assert switches / pairs == pytest.approx(0.02, rel=0.2)


def test_without_errors_nothing_changes(haplotypes):
    generator = np.random.default_rng(1)
    np.testing.assert_array_equal(misread(haplotypes, 0, generator), haplotypes)
    np.testing.assert_array_equal(misphase(haplotypes, 0, generator), haplotypes)
