"""The mean over phases: dosages are means, and which haplotype is which does not matter."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from haplorag.imputation.phase_mean import Piece, average_phases, cut_pieces, find_unknown

PEOPLE, SITES = 5, 12


def draw(seed: int, phases: int):
    generator = np.random.default_rng(seed)
    found = generator.random((phases, 2 * PEOPLE, SITES)).astype(np.float32)
    return found, generator.random((PEOPLE, SITES)) < 0.7, generator


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_dosage_is_the_mean_of_the_dosages(seed, phases):
    found, unknown, _ = draw(seed, phases)
    mean = average_phases(iter(found.copy()), unknown)
    dosage = found.reshape(phases, PEOPLE, 2, SITES).sum(axis=2).mean(axis=0)
    np.testing.assert_allclose(mean.reshape(PEOPLE, 2, SITES).sum(axis=1), dosage, atol=1e-5)
    rows = np.repeat(~unknown, 2, axis=0)
    np.testing.assert_allclose(mean[rows], found.mean(axis=0)[rows], atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_how_other_phases_lie_does_not_matter(seed, phases):
    """Site by site, where both alleles are imputed; the first phase says which haplotype is which."""
    found, unknown, generator = draw(seed, phases)
    turned = (generator.random((phases, PEOPLE, SITES)) < 0.5) & unknown
    turned[0] = False
    pairs = found.reshape(phases, PEOPLE, 2, SITES)
    other = np.where(turned[:, :, None], pairs[:, :, ::-1], pairs).reshape(found.shape)
    mean = average_phases(iter(found.copy()), unknown)
    np.testing.assert_array_equal(average_phases(iter(other.copy()), unknown), mean)
    first = pairs[0, :, 0] < pairs[0, :, 1]
    there = mean[0::2] < mean[1::2]
    assert (first == there)[unknown & (mean[0::2] != mean[1::2])].all()


def test_a_heterozygote_of_which_the_haplotype_is_not_known_is_one():
    certain = np.array([[1, 0], [0, 0]], np.float32), np.array([[0, 0], [1, 0]], np.float32)
    both = average_phases(iter([one.copy() for one in certain]), np.ones((1, 2), bool))
    assert both.tolist() == [[1, 0], [0, 0]]
    apart = average_phases(iter([one.copy() for one in certain]), np.zeros((1, 2), bool))
    assert apart.tolist() == [[0.5, 0], [0.5, 0]]


def test_only_where_two_alleles_are_missing_neither_is_known():
    pairs = np.array([[-1, -1, 0, -1, 1], [-1, -2, -1, 1, 1]], np.int8)
    assert find_unknown(pairs).tolist() == [[True, False, False, False, False]]


class Target:
    """People of whom the second and the last are phased anew."""

    people = PEOPLE
    draws = 2
    rephased = np.array([False, True, False, False, True])


def test_everybody_is_in_one_piece_and_those_with_draws_apart():
    pieces = list(cut_pieces(Target(), 3))
    assert [piece.people.tolist() for piece in pieces] == [[0, 2], [1], [3], [4]]
    assert [list(piece.draws) for piece in pieces] == [[], [1, 2], [], [1, 2]]
    assert Piece(np.array([1, 4]), range(0)).rows.tolist() == [2, 3, 8, 9]
