"""Sixteen numbers as one: each goes its own way."""

import numpy as np

from haplorag.li_stephens.numba_jit import jit_in_order
from haplorag.li_stephens.states import _allocate
from haplorag.li_stephens.vectors import LANES, load, spread, store, stream, take


@jit_in_order
def combine(array, rows, number, found):
    first, second = load(array, rows[0]), load(array, rows[1])
    store(found, 0, first + second)
    store(found, 1, first - second)
    stream(found, 2, first * second)
    store(found, 3, first / second * spread(number))
    return take(first, rows[1])


def test_they_are_reckoned_with_as_sixteen_numbers():
    array, found = _allocate(5), _allocate(4)
    array[:] = np.random.default_rng(1).random(array.shape)
    number = np.float32(3)
    taken = combine(array, np.array([4, 2], dtype=np.uint32), number, found)
    first, second = array[4], array[2]
    expected = first + second, first - second, first * second, first / second * number
    np.testing.assert_array_equal(found, expected)
    assert taken == first[2]
    assert found.shape == (4, LANES) == (4, 16)
