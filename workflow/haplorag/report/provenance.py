"""What a run was made with: versions, and what jobs warned of."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

LIBRARIES = (
    "haplorag",
    "snakemake",
    "torch",
    "faiss-cpu",
    "faiss-gpu",
    "cyvcf2",
    "h5py",
    "numpy",
    "pandas",
    "matplotlib",
)


def list_warnings(folder: Path) -> dict[str, list[str]]:
    """What jobs warned of, by log file."""
    found = {}
    for path in sorted(folder.rglob("*.log")):
        lines = [
            line.partition("warning: ")[2] for line in path.read_text(errors="replace").splitlines()
        ]
        if warned := list(dict.fromkeys(line for line in lines if line)):
            found[str(path.relative_to(folder).with_suffix(""))] = warned
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
