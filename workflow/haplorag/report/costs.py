"""Reads what Snakemake measured of each job."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

# What imputing the test people takes, by the rules whose jobs do it.
WHAT = {
    "predictions": "all masks, retrieval and network",
    "peers": "all masks, tool and reading its output",
}


def list_costs(measured: pd.DataFrame) -> pd.DataFrame:
    """What each model and each other tool took to impute the test people.

    Rows of method, what is in it, seconds of all jobs, and megabytes. A model's cost has the
    retrieval of the test people's neighbours in it.
    """
    is_retrieval = (measured["rule"] == "neighbours") & measured["job"].str.startswith("test/")
    rows = []
    for rule, what in WHAT.items():
        jobs = measured[measured["rule"] == rule]
        for method in jobs["job"].str.split("/").str[0].unique():
            own = jobs[jobs["job"].str.startswith(f"{method}/")]
            if rule == "predictions":
                own = pd.concat([own, measured[is_retrieval]])
            cost = {"seconds": own["seconds"].sum(), "megabytes": own["megabytes"].max()}
            rows.append({"method": method, "what": what, **cost})
    return pd.DataFrame(rows, columns=["method", "what", "seconds", "megabytes"])


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
