"""What peers are given holds the reference and the typed sites, and nothing that is hidden."""

import numpy as np
import pysam

from haplorag.io.hdf5 import read_arrays, read_rows
from haplorag.panel.samples import find_samples
from haplorag.steps.exports import _fill_major, exports


def read(path):
    with pysam.VariantFile(str(path)) as vcf:
        records = [
            (record.pos, np.array([call["GT"] for call in record.samples.values()]))
            for record in vcf.fetch("1")
        ]
        return [place for place, _ in records], np.array([calls for _, calls in records])


def test_the_reference_is_whole(exported, simulated):
    arrays = read_arrays(simulated.genotypes, "genotypes", "variants/POS", "calldata/GT")
    position, calls = read(exported / "reference.vcf.gz")
    assert position == arrays["variants/POS"].tolist()
    np.testing.assert_array_equal(
        calls, arrays["calldata/GT"][:, find_samples(simulated.people, "reference")]
    )


def test_a_target_holds_typed_sites_only(exported, simulated):
    arrays = read_arrays(simulated.genotypes, "genotypes", "variants/POS", "calldata/GT")
    (hidden,) = read_arrays(exported / "masks.h5", "masks")["hidden"]
    people = find_samples(simulated.people, "test")
    position, calls = read(exported / "target.vcf.gz")
    assert 0 < len(position) < len(hidden)
    assert position == arrays["variants/POS"][~hidden].tolist()
    np.testing.assert_array_equal(calls, arrays["calldata/GT"][~hidden][:, people])


def test_genotypes_are_read_in_blocks(exported, simulated, tmp_path, monkeypatch):
    """However small the blocks, the same files; nothing larger is read at once."""
    seen = []

    def watch(file, name, sites):
        seen.append(sites[-1] - sites[0] + 1)
        return read_rows(file, name, sites)

    monkeypatch.setattr("haplorag.panel.genotype_store.BLOCK_SITES", 50)
    monkeypatch.setattr("haplorag.panel.genotype_store.read_rows", watch)
    panel = simulated.genotypes, simulated.samples
    for name, masks in (("reference", None), ("target", exported / "masks.h5")):
        path, role = tmp_path / f"{name}.vcf.gz", "test" if masks else name
        exports(*panel, path, role=role, masks=masks, chromosome="1")
        assert path.read_bytes() == (exported / path.name).read_bytes()
    assert len(seen) > 10
    assert max(seen) <= 50


def test_a_missing_reference_allele_is_the_major_one():
    mostly_alternate, mostly_reference = [[1, 1], [-1, 1], [0, -1]], [[0, 0], [-1, 0], [1, -1]]
    np.testing.assert_array_equal(
        _fill_major(np.array([mostly_alternate], np.int8)), [[[1, 1], [1, 1], [0, 1]]]
    )
    np.testing.assert_array_equal(
        _fill_major(np.array([mostly_reference], np.int8)), [[[0, 0], [0, 0], [1, 0]]]
    )


def test_people_are_not_named(exported):
    with pysam.VariantFile(str(exported / "reference.vcf.gz")) as vcf:
        assert all(name[0] == "p" and name[1:].isdigit() for name in vcf.header.samples)
