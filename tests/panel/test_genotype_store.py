"""What a store of genotypes holds is what was appended to it."""

import numpy as np
import pytest

from haplorag.io.hdf5 import creating_arrays, opening_arrays, write_arrays
from haplorag.panel import genotype_store
from haplorag.panel.genotype_store import PhaseAppender, iterate_phases, read_phases

PEOPLE, BLOCK = 1000, 10_000


@pytest.mark.parametrize("where", [0, 3, None])
def test_phase_is_kept_from_the_first_genotype_without_it(tmp_path, where):
    """However late it comes: a single missing genotype `./.` at the end of a phased file."""
    path = tmp_path / "x.h5"
    with creating_arrays(path, "genotypes") as file:
        appender = PhaseAppender(file, PEOPLE)
        for number in range(5):
            block = np.ones((BLOCK, PEOPLE), dtype=bool)
            if number == where:
                block[7, 3] = False
            appender.append(block)
    sites = np.array([0, 7, 3 * BLOCK + 7, 5 * BLOCK - 1])
    with opening_arrays(path, "genotypes") as file:
        assert (read_phases(file, sites) is None) == (where is None)
        found = np.stack(list(iterate_phases(file, sites, PEOPLE)))
    expected = np.ones((4, PEOPLE), dtype=np.int32)
    if where is not None:
        expected[1 if where == 0 else 2, 3] = 0
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("sites", [[], [4], [0, 1, 2, 3], [5, 9, 17, 18, 39], list(range(40))])
@pytest.mark.parametrize("people", [[1, 4], list(range(6))])
def test_a_store_is_read_in_blocks_and_people_are_chosen_of_each(
    tmp_path, monkeypatch, sites, people
):
    calls = np.random.default_rng(1).integers(-2, 2, (40, 6, 2), dtype=np.int8)
    write_arrays(tmp_path / "x.h5", "genotypes", {"calldata/GT": calls})
    sites, people = np.array(sites, dtype=int), np.array(people)
    # Four sites at a time.
    monkeypatch.setattr(genotype_store, "BLOCK_BYTES", 50)
    with opening_arrays(tmp_path / "x.h5", "genotypes") as file:
        found = genotype_store.read_calls(file, sites, people)
        haplotypes = genotype_store.read_haplotypes(file, sites, people)
    np.testing.assert_array_equal(found, calls[sites][:, people])
    expected = calls[sites][:, people].transpose(1, 2, 0).reshape(2 * len(people), len(sites))
    np.testing.assert_array_equal(haplotypes, expected)
