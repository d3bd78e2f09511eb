"""Bad and tricky inputs behave as the corpus of cases says; HAPLORAG_CORPUS names its folder."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

CORPUS = Path(os.environ.get("HAPLORAG_CORPUS", "corpus"))


@pytest.mark.real
@pytest.mark.skipif(not (CORPUS / "run_contract.py").exists(), reason="set HAPLORAG_CORPUS to the folder of bad inputs")
@pytest.mark.parametrize("group", ["gz_", "txt_", "idx_", "hdr_", "rec_", "gt_", "ctg_", "pan_", "leak_"])
def test_the_corpus_holds(group, tmp_path):
    subprocess.run([sys.executable, CORPUS / "make_bad_inputs.py", tmp_path], check=True, capture_output=True)
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(ROOT / 'tests/contract.py'))} {{dir}} {{ref}} {{panel}}"
    given = ["--only", group, "--cmd", command, "--out", str(tmp_path / "contract.tsv")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    ran = subprocess.run(
        [sys.executable, CORPUS / "run_contract.py", tmp_path, *given], env=environment, capture_output=True, text=True
    )
    failed = [line for line in (tmp_path / "contract.tsv").read_text().splitlines() if "\tFAIL\t" in line]
    assert ran.returncode == 0 and not failed, failed
