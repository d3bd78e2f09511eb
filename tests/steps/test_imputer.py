"""The imputer's imputer_folder: complete, checked on opening, on its own."""

import json
import shutil

import pytest

from haplorag.errors import InputError
from haplorag.imputation.imputer import open_imputer, open_panel_chromosome


def test_it_travels(imputer_folder, tmp_path):
    shutil.copytree(imputer_folder, tmp_path / "elsewhere")
    opened = open_imputer(tmp_path / "elsewhere")
    panel = open_panel_chromosome(opened, "1")
    assert len(panel.position) == len(panel.frequencies.frequency)
    sites = panel.windows.context(0)
    assert panel.shards.haplotypes(sites).shape == (panel.shards.reference_haplotypes, len(sites))


def test_its_card_says_what_it_is(imputer_folder):
    card = (imputer_folder / "README.md").read_text()
    assert "`copying`" in card and "guard this folder" in card.replace("\n", " ")
    rows = [line for line in card.splitlines() if line.startswith("| hide_50")]
    figures = [float(cell) for cell in rows[0].split("|")[2:-1] if cell.strip() != "-"]
    assert figures and all(0 < figure <= 1 for figure in figures)


@pytest.mark.parametrize(
    "name",
    ["weights.safetensors", "1/panel.h5", "1/windows.h5", "1/shards/shards.json", "README.md"],
)
def test_damage_is_noticed(imputer_folder, tmp_path, name):
    shutil.copytree(imputer_folder, tmp_path / "x")
    data = bytearray((tmp_path / "x" / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "x" / name).write_bytes(data)
    with pytest.raises(InputError, match=name):
        open_imputer(tmp_path / "x")


def test_another_format_is_refused(imputer_folder, tmp_path):
    shutil.copytree(imputer_folder, tmp_path / "x")
    facts = json.loads((tmp_path / "x/imputer.json").read_text())
    (tmp_path / "x/imputer.json").write_text(json.dumps(facts | {"format": "imputer/9"}))
    with pytest.raises(InputError, match="expected format imputer/3"):
        open_imputer(tmp_path / "x")
