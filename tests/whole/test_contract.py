"""Bad and tricky inputs behave as the corpus of cases says; HAPLORAG_CORPUS names its folder."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support import ROOT

# A checkpoint that a GPU wrote is to be accepted; ours are read where history.json names their
# checksum, foreign ones are not.
FOREIGN = {"art_torch_cuda_tag"}
CORPUS = Path(os.environ.get("HAPLORAG_CORPUS", "corpus"))


GROUPS = ["gz_", "txt_", "idx_", "hdr_", "rec_", "gt_", "ctg_", "pan_", "leak_"]
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (CORPUS / "run_contract.py").exists(),
        reason="set HAPLORAG_CORPUS to the folder of bad inputs",
    ),
]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    subprocess.run(
        [sys.executable, CORPUS / "make_bad_inputs.py", folder], check=True, capture_output=True
    )
    return folder


@pytest.fixture(scope="module")
def imputer(cases):
    """A small imputer made of the corpus's own good panel."""
    overlay = {"chromosomes": ["chr21"], "results": str(cases / "results"), "models": ["copying"]}
    overlay["panel"] = {
        "vcf": str(cases / "base/ref.vcf.gz"),
        "people": str(cases / "base/panel.tsv"),
    }
    (cases / "base.yaml").write_text(yaml.safe_dump(overlay))
    made = cases / "results/imputer/copying"
    command = [
        "snakemake",
        "--cores",
        "2",
        str(made / "imputer.json"),
        "--configfile",
        "tests/tiny.yaml",
        str(cases / "base.yaml"),
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return made


def find_failed(cases, group, **more):
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(ROOT / 'tests/whole/contract.py'))} {{dir}} {{ref}} {{panel}}"
    given = ["--only", group, "--cmd", command, "--out", str(cases / "contract.tsv")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), **more}
    subprocess.run(
        [sys.executable, CORPUS / "run_contract.py", cases, *given],
        env=environment,
        capture_output=True,
    )
    lines = (cases / "contract.tsv").read_text().splitlines()
    assert len(lines) > 1
    return [line for line in lines if "\tFAIL\t" in line and line.split("\t")[0] not in FOREIGN]


@pytest.mark.parametrize("group", GROUPS)
def test_panels_and_people(cases, group):
    assert not find_failed(cases, group)


def test_targets(cases, imputer):
    assert not find_failed(cases, "tgt_", HAPLORAG_IMPUTER=str(imputer))


def test_artefacts(cases, imputer):
    assert not find_failed(cases, "art_", HAPLORAG_IMPUTER=str(imputer))
