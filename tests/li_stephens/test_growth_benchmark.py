"""The benchmark of growth measures panels of each size, and sets the passes beside the model."""

import os
import re
import subprocess
import sys

from support import ROOT


def test_it_measures_panels_of_each_size():
    words = ["--sizes", "60", "120", "240", "--megabases", "0.1", "--people", "10"]
    command = [sys.executable, ROOT / "benchmarks/growth.py", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    # Goals of cost are of panels that are large enough to tell; that the passes are exact is not.
    assert done.returncode in (0, 1), done.stderr
    assert done.returncode == int("(missed)" in done.stdout)
    rows = re.findall(r"^ +(\d+) +(\d+) +(\d+) +\d+ +\d+ +[\d.]+ +[\d.]+", done.stdout, re.M)
    assert [int(haplotypes) for haplotypes, _, _ in rows] == [60, 120, 240]
    sites = [int(count) for _, count, _ in rows]
    assert sites == sorted(sites)
    assert len(re.findall(r"^exponent of .*: -?[\d.]+ \+- [\d.]+$", done.stdout, re.M)) == 3
    assert re.search(r"r2 beside the plain model's, worst bin: .* \(met\)", done.stdout)
