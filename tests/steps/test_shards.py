"""Shards hold the reference's bits exactly, in the order of the samples, and notice damage."""

import gzip

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplorag.errors import InputError
from haplorag.io.hdf5 import opening_arrays
from haplorag.panel.frequencies import fill_major
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.haplotypes import open_shards, pack, read_shard, unpack, write_shard
from haplorag.panel.samples import find_samples
from haplorag.panel.windows import read_windows


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 40))
def test_packing_is_exact(seed, rows, sites):
    haplotypes = np.random.default_rng(seed).integers(0, 2, (rows, sites), dtype=np.uint8)
    np.testing.assert_array_equal(unpack(pack(haplotypes), np.arange(sites)), haplotypes)


@pytest.mark.parametrize(("rows", "sites"), [(1, 1), (5, 8), (6, 333)])
def test_a_shard_is_what_faiss_writes(rows, sites, tmp_path):
    packed = pack(np.random.default_rng(1).integers(0, 2, (rows, sites), dtype=np.uint8))
    path = tmp_path / "window_0000.faiss.gz"
    digest = write_shard(path, packed)
    index = faiss.IndexBinaryFlat(8 * packed.shape[1])
    index.add(packed)
    assert gzip.decompress(path.read_bytes()) == faiss.serialize_index_binary(index).tobytes()
    np.testing.assert_array_equal(read_shard(path, digest), packed)


def test_shards_are_the_reference(simulated):
    packed, cut = open_shards(simulated.shards), read_windows(simulated.windows)
    people = find_samples(simulated.people, "reference")
    with opening_arrays(simulated.genotypes, "genotypes") as file:
        for window in range(len(cut)):
            sites = cut.context(window)
            expected = read_haplotypes(file, sites, people)
            np.testing.assert_array_equal(packed.haplotypes(sites), expected)
            np.testing.assert_array_equal(
                packed.haplotypes(sites[::3], np.array([4, 1, 4])), expected[[4, 1, 4], ::3]
            )
    assert packed.haplotypes(np.array([], dtype=int)).shape == (2 * len(people), 0)


def test_missing_alleles_take_the_major_one():
    haplotypes = np.array([[1, 0, -1], [1, -1, -1], [-1, 0, -1]], dtype=np.int8)
    assert fill_major(haplotypes).tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]


def test_a_flipped_bit_is_noticed(simulated, tmp_path):
    for path in simulated.shards.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    shard = tmp_path / "window_0001.faiss.gz"
    data = bytearray(shard.read_bytes())
    data[-3] ^= 4
    shard.write_bytes(data)
    shards = open_shards(tmp_path)
    first = shards.entries[1]["first"]
    shards.haplotypes(np.arange(first))
    with pytest.raises(InputError, match=r"window_0001\.faiss\.gz: damaged"):
        shards.haplotypes(np.arange(first, first + 1))
