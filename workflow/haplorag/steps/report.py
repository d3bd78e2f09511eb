"""Puts what was run, how accurate it is and where time went on one self-contained page."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from haplorag.io.metadata import read_facts
from haplorag.io.tables import read_table
from haplorag.panel.genotype_store import read_vcf_source
from haplorag.panel.samples import read_samples
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.fingerprint import hash_module
from haplorag.report.accuracy_table import tabulate_accuracy
from haplorag.report.captions import CAPTIONS
from haplorag.report.costs import list_costs, read_benchmarks
from haplorag.report.html import inline_figure, write_page
from haplorag.report.provenance import list_versions, list_warnings
from haplorag.report.styles import BASELINES, method_label, order_methods
from haplorag.settings import Settings

log = logging.getLogger(__name__)


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
    facts = read_facts(summary, "summary")
    people = read_samples(samples)
    table = read_table(accuracy, mask=str, chromosome=str, population=str, group=str)
    tallied = {
        path.name.removesuffix(".tally.tsv"): read_table(path).set_index("reason")["records"]
        for path in tallies
    }
    measured, methods = read_benchmarks(times), order_methods(list(table["method"].unique()))
    content = {
        "facts": facts,
        "sentences": [
            _say(mask, groups, list(facts["models"])) for mask, groups in facts["r2"].items()
        ],
        "accuracy": [tabulate_accuracy(table, mask, methods) for mask in facts["r2"]],
        "names": {method: method_label(method) for method in methods},
        "related": read_table(relatives, first=str, second=str),
        "people": pd.crosstab(people["super_population"], people["role"]),
        "tallies": {name: tally.to_dict() for name, tally in tallied.items()},
        "reasons": list(
            dict.fromkeys(reason for tally in tallied.values() for reason in tally.index)
        ),
        "windows": {path.stem: read_table(path) for path in windows},
        "figures": [
            (path.stem, CAPTIONS[path.stem], inline_figure(path.read_text(), path.stem))
            for path in figures
        ],
        "costs": list_costs(measured),
        "peers": list(settings.peers),
        "times": measured.groupby("rule").agg(
            jobs=("job", "size"), seconds=("seconds", "sum"), megabytes=("megabytes", "max")
        ),
        "settings": json.dumps(settings.model_dump(mode="json"), indent=1),
        "versions": list_versions(),
        "sources": {path.stem: read_vcf_source(path) for path in genotypes},
        "steps": {
            step: hash_module(f"haplorag.steps.{step}")
            for step in sorted(measured["rule"].unique())
        },
        "warnings": list_warnings(logs),
        "rare": settings.evaluation.rare_maf,
        "best": lambda part, group: max(
            row.value for (_, found), row in part["r2"].items() if found == group
        ),
    }
    length = write_page(template, output, content)
    log.info("%s: %.1f MB, %d figures", output, length / 1e6, len(figures))


def _say(mask: str, groups: dict[str, dict[str, float]], models: list[str]) -> dict[str, Any]:
    """What a mask's r2 comes to in words: the best model beside the best other method, at rare and at common sites."""
    said: dict[str, Any] = {"mask": mask}
    for group in ("rare", "common"):
        r2 = groups.get(group, {})
        ours = max(
            (method for method in models if method in r2),
            key=lambda method: r2[method],
            default=None,
        )
        other = max(
            (method for method in r2 if method not in models),
            key=lambda method: r2[method],
            default=None,
        )
        if ours and other:
            said[group] = {
                "ours": ours,
                "r2": r2[ours],
                "other": method_label(other),
                "other_r2": r2[other],
            }
            said[group]["more"] = (
                100 * (r2[ours] / r2[other] - 1) if r2[other] > 0 else float("inf")
            )
            said[group]["baseline"] = other in BASELINES
    return said


if __name__ == "__main__":
    run_step(report)
