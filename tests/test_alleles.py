"""Alleles as bits say what the alleles say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplorag.alleles import (
    ABSENT,
    MISSING,
    count_bits,
    find_different,
    find_whole,
    pack_alleles,
    pack_people,
    pack_sites,
)


@pytest.mark.parametrize("lowest", [0, ABSENT])
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_counts_of_bits_are_those_of_alleles(lowest, seed, people):
    generator = np.random.default_rng(seed)
    alleles = generator.integers(lowest, 2, (7, people, 2), dtype=np.int8)
    members = generator.random(people) < 0.5
    bits, mask = pack_alleles(alleles), pack_people(members)
    some = alleles[:, members]
    whole = (some >= 0).all(axis=2)
    expected = [
        (some > 0).sum(axis=(1, 2)),
        (some > MISSING).sum(axis=(1, 2)),
        whole.sum(axis=1),
        (whole & (some[..., 0] != some[..., 1])).sum(axis=1),
    ]
    for plane, counts in zip(
        (*bits, find_whole(bits), find_different(bits)), expected, strict=True
    ):
        assert count_bits(plane & mask).tolist() == counts.tolist()


@pytest.mark.parametrize("sites", [0, 1, 8, 19])
def test_sites_are_packed_as_numpy_packs_them(sites):
    alleles = np.random.default_rng(sites).integers(0, 2, (sites, 5), dtype=np.uint8)
    assert pack_sites(alleles).tolist() == np.packbits(alleles, axis=0).tolist()
