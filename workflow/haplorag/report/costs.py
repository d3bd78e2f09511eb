"""Reads what Snakemake measured of each job."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from haplorag.report.styles import order_methods
from haplorag.settings import PANEL_ONLY

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

    Rows of method, what is in it, seconds of all jobs, and megabytes of the largest. Methods none
    of whose own jobs (the last of its list) was measured have no row.
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
            used = pd.concat(parts)
            cost = {"seconds": used["seconds"].sum(), "megabytes": used["megabytes"].max()}
            rows.append({"method": method, "what": what, **cost})
    return pd.DataFrame(rows, columns=["method", "what", "seconds", "megabytes"])


def _select_jobs(measured: pd.DataFrame, rule: str, start: str) -> pd.DataFrame:
    # What is made of everybody is for the imputer: test people are not imputed with it.
    judged = (measured["rule"] == rule) & ~measured["job"].str.startswith("everyone/")
    return measured[judged & measured["job"].str.startswith(start)]


def read_benchmarks(folder: Path) -> pd.DataFrame:
    """Rows of rule, job, seconds and megabytes (peak resident memory) of Snakemake's benchmarks.

    Its files lie under the folder, called after rule and job.
    """
    rows = []
    for path in sorted(folder.rglob("*.tsv")):
        measured = pd.read_csv(path, sep="\t", na_values="-").iloc[-1]
        job = path.relative_to(folder).with_suffix("")
        megabytes = float(measured["max_rss"]) if pd.notna(measured["max_rss"]) else 0.0
        rows.append(
            {
                "rule": job.parts[0],
                "job": "/".join(job.parts[1:]),
                "seconds": float(measured["s"]),
                "megabytes": megabytes,
            }
        )
    return pd.DataFrame(rows, columns=["rule", "job", "seconds", "megabytes"])
