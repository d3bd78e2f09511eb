"""People who stand in a panel twice: found in whichever order of haplotypes, and counted."""

import numpy as np

from haplorag.qc.duplicates import DuplicateFinder, count_pairs


def find(calls, lengths):
    finder = DuplicateFinder(calls.shape[1])
    for block in np.split(calls, np.cumsum(lengths)):
        finder.add(block)
    return [group.tolist() for group in finder.find_groups()]


def test_who_has_the_same_two_haplotypes_is_found_and_nobody_else():
    calls = np.random.default_rng(1).integers(0, 2, (203, 9, 2), dtype=np.int8)
    calls[:, 4] = calls[:, 1, ::-1]
    calls[:, 8] = calls[:, 1]
    calls[:, 7] = calls[:, 2]
    calls[:, 3] = calls[:, 2]
    # Differ from others by one allele at the very end.
    calls[-1, 3, 0] ^= 1
    for lengths in ([], [1, 9, 60], [0, 8, 8]):
        assert find(calls, lengths) == [[1, 4, 8], [2, 7]]
    assert not find(calls[:49], [])


def test_missing_alleles_count_as_reference():
    calls = np.random.default_rng(2).integers(0, 2, (80, 3, 2), dtype=np.int8)
    calls[:, 2] = calls[:, 0]
    calls[5:30, 2][calls[5:30, 2] == 0] = -1
    assert find(calls, [40]) == [[0, 2]]


def test_pairs_of_groups():
    assert count_pairs(np.array([2, 4, 1])) == 7
    assert count_pairs(np.array([], dtype=int)) == 0
