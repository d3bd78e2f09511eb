"""What the benchmarks share: goals, and the cost of a command."""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

ROOT = Path(__file__).parents[1]
MET = {
    "at least": float.__ge__,
    "at most": float.__le__,
    "below": float.__lt__,
    "above": float.__gt__,
}


def judge(name: str, figure: float, words: str, bound: float, unit: str = "") -> bool:
    """Print one goal and say whether it is met; `words` is one of `MET`."""
    met = MET[words](float(figure), float(bound))
    print(
        f"goal {name}: {figure:,.4g}{unit}, wanted {words} {bound:,g}{unit} "
        f"({'met' if met else 'missed'})",
        flush=True,
    )
    return met


def fit_slope(x: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """Slope by least squares and its standard error, over points whose y is known."""
    known = np.isfinite(y)
    x, y = np.asarray(x)[known], np.asarray(y)[known]
    if len(np.unique(y)) < 2:
        return 0.0, 0.0
    (slope, _), covariance = np.polyfit(x, y, 1, cov=True)
    return float(slope), float(np.sqrt(covariance[0, 0]))


def count_bytes(path: Path) -> int:
    """Bytes of a file, or of all files of a folder; those that go while one counts are left out."""
    total = 0
    for file in [path] if path.is_file() else path.rglob("*"):
        with suppress(FileNotFoundError):
            total += file.stat().st_size if file.is_file() else 0
    return total


def surroundings() -> dict[str, str]:
    """The environment with this project on Python's path."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}


def measure(command: list[str]) -> tuple[float, float, int]:
    """Run a command; wall seconds, CPU seconds and peak memory in bytes of it and of what it waited
    for.

    A child's peak memory starts at that of the process that started it. Exits with status 2 where
    the command fails.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env=surroundings()
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace")[-2000:]
            print(f"{' '.join(command)}\nended with {child.returncode}: {said}", file=sys.stderr)
            sys.exit(2)
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
