"""What a cluster is asked for, how many jobs it gets, what may run beside what; and a real Slurm of
one node.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from one_node import list_jobs, one_node
from support import ROOT, SEED

GENOME = [str(number) for number in range(1, 23)]
SLURM = ("--workflow-profile", "profiles/slurm")


def snakemake(
    folder: Path, *arguments: str, variables=os.environ, **config
) -> subprocess.CompletedProcess:
    """Run the tiny pipeline from this checkout; what it makes and what it notes lies in a folder."""
    config = {"results": str(folder / "results"), **config}
    values = [
        f"{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in config.items()
    ]
    command = [
        "snakemake",
        *arguments,
        "--directory",
        str(folder),
        "--configfile",
        "tests/tiny.yaml",
        "--config",
        *values,
    ]
    environment = {key: value for key, value in variables.items() if key != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
    )


def read_plan(done: subprocess.CompletedProcess) -> tuple[int, int]:
    """Jobs of a plan, and submissions: a group is one. The targets themselves are never submitted."""
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    alone, grouped = (
        re.findall(rf"^{indent}rule (?!all:)\w+:", done.stdout, re.M) for indent in ("", "    ")
    )
    groups = re.findall(r"Group job \w+ \(", done.stdout)
    return len(alone) + len(grouped), len(alone) + len(groups)


@pytest.mark.skipif(
    not importlib.util.find_spec("snakemake_executor_plugin_slurm"),
    reason="pip install -r envs/slurm.txt",
)
def test_a_genome_is_hundreds_of_submissions(tmp_path):
    jobs, submitted = read_plan(snakemake(tmp_path, *SLURM, "--dry-run", chromosomes=GENOME))
    # Three jobs that prepare a chromosome are one, of the reference and of everybody, two of each
    # of its five draws, and the ten plots go with the report.
    assert jobs < 700
    assert jobs - submitted == 22 * (2 + 2 + 5) + 10


def test_one_machine_runs_every_job_for_itself(tmp_path):
    jobs, submitted = read_plan(
        snakemake(tmp_path, "--workflow-profile", "profiles/local-gpu", "--dry-run")
    )
    assert jobs == submitted > 40


def test_what_is_asked_for_grows_with_the_input_and_the_attempt(tmp_path):
    results = tmp_path / "results"
    for name, size in {
        "genotypes/1.h5": 40_000_000,
        "genotypes/1.tally.tsv": 0,
        "samples/samples.tsv": 0,
    }.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).touch()
        os.truncate(results / name, size)
    only = ["--allowed-rules", "frequencies", "--cores", "1", "--retries", "1"]
    done = snakemake(tmp_path, str(results / "frequencies/1.h5"), *only)
    asked = [int(found) for found in re.findall(r"mem_mb=(\d+)", done.stdout + done.stderr)]
    assert done.returncode and len(asked) >= 2
    assert min(asked) > 900 and max(asked) == 2 * min(asked)


def test_the_next_epochs_are_prepared_while_one_trains(tmp_path):
    dag = snakemake(tmp_path, "--cores", "2", "--dag").stdout
    rule = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)', dag, re.M))
    needs = defaultdict(set)
    for before, after in re.findall(r"^\s*(\d+) -> (\d+)", dag, re.M):
        needs[after].add(before)

    def ancestors(job):
        return set().union(*({before} | ancestors(before) for before in needs[job]))

    behind = {
        rule[before]
        for job, name in rule.items()
        if name == "neighbours"
        for before in ancestors(job)
    }
    assert behind == {"demo", "samples", "genotypes", "frequencies", "windows", "shards", "masks"}


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    if not importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("pip install -r envs/slurm.txt")
    with one_node(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.mark.cluster
def test_slurm_takes_a_group_as_one_job_gives_a_gpu_and_more_memory_after_a_kill(
    slurm, simulated, tmp_path
):
    results = tmp_path / "results"
    shutil.copytree(simulated.folder, results)
    targets = [results / "training/copying/000/history.json", results / "neighbours/002/1.h5"]
    here = [
        "--max-threads",
        "1",
        "--latency-wait",
        "5",
        "--slurm-init-seconds-before-status-checks",
        "1",
    ]
    # This Slurm has no accounting, and its partition takes no job of more than an hour.
    here += ["--slurm-status-command", "squeue", "--resources", "runtime=60"]
    scarce = ["--set-resources", "untrained:mem_mb=150 * attempt ** 4"]
    only = {"chromosomes": ["1"], "models": ["copying"], "seed": SEED}
    done = snakemake(tmp_path, *map(str, targets), *SLURM, *here, *scarce, variables=slurm, **only)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert all(target.exists() for target in targets)
    jobs = [
        (job["JobState"], job.get("TresPerJob"), job["MinMemoryNode"], job["TimeLimit"])
        for job in list_jobs(slurm)
    ]
    assert [job for job in jobs if job[1]] == [
        ("FAILED", "gres:gpu:1", "150M", "00:31:00"),
        ("COMPLETED", "gres:gpu:1", "2400M", "01:00:00"),
    ]
    # Masks and neighbours together, their times added up.
    assert [(state, limit) for state, gpu, _, limit in jobs if not gpu] == [
        ("COMPLETED", "00:32:00")
    ]
