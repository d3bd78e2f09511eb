"""Other tools at the same sites: run where installed, read where given, refused where missing."""

import shutil

import numpy as np
import pytest

from haplorag.errors import InputError
from haplorag.evaluation.metrics import dosage_r2_by_site
from haplorag.io.hdf5 import read_arrays
from haplorag.panel.samples import find_samples
from haplorag.settings import PeerSettings
from haplorag.steps.compression import compression
from haplorag.steps.peers import peers


def ask(simulated, exported, into, settings, name="tool"):
    reference = exported / "reference.vcf.gz"
    if settings.tool == "minimac4":
        reference = into.parent / "reference.msav"
        compression(exported / "reference.vcf.gz", reference)
    peers(
        simulated.genotypes, simulated.samples, simulated.frequencies, exported / "masks.h5",
        reference, exported / "target.vcf.gz", into, peer=name,
        settings=settings, chromosome="1", threads=2,
    )  # fmt: skip
    return read_arrays(into, "predictions")


@pytest.mark.parametrize("tool", ["beagle", "minimac4"])
def test_tools_impute_well(simulated, exported, tmp_path, tool):
    if not shutil.which(tool):
        pytest.skip(f"needs {tool}")
    said = ask(simulated, exported, tmp_path / "1.h5", PeerSettings(tool=tool), tool)
    assert said["methods"].tolist() == [tool] and said["masks"].tolist() == ["hide_50"]
    (hidden,) = read_arrays(exported / "masks.h5", "masks")["hidden"]
    truth = read_arrays(simulated.genotypes, "genotypes", "calldata/GT")["calldata/GT"]
    truth = truth[:, find_samples(simulated.people, "test")].swapaxes(0, 1)
    probability = said["probability"][0, 0].astype(float)
    np.testing.assert_array_equal(~np.isnan(probability).any(axis=(0, 2)), hidden)
    r2 = dosage_r2_by_site(probability[:, hidden].sum(axis=2), truth[:, hidden].sum(axis=2))
    assert np.nanmean(r2) > 0.5


def test_a_missing_tool_is_named_with_its_package(simulated, exported, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="beagle: not installed; run `apt-get install beagle`"):
        ask(simulated, exported, tmp_path / "1.h5", PeerSettings(tool="beagle"))
    assert not (tmp_path / "1.h5").exists()


@pytest.mark.parametrize("field", ["HDS", "AP", "DS"])
def test_a_given_file_is_read(simulated, exported, tmp_path, field, caplog):
    arrays = read_arrays(
        simulated.genotypes, "genotypes", "variants/POS", "variants/REF", "variants/ALT"
    )
    people = simulated.people["sample"].iloc[find_samples(simulated.people, "test")].tolist()
    entry = {"HDS": ("HDS", "0.25,0.5"), "AP": ("AP1:AP2", "0.25:0.5"), "DS": ("DS", "0.75")}[field]
    head = "##fileformat=VCFv4.2\n##contig=<ID=1>\n" + "".join(
        f'##FORMAT=<ID={name},Number={number},Type=Float,Description="x">\n'
        for name, number in (("HDS", 2), ("AP1", "A"), ("AP2", "A"), ("DS", "A"))
    )
    columns = "\t".join(
        ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *reversed(people)]
    )
    lines = [
        "\t".join(
            ["1", str(position), ".", ref, alt, ".", ".", ".", entry[0], *[entry[1]] * len(people)]
        )
        for position, ref, alt in zip(*arrays.values(), strict=True)
    ]
    (tmp_path / "theirs.vcf").write_text(head + columns + "\n" + "\n".join(lines[:-1]) + "\n")
    said = ask(
        simulated,
        exported,
        tmp_path / "1.h5",
        PeerSettings(file=str(tmp_path / "theirs.vcf")),
        "theirs",
    )
    drawn = read_arrays(exported / "masks.h5", "masks")["hidden"]
    halves = said["probability"][0, 0, 0, : len(lines) - 1][drawn[0][:-1]]
    np.testing.assert_allclose(
        halves, np.broadcast_to([0.375, 0.375] if field == "DS" else [0.25, 0.5], halves.shape)
    )
    if drawn[:, -1].any():
        assert "are not in the output" in caplog.text
