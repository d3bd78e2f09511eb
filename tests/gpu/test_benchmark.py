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
    for name in (
        "largest difference from the CPU, mean of the settings",
        "largest difference from the CPU, weighed",
        "largest difference, 70 haplotypes in tiles",
        "largest difference of what a network is told",
        "same neighbours as FAISS, ties and all",
        "processes whose gradients added up",
    ):
        assert figures[name]["met"] is True, name
    assert figures["imputation of test people"]["value"] > 0
    assert figures["a step of copying in an epoch, beside that step alone"]["value"] > 0
    # Times of an interpreter meet no goal and miss none; what only a card tells has its goal too.
    others = [figure for figure in measured["figures"] if figure["unit"]]
    assert all(figure["met"] is None for figure in others)
    assert figures["a step of embedding_rag_v18, the faster"]["goal"] == "below 30"
    flash = "flash attention's kernels in a step of token_rag_v17, as it is"
    assert figures[flash]["value"] is None and figures[flash]["goal"] == "at least 1"
    assert measured["not_run"]["embedding_rag_v18, compiled"] == "only on a GPU"
    document = tmp_path / "gpu.md"
    document.write_text(
        "# Before\n<!-- benchmarks/gpu.py -->\n<!-- end of benchmarks/gpu.py -->\nafter"
    )
    put = [*command[:2], "--table", told, "--into", document]
    for _ in range(2):
        subprocess.run(put, check=True, env=environment)
        table = document.read_text()
        assert table.startswith("# Before\n") and table.endswith("\nafter")
        assert table.count("| beside one core, mean of the settings | needs a GPU |") == 1
        assert "| same neighbours as FAISS, ties and all | 1 | at least 1 | met |" in table
        assert "- Not run, embedding_rag_v18, compiled: only on a GPU." in table


def test_no_part_begins_when_the_time_is_over(tmp_path):
    """What was not begun stands there with its goal."""
    told = tmp_path / "gpu.json"
    command = [sys.executable, ROOT / "benchmarks/gpu.py", "--device", "cpu", "--threads", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    subprocess.run([*command, "--minutes", "0", "--output", told], check=True, env=environment)
    measured = json.loads(told.read_text())
    assert "time was over" in measured["not_run"]["training embedding_rag_v18"]
    assert all(figure["value"] is None for figure in measured["figures"])
    assert "imputation of 2,000 people beside Minimac4" in {
        figure["name"] for figure in measured["figures"]
    }


def test_without_a_gpu_it_says_so():
    command = [sys.executable, ROOT / "benchmarks/gpu.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert "this machine has no GPU; or try the benchmark itself: --device cpu" in done.stderr


def test_the_document_has_the_table_of_its_json():
    command = [sys.executable, ROOT / "benchmarks/gpu.py", "--table", ROOT / "docs/gpu.json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    shown = (ROOT / "docs/gpu.md").read_text().split("benchmarks/gpu.py -->\n")[1]
    table = shown.split("\n<!--")[0]
    assert table == done.stdout.strip(), (
        "run: benchmarks/gpu.py --table docs/gpu.json --into docs/gpu.md"
    )
