"""The benchmark of the GPU runs as far as a CPU allows, and tells what it could not."""

import json
import os
import subprocess
import sys

from support import ROOT, draw_one_mask


def test_it_measures_all_that_a_cpu_can_and_makes_its_table(panel_imputer, simulated, tmp_path):
    told = tmp_path / "gpu.json"
    draw_one_mask(simulated, "test", "array", simulated.folder / "masks/test/array/1.h5")
    command = [
        sys.executable, ROOT / "benchmarks/gpu.py", "--device", "cpu", "--threads", "2",
        "--output", told, "--results", simulated.folder, "--mask", "array",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(told.read_text())
    figures = {figure["name"]: figure for figure in measured["figures"]}
    assert figures["largest difference from the CPU"]["value"] <= 1e-5
    assert figures["same neighbours as FAISS, ties and all"]["value"] == 1
    assert figures["processes whose gradients added up"]["value"] == 2
    assert figures["imputation of test people"]["value"] > 0
    # Times of an interpreter meet no goal and miss none.
    assert all(figure["met"] is None for figure in measured["figures"])
    assert measured["not_run"]["embedding_rag_v18, compiled"] == "only on a GPU"
    table = subprocess.run(
        [*command[:2], "--table", told], capture_output=True, text=True, env=environment
    )
    for name in figures:
        assert f"| {name} |" in table.stdout
    assert "Not run, embedding_rag_v18, compiled: only on a GPU." in table.stdout


def test_without_a_gpu_it_says_so():
    command = [sys.executable, ROOT / "benchmarks/gpu.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert "this machine has no GPU; or try the benchmark itself: --device cpu" in done.stderr
