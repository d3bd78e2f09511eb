"""Reads what Snakemake measured of each job."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def read_times(folder: Path) -> pd.DataFrame:
    """Rows of rule, job, seconds and megabytes (peak resident memory) from the benchmark files under a folder."""
    rows = []
    for path in sorted(folder.rglob("*.tsv")):
        measured = pd.read_csv(path, sep="\t", na_values="-").iloc[-1]
        job = path.relative_to(folder).with_suffix("")
        megabytes = float(measured["max_rss"]) if pd.notna(measured["max_rss"]) else 0.0
        rows.append(
            {"rule": job.parts[0], "job": "/".join(job.parts[1:]), "seconds": float(measured["s"]), "megabytes": megabytes}
        )
    return pd.DataFrame(rows, columns=["rule", "job", "seconds", "megabytes"])
