"""Frequencies: of reference people only, missing alleles left out."""

import h5py
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from haplorag.io.checksums import seal_file
from haplorag.io.hdf5 import read_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.io.tables import write_table
from haplorag.panel.frequencies import count_alleles
from haplorag.panel.samples import read_samples
from haplorag.steps.frequencies import frequencies
from haplorag.steps.shards import shards
from haplorag.steps.windows import windows


def test_counts_by_eye():
    calls = np.array([[[0, 1], [1, 1], [-1, 1]], [[0, 0], [0, 0], [-1, -1]]], dtype=np.int8)
    everyone, last_two = count_alleles(calls, [np.arange(3), np.array([1, 2])])
    assert everyone.tolist() == [[4, 5, 0, 1, 1], [0, 4, 2, 0, 0]]
    assert last_two.tolist() == [[3, 3, 0, 0, 1], [0, 2, 1, 0, 0]]


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_packed_counts_are_plain_ones(seed, people):
    generator = np.random.default_rng(seed)
    calls = generator.integers(-1, 2, (7, people, 2), dtype=np.int8)
    group = np.flatnonzero(generator.random(people) < 0.5)
    alternate = (calls[:, group] > 0).sum(axis=2)
    whole = (calls[:, group] >= 0).all(axis=2)
    genotypes = [(whole & (alternate == number)).sum(axis=1) for number in range(3)]
    known = (calls[:, group] >= 0).sum(axis=(1, 2))
    expected = np.stack([alternate.sum(axis=1), known, *genotypes], axis=1)
    np.testing.assert_array_equal(count_alleles(calls, [group])[0], expected)


def test_frequencies_are_those_of_the_reference(simulated):
    arrays = read_arrays(simulated.frequencies, "frequencies")
    calls = read_arrays(simulated.genotypes, "genotypes", "calldata/GT")["calldata/GT"]
    people = simulated.people
    reference = (people["role"] == "reference").to_numpy()
    np.testing.assert_allclose(
        arrays["frequency"], calls[:, reference].mean(axis=(1, 2)), atol=1e-6
    )
    africans = reference & (people["super_population"] == "AFR").to_numpy()
    row = arrays["populations"].tolist().index("AFR")
    np.testing.assert_allclose(
        arrays["population_frequency"][row], calls[:, africans].mean(axis=(1, 2)), atol=1e-6
    )
    np.testing.assert_allclose(arrays["genotype_frequency"].sum(axis=1), 1, atol=1e-6)


def test_held_out_people_change_nothing(simulated, tmp_path):
    other = tmp_path / "other.h5"
    other.write_bytes(simulated.genotypes.read_bytes())
    held_out = np.flatnonzero(simulated.people["role"] != "reference")
    with h5py.File(other, "r+") as file:
        calls = file["calldata/GT"][:]
        calls[:, held_out] = 1 - calls[:, held_out]
        file["calldata/GT"][:] = calls
    seal_file(other)
    frequencies(other, simulated.samples, tmp_path / "f.h5")
    windows(
        tmp_path / "f.h5",
        tmp_path / "w.h5",
        tmp_path / "w.tsv",
        settings=simulated.settings.windows,
        chromosome="1",
    )
    shards(other, simulated.samples, tmp_path / "w.h5", tmp_path / "shards")
    # The files say what they were made from, which is another; what is in them is the same.
    for path, word in ((tmp_path / "f.h5", "frequencies"), (tmp_path / "w.h5", "windows")):
        expected = read_arrays(getattr(simulated, word), word)
        for name, values in read_arrays(path, word).items():
            np.testing.assert_array_equal(values, expected.pop(name))
        assert not expected
    packed = sorted(simulated.shards.glob("*.faiss.gz"))
    assert packed and [path.read_bytes() for path in packed] == [
        (tmp_path / "shards" / path.name).read_bytes() for path in packed
    ]


def test_a_name_replaces_nobody_not_even_all(simulated, tmp_path):
    table = read_samples(simulated.samples)
    write_table(tmp_path / "samples.tsv", table.replace({"super_population": {"AFR": "all"}}))
    renamed = tmp_path / "genotypes.h5"
    renamed.write_bytes(simulated.genotypes.read_bytes())
    with h5py.File(renamed, "r+") as file:
        file.attrs["sources"] = describe_provenance(("samples", tmp_path / "samples.tsv"))
    seal_file(renamed)
    frequencies(renamed, tmp_path / "samples.tsv", tmp_path / "1.h5")
    usual = read_arrays(simulated.frequencies, "frequencies")
    found = read_arrays(tmp_path / "1.h5", "frequencies")
    np.testing.assert_array_equal(found["frequency"], usual["frequency"])
    rows = [
        arrays["population_frequency"][arrays["populations"].tolist().index(name)]
        for arrays, name in ((usual, "AFR"), (found, "all"))
    ]
    np.testing.assert_array_equal(rows[0], rows[1])
