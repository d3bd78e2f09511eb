"""Puts what was run, how accurate it is and where time went on one self-contained page."""

from __future__ import annotations

import json
import logging
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from haplorag.pipeline import cli as command
from haplorag.io import hdf5 as store
from haplorag.report.captions import CAPTIONS
from haplorag.pipeline.fingerprint import hash_module
from haplorag.report.html import inline_figure, write_page
from haplorag.panel.samples import read_samples
from haplorag.settings import Settings
from haplorag.report.styles import BASELINES, name_of, order_methods
from haplorag.evaluation.tables import tabulate_accuracy
from haplorag.report.costs import list_costs, read_times

log = logging.getLogger(__name__)
LIBRARIES = ("haplorag", "snakemake", "torch", "faiss-cpu", "faiss-gpu", "cyvcf2", "h5py", "numpy", "pandas", "matplotlib")


def report(
    summary: Path,
    accuracy: Path,
    samples: Path,
    relatives: Path,
    template: Path,
    output: Path,
    *,
    genotypes: list[Path],
    tallies: list[Path],
    windows: list[Path],
    figures: list[Path],
    settings: Settings,
    times: Path,
    logs: Path,
) -> None:
    """Write the report: HTML with figures, tables and styles inside, and nothing fetched. No sample's name is in it."""
    facts = store.read_facts(summary, "summary")
    people = read_samples(samples)
    table = store.read_table(accuracy, mask=str, chromosome=str, population=str, group=str)
    tallied = {path.name.removesuffix(".tally.tsv"): store.read_table(path).set_index("reason")["records"] for path in tallies}
    measured, methods = read_times(times), order_methods(list(table["method"].unique()))
    content = {
        "facts": facts,
        "sentences": [_say(mask, groups, list(facts["models"])) for mask, groups in facts["r2"].items()],
        "accuracy": [tabulate_accuracy(table, mask, methods) for mask in facts["r2"]],
        "names": {method: name_of(method) for method in methods},
        "related": store.read_table(relatives, first=str, second=str),
        "people": pd.crosstab(people["super_population"], people["role"]),
        "tallies": {name: tally.to_dict() for name, tally in tallied.items()},
        "reasons": list(dict.fromkeys(reason for tally in tallied.values() for reason in tally.index)),
        "windows": {path.stem: store.read_table(path) for path in windows},
        "figures": [(path.stem, CAPTIONS[path.stem], inline_figure(path.read_text(), path.stem)) for path in figures],
        "costs": list_costs(measured),
        "peers": list(settings.peers),
        "times": measured.groupby("rule").agg(jobs=("job", "size"), seconds=("seconds", "sum"), megabytes=("megabytes", "max")),
        "settings": json.dumps(settings.model_dump(mode="json"), indent=1),
        "versions": _list_versions(),
        "sources": {path.stem: store.read_source(path) for path in genotypes},
        "steps": {step: hash_module(f"haplorag.steps.{step}") for step in sorted(measured["rule"].unique())},
        "warnings": _list_warnings(logs),
        "rare": settings.evaluation.rare_maf,
        "best": lambda part, group: max(row.value for (_, found), row in part["r2"].items() if found == group),
    }
    length = write_page(template, output, content)
    log.info("%s: %.1f MB, %d figures", output, length / 1e6, len(figures))


def _say(mask: str, groups: dict[str, dict[str, float]], models: list[str]) -> dict[str, Any]:
    """What a mask's r2 comes to in words: the best model beside the best other method, at rare and at common sites."""
    said: dict[str, Any] = {"mask": mask}
    for group in ("rare", "common"):
        r2 = groups.get(group, {})
        ours = max((method for method in models if method in r2), key=lambda method: r2[method], default=None)
        other = max((method for method in r2 if method not in models), key=lambda method: r2[method], default=None)
        if ours and other:
            said[group] = {"ours": ours, "r2": r2[ours], "other": name_of(other), "other_r2": r2[other]}
            said[group]["more"] = 100 * (r2[ours] / r2[other] - 1) if r2[other] > 0 else float("inf")
            said[group]["baseline"] = other in BASELINES
    return said


def _list_warnings(folder: Path) -> dict[str, list[str]]:
    """What jobs warned of, by log file."""
    found = {}
    for path in sorted(folder.rglob("*.log")):
        lines = [line.partition("warning: ")[2] for line in path.read_text(errors="replace").splitlines()]
        if warned := list(dict.fromkeys(line for line in lines if line)):
            found[str(path.relative_to(folder).with_suffix(""))] = warned
    return found


def _list_versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "system": platform.platform()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except ModuleNotFoundError:
            continue
    return found


if __name__ == "__main__":
    command.run(report)
