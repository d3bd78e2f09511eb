"""Do memory, open files and disk stay as they are, epoch after epoch?

    python benchmarks/soak.py --epochs 30

Simulates the panel of tests/tiny.yaml, trains `copying` on one chromosome of it, and watches while
Snakemake runs: the peak memory of each epoch's job, the files that it and Snakemake hold open, the
bytes that an epoch leaves. A figure is flat where its slope over the epochs is within three
standard errors of none. Exits 1 where a goal is missed, 2 where the run fails.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil

from goals import ROOT, count_bytes, fit_slope, judge

MODEL, CHROMOSOME = "copying", "1"
SECONDS = 0.25  # between two looks
STANDARD_ERRORS = 3
STAYS = {".snakemake_timestamp", ".lock"}
COLUMNS = {
    "seconds": "of the training job",
    "peak_mb": "peak memory of the training job, as the kernel counts it (metrics.tsv)",
    "seen_mb": "most memory of the epoch's jobs, as Snakemake samples it (benchmarks/, max_rss)",
    "files": "most files open in the training job",
    "main_files": "files open in Snakemake when the epoch ended",
    "main_mb": "memory of Snakemake then",
    "weights_kb": "weights, best weights and the optimiser's state",
    "history_kb": "history.json and metrics.tsv",
    "masks_kb": "masks of the draw, with their table",
    "neighbours_kb": "neighbours of the draw",
    "all_mb": "all under results/ and .snakemake/ when the epoch ended",
}
FLAT = ("peak_mb", "seen_mb", "files", "main_files", "weights_kb", "masks_kb", "neighbours_kb")
GROWING = ("main_mb", "history_kb", "all_mb")


def main() -> None:
    """Run, watch, print the table and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    if given.epochs < 4:
        parser.error("a slope with its error needs four epochs; raise --epochs")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        seen = watch(folder, given.epochs, given.cores)
        table = pd.DataFrame(
            [
                {"epoch": epoch, **seen[epoch], **read(folder, epoch)}
                for epoch in range(1, given.epochs + 1)
            ]
        )
        hidden = [path for path in (folder / "results").rglob(".*") if path.is_file()]
        left = [
            path
            for path in hidden
            if path.name not in STAYS and not path.name.startswith(".sha256.")
        ]
    print(
        table[["epoch", *COLUMNS]].to_string(
            index=False, float_format=lambda value: f"{value:.1f}"
        ),
        end="\n\n",
    )
    print(*(f"{name:15}{words}" for name, words in COLUMNS.items()), sep="\n", end="\n\n")
    for name in GROWING:
        print(f"{name} grows by {fit_slope(table['epoch'], table[name])[0]:.3g} an epoch")
    goals = []
    for name in FLAT:
        slope, error = fit_slope(table["epoch"], table[name])
        print(
            f"{name}: {table[name].mean():.4g} on average, {slope:+.2g} an epoch, standard error "
            f"{error:.2g}"
        )
        goals.append(
            (
                f"{name} is flat",
                in_errors(slope, error),
                "at most",
                STANDARD_ERRORS,
                " standard errors",
            )
        )
    goals.append(("temporary files left", len(left), "at most", 0))
    sys.exit(1 if sum(not judge(*goal) for goal in goals) else 0)


def watch(folder: Path, epochs: int, cores: int) -> dict[int, dict[str, float]]:
    """Run Snakemake up to the last epoch; by epoch, what shows only while it runs. Exits with
    status 2 where it fails.
    """
    results = folder / "results"
    training = {"epochs": epochs, "patience": epochs}
    values = {
        "results": str(results),
        "models": [MODEL],
        "chromosomes": [CHROMOSOME],
        "training": training,
    }
    target = results / f"training/{MODEL}/{epochs:03d}/history.json"
    command = [
        sys.executable,
        "-m",
        "snakemake",
        str(target),
        "--snakefile",
        str(ROOT / "workflow/Snakefile"),
        "--cores",
        str(cores),
    ]
    command += [
        "--directory",
        str(folder),
        "--configfile",
        str(ROOT / "tests/tiny.yaml"),
        "--config",
    ]
    command += [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in values.items()
    ]
    # Jobs call `python`: let it be this one.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    seen: dict[int, dict[str, float]] = defaultdict(lambda: {"files": 0})
    with (folder / "log").open("w") as log:
        running = psutil.Popen(command, stdout=log, stderr=log, env={**os.environ, "PATH": path})
        while running.poll() is None:
            look(running, folder, seen)
            time.sleep(SECONDS)
    if running.returncode:
        print((folder / "log").read_text()[-3000:], file=sys.stderr)
        sys.exit(2)
    return seen


def look(running: psutil.Process, folder: Path, seen: dict[int, dict[str, float]]) -> None:
    """Count the open files of training jobs; where an epoch has just ended, those of Snakemake, and
    the disk in use.
    """
    # Processes end while one looks at them.
    with suppress(psutil.Error):
        for child in running.children(recursive=True):
            with suppress(psutil.Error):
                words = child.cmdline()
                if "haplorag.steps.training" in words:
                    epoch = int(words[words.index("--epoch") + 1])
                    seen[epoch]["files"] = max(seen[epoch]["files"], child.num_fds())
        for history in (folder / f"results/training/{MODEL}").glob("*/history.json"):
            here = seen[int(history.parent.name)]
            if "all_mb" not in here:
                here["main_files"], here["main_mb"] = (
                    running.num_fds(),
                    running.memory_info().rss / 1e6,
                )
                here["all_mb"] = (
                    count_bytes(folder / "results") + count_bytes(folder / ".snakemake")
                ) / 1e6


def read(folder: Path, epoch: int) -> dict[str, float]:
    """What an epoch leaves: its costs as written down, and bytes."""
    results, name = folder / "results", f"{epoch:03d}"
    trained, times = results / f"training/{MODEL}/{name}", results / "benchmarks"
    jobs = (
        times / f"training/{MODEL}/{name}.tsv",
        *(times / f"{rule}/{name}/{CHROMOSOME}.tsv" for rule in ("masks", "neighbours")),
    )
    costs = pd.read_csv(trained / "metrics.tsv", sep="\t").set_index("metric")["value"]
    states = ("weights.safetensors", "best.safetensors", "state.pt")
    return {
        "seconds": costs["seconds"],
        "peak_mb": costs["peak_memory_mb"],
        "seen_mb": max(
            pd.read_csv(path, sep="\t", na_values="-")["max_rss"].max() for path in jobs
        ),
        "weights_kb": sum((trained / state).stat().st_size for state in states) / 1e3,
        "history_kb": sum(
            (trained / fact).stat().st_size for fact in ("history.json", "metrics.tsv")
        )
        / 1e3,
        "masks_kb": count_bytes(results / "masks" / name) / 1e3,
        "neighbours_kb": count_bytes(results / "neighbours" / name) / 1e3,
    }


def in_errors(slope: float, error: float) -> float:
    """Size of a slope in standard errors; where there is no scatter, any slope is beyond all of
    them.
    """
    return abs(slope) / error if error else math.inf if slope else 0.0


if __name__ == "__main__":
    main()
