"""What is known of a person's phase is kept, whatever a program makes of the rest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplorag.phasing.units import (
    count_undecided,
    find_heterozygotes,
    find_units,
    has_choice,
    join_sets,
)

HETEROZYGOUS = np.array([[0] * 6, [1] * 6], np.int8)


@pytest.mark.parametrize(
    ("sets", "begin", "last", "split", "turn"),
    [
        ([0] * 3, [0, 1, 2], [0, 1, 2], [1, 1, 1, 1], [1, 1, 1]),
        ([1] * 6, [0], [5], [1, 1], [1]),
        ([7, 7, 8, 8, 8, 8], [0, 2], [1, 5], [1, 1, 1], [1, 1]),
        # One unphased site in the middle of what is phased may be turned, and nothing else.
        ([1, 1, 0, 1, 1, 1], [0, 2, 3], [1, 2, 5], [1, 0, 0, 1], [0, 1, 0]),
        # 8 lies within 7.
        ([7, 8, 8, 7, 0, 0], [0, 1, 3, 4, 5], [0, 2, 3, 4, 5], [1, 0, 0, 1, 1, 1], [0, 1, 0, 1, 1]),
        # 7 and 8 cross: the second piece of 8 is one by itself.
        ([7, 8, 7, 8, 8, 8], [0, 1, 2, 3], [0, 1, 2, 5], [1, 0, 0, 1, 1], [0, 1, 0, 1]),
    ],
)
def test_units_by_eye(sets, begin, last, split, turn):
    units = find_units(HETEROZYGOUS[:, : len(sets)], np.array(sets, np.int32))
    assert units.begin.tolist() == begin and units.last.tolist() == last
    assert units.may_split.tolist() == [bool(one) for one in split]
    assert units.may_turn.tolist() == [bool(one) for one in turn]


def test_homozygous_missing_and_single_sites_leave_nothing_to_choose():
    alleles = np.array([[0, 1, -1, 0, 0], [0, 1, 1, -2, 1]], np.int8)
    phase = np.zeros(5, np.int32)
    assert find_heterozygotes(alleles).tolist() == [4]
    assert not has_choice(find_units(alleles, phase)) and count_undecided(alleles, phase) == 0
    assert len(find_units(alleles[:, :4], phase[:4]).begin) == 0
    assert count_undecided(HETEROZYGOUS, np.array([0, 0, 1, 1, 9, 1])) == 3


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=20))
def test_joined_sets_lie_as_given(drawn):
    phase = np.array([one for one, _ in drawn], np.int32)
    given_ = np.stack([np.zeros(len(drawn), np.int8), np.ones(len(drawn), np.int8)])
    turned = np.array([one for _, one in drawn])
    chosen = np.where(turned, given_[::-1], given_)
    found = join_sets(chosen, given_, phase)
    np.testing.assert_array_equal(found.sum(axis=0), 1)
    # All others lie to what is phased as they were chosen.
    is_turned = 2 * turned[phase == 1].sum() > (phase == 1).sum()
    expected = chosen[::-1] if is_turned else chosen
    np.testing.assert_array_equal(found[:, phase == 0], expected[:, phase == 0])
    for one in set(phase[phase > 0].tolist()):
        assert len(set(found[0, phase == one].tolist())) == 1
    assert not found[0, phase == 1].any()
