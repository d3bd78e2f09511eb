"""The benchmark of rates runs on a panel of each kind, and judges each size under every rate."""

import os
import re
import subprocess
import sys

from support import ROOT, draw_one_mask


def measure(*words):
    command = [sys.executable, ROOT / "benchmarks/rates.py", "--threads", "1", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_it_measures_parts_of_a_real_and_of_a_simulated_panel(simulated):
    masks = simulated.folder / "masks/test/array/1.h5"
    draw_one_mask(simulated, "test", "array", masks)
    told = "--results", simulated.folder, "--chromosome", "1", "--sizes", "40", "--people", "5"
    made = "--simulated", "30", "--megabases", "0.1", "--typed", "0.2"
    done = measure(*map(str, (*told, *made)))
    # Goals are of panels that are large enough to tell.
    assert done.returncode in (0, 1), done.stderr
    real, _, invented = done.stdout.partition("\nsimulated, 0.1 Mb, array, 5 people\n")
    assert real.startswith("\nchromosome 1, array, 5 people\n")
    for text, haplotypes in ((real, 40), (invented, 30)):
        once = 12_000 / haplotypes
        for rounds in (0, 2):
            rows = re.findall(rf"^ +{haplotypes} +{rounds} +([\d.]+)  ([\d. nan]+)", text, re.M)
            assert [float(rate) for rate, _ in rows] == [1.5, 3, 6, 12, 24, once]
            assert len({found for _, found in rows}) > 1
            assert re.search(rf"^ +{haplotypes} .* {once:g}  .*\(the earlier rule\)$", text, re.M)
            assert f"goal {haplotypes} haplotypes, {rounds} rounds: lead of a better rate" in text
    missed = "(missed)" in done.stdout
    assert done.returncode == int(missed)


def test_a_run_that_is_not_complete_is_named(tmp_path):
    done = measure("--results", str(tmp_path), "--simulated")
    assert done.returncode == 2
    assert "samples.tsv" in done.stderr and "name a run that is complete" in done.stderr
