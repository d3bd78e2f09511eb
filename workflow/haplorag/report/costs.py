"""Reads how long jobs took, by Snakemake's clock, and what each said at its end that it needed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.report.styles import order_methods
from haplorag.settings import PANEL_ONLY

# What a step says last; Snakemake looks at a job's CPU time and memory only now and then.
SAID = re.compile(r" took ([\d.]+) CPU seconds, (\d+) MB at the most$")
COLUMNS = ["rule", "job", "seconds", "cpu_seconds", "megabytes"]
# The jobs without which a method would have no answer for the test people: rule, and start of the
# job's name. `{method}` stands for its own.
RETRIEVAL, RATES = ("neighbours", "test/"), ("rates", "test/")
JOBS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "allele_frequency": ("counting alleles", [("frequencies", "")]),
    "nearest_haplotype": ("retrieval", [RETRIEVAL]),
    "neighbour_vote": ("retrieval", [RETRIEVAL]),
    PANEL_ONLY: (
        "estimating rates, learning to weigh the settings, imputing; the simpler methods too",
        [RATES, ("baselines", "")],
    ),
}
NETWORK = (
    "estimating rates, retrieval and network",
    [RATES, RETRIEVAL, ("predictions", "{method}/")],
)
PEER = (
    "the tool, its own form of the panel where it has one, and reading its output",
    [("compression", "{method}/"), ("peers", "{method}/")],
)


def list_costs(measured: pd.DataFrame) -> pd.DataFrame:
    """What each method took to impute the test people under all masks.

    Rows of method, what is in it, and what `add_up` says of its jobs. Methods none of whose own
    jobs (the last of its list) was measured have no row.
    """
    methods = dict(JOBS)
    for rule, shared in (("predictions", NETWORK), ("peers", PEER)):
        own = measured.loc[measured["rule"] == rule, "job"].str.split("/").str[0]
        methods |= dict.fromkeys(own.unique(), shared)
    rows = []
    for method in order_methods(list(methods)):
        what, jobs = methods[method]
        parts = [_select_jobs(measured, rule, start.format(method=method)) for rule, start in jobs]
        if len(parts[-1]):
            rows.append({"method": method, "what": what, **add_up(pd.concat(parts))})
    return pd.DataFrame(rows, columns=["method", "what", *COLUMNS[2:]])


def list_rules(measured: pd.DataFrame) -> pd.DataFrame:
    """What `add_up` says of the jobs of each rule, and how many these are, by rule."""
    rows = {rule: {"jobs": len(jobs), **add_up(jobs)} for rule, jobs in measured.groupby("rule")}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["jobs", *COLUMNS[2:]])


def add_up(jobs: pd.DataFrame) -> dict[str, float]:
    """Seconds by the clock and of CPU of all jobs, and megabytes of the largest; NaN where that is
    not known of all of them.
    """
    sums = {word: jobs[word].sum(skipna=False) for word in ("seconds", "cpu_seconds")}
    return {**sums, "megabytes": jobs["megabytes"].max(skipna=False)}


def _select_jobs(measured: pd.DataFrame, rule: str, start: str) -> pd.DataFrame:
    # What is made of everybody is for the imputer: test people are not imputed with it.
    judged = (measured["rule"] == rule) & ~measured["job"].str.startswith("everyone/")
    return measured[judged & measured["job"].str.startswith(start)]


def read_costs(times: Path, logs: Path) -> pd.DataFrame:
    """Rows of rule, job, seconds by the clock, CPU seconds, and megabytes of its largest process.

    From Snakemake's benchmarks under one folder and the logs under another, both called after rule
    and job. What a log does not say is NaN.
    """
    rows = []
    for path in sorted(times.rglob("*.tsv")):
        job = path.relative_to(times).with_suffix("")
        seconds = float(pd.read_csv(path, sep="\t")["s"].iloc[-1])
        said = _read_last_words(logs / f"{job}.log")
        rows.append((job.parts[0], "/".join(job.parts[1:]), seconds, *said))
    return pd.DataFrame(rows, columns=COLUMNS)


def _read_last_words(path: Path) -> tuple[float, float]:
    """CPU seconds and megabytes that a log ends with; NaN where it does not."""
    if not path.exists():
        return np.nan, np.nan
    lines = path.read_text(errors="replace").splitlines()
    found = SAID.search(lines[-1]) if lines else None
    return (float(found[1]), float(found[2])) if found else (np.nan, np.nan)
