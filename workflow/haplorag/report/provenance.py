"""What a run was made with: versions, and what jobs warned of."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from haplorag.io.tables import read_table

# How rules call the table of what a job warned of, after the name of its log.
WARNINGS = ".log.warnings.tsv"
LIBRARIES = (
    "haplorag",
    "snakemake",
    "torch",
    "faiss-cpu",
    "cyvcf2",
    "h5py",
    "numpy",
    "pandas",
    "matplotlib",
)


def list_warnings(folder: Path) -> dict[str, list[str]]:
    """What jobs warned of, each message once, by job.

    From the tables of warnings that lie beside the logs under a folder; a job is called as its log.
    """
    found = {}
    for path in sorted(folder.rglob(f"[!.]*{WARNINGS}")):
        job = str(path.relative_to(folder)).removesuffix(WARNINGS)
        found[job] = list(dict.fromkeys(read_table(path, message=str)["message"]))
    return found


def list_versions() -> dict[str, str]:
    """Versions of Python, the system and the libraries that are installed."""
    found = {"Python": platform.python_version(), "system": platform.platform()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except ModuleNotFoundError:
            continue
    return found
