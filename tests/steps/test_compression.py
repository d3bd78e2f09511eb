"""Minimac4's form of the panel: made by Minimac4, whole or not at all."""

import shutil

import pytest

from haplorag.errors import InputError
from haplorag.steps.compression import compression

needs_minimac4 = pytest.mark.skipif(not shutil.which("minimac4"), reason="needs minimac4")


@needs_minimac4
def test_the_panel_in_its_form_is_one_file(exported, tmp_path):
    output = tmp_path / "1.msav"
    compression(exported / "reference.vcf.gz", output)
    assert list(tmp_path.iterdir()) == [output] and output.stat().st_size > 1000


@needs_minimac4
def test_what_is_no_vcf_leaves_nothing(tmp_path):
    (tmp_path / "x.vcf.gz").write_text("no VCF")
    with pytest.raises(InputError, match="minimac4: failed with exit status"):
        compression(tmp_path / "x.vcf.gz", tmp_path / "1.msav")
    assert not (tmp_path / "1.msav").exists()


def test_a_missing_minimac4_is_named_with_its_package(exported, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="minimac4: not installed; run `apt-get install minimac4`"):
        compression(exported / "reference.vcf.gz", tmp_path / "1.msav")
