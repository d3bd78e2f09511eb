"""Puts what was run, how accurate it is and where time went on one self-contained page."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from haplorag.evaluation.differences import read_differences
from haplorag.evaluation.tables import read_accuracy
from haplorag.io.metadata import read_facts
from haplorag.io.tables import read_table
from haplorag.panel.genotype_store import read_vcf_source
from haplorag.panel.samples import read_samples
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.fingerprint import hash_module
from haplorag.report.accuracy_table import tabulate_accuracy
from haplorag.report.costs import list_costs, list_rules, read_costs
from haplorag.report.html import read_figures, write_page
from haplorag.report.multiqc import write_accuracy_section, write_targets_section
from haplorag.report.provenance import list_versions, list_warnings
from haplorag.report.records import tabulate_tallies
from haplorag.report.sentences import describe_mask, describe_peer, speak_of_mask
from haplorag.report.styles import method_label, order_methods
from haplorag.settings import Settings

log = logging.getLogger(__name__)


def report(
    samples: Path,
    relatives: Path,
    output: Path,
    accuracy_section: Path,
    targets_section: Path,
    *,
    chromosomes: list[str],
    genotypes: list[Path],
    tallies: list[Path],
    windows: list[Path],
    figures: list[Path],
    figure_names: list[str],
    example: Path | None,
    targets: list[Path],
    target_names: list[str],
    settings: Settings,
    times: Path,
    logs: Path,
    evaluation: list[Path],
) -> None:
    """Write the report: HTML with figures, tables and styles inside, and nothing fetched.

    `evaluation` has its summary, its accuracy and its differences; it is empty where nothing was
    judged, and the report says so. No sample's name is in it. The two sections are tables for
    MultiQC. `genotypes`, `tallies` and `windows` have a file for each of `chromosomes`, `figures`
    one for each of `figure_names`, `targets` for each of `target_names`.
    """
    imputed = dict(zip(target_names, map(read_table, targets), strict=True))
    places = dict(zip(chromosomes, map(read_table, windows), strict=True))
    warned = list_warnings(logs)
    content = {
        **_describe_accuracy(evaluation, settings),
        **_describe_people(read_samples(samples), relatives),
        **_describe_records(dict(zip(chromosomes, tallies, strict=True))),
        **_describe_jobs(read_costs(times, logs)),
        **_describe_settings(settings),
        "windows": places,
        "megabases": sum(
            (one["last_bp"].max() - one["first_bp"].min()) / 1e6 for one in places.values()
        ),
        "sources": dict(zip(chromosomes, map(read_vcf_source, genotypes), strict=True)),
        "targets": imputed,
        "figures": read_figures(dict(zip(figure_names, figures, strict=True)), example),
        "versions": list_versions(),
        "warnings": warned,
        # Of relatives the job warns only where it can tell them from strangers.
        "certain": any(job.startswith("relatives/") for job in warned),
    }
    scores = read_accuracy(evaluation[1]) if evaluation else None
    write_accuracy_section(accuracy_section, scores)
    write_targets_section(targets_section, imputed)
    length = write_page("report.html.j2", output, content)
    log.info("%s: %.1f MB, %d figures", output, length / 1e6, len(figures))


def _describe_accuracy(evaluation: list[Path], settings: Settings) -> dict[str, Any]:
    """How accurate the methods are: in words, tables by mask, and names of methods."""
    if not evaluation:
        return {"judged": False, "facts": {"models": {}}, "names": {}}
    summary, accuracy, compared = evaluation
    facts, table = read_facts(summary, "summary"), read_accuracy(accuracy)
    differences = read_differences(compared)
    methods = order_methods(list(table["method"].unique()))
    masks = settings.masks.test
    told = differences, settings.imputation.model, list(facts["models"])
    said = [speak_of_mask(mask, masks[mask], r2, *told) for mask, r2 in facts["r2"].items()]
    # What a reader knows best is the array.
    said.sort(key=lambda words: masks[words.mask].strategy != "array")
    return {
        "judged": True,
        "facts": facts,
        "said": said,
        "accuracy": [
            (describe_mask(masks[mask]), tabulate_accuracy(table, differences, mask, methods))
            for mask in facts["r2"]
        ],
        "names": {method: method_label(method) for method in methods},
    }


def _describe_people(people: pd.DataFrame, relatives: Path) -> dict[str, Any]:
    """How many people there are by super-population and role, and pairs of relatives."""
    return {
        "people": pd.crosstab(people["super_population"], people["role"]),
        "related": read_table(relatives, first=str, second=str),
    }


def _describe_records(paths: dict[str, Path]) -> dict[str, Any]:
    """What became of the panel's records, and how many sites were kept."""
    tallies = {
        name: read_table(path).set_index("reason")["records"] for name, path in paths.items()
    }
    return {
        "tallies": tabulate_tallies(tallies),
        "kept": sum(int(tally["kept"]) for tally in tallies.values()),
    }


def _describe_jobs(measured: pd.DataFrame) -> dict[str, Any]:
    """What jobs cost, and the fingerprints of the code that they ran."""
    rules = sorted(measured["rule"].unique())
    return {
        "costs": list_costs(measured),
        "times": list_rules(measured),
        "steps": {rule: hash_module(f"haplorag.steps.{rule}") for rule in rules},
    }


def _describe_settings(settings: Settings) -> dict[str, Any]:
    """The configuration as text, and what of it the page speaks of."""
    return {
        "chromosomes": settings.chromosomes,
        "bootstrap": settings.evaluation.bootstrap,
        "copying": settings.li_stephens,
        "vote": settings.evaluation.vote_neighbours,
        "chromosome_heads": [f"chromosome {name}" for name in settings.chromosomes],
        "fusions": {name: settings.network[name].fusion for name in settings.models},
        "peer_words": {name: describe_peer(peer) for name, peer in settings.peers.items()},
        "peers": list(settings.peers),
        "simulated": settings.demo if settings.is_simulated else None,
        "rare": settings.evaluation.rare_maf,
        "settings": json.dumps(settings.model_dump(mode="json"), indent=1),
    }


if __name__ == "__main__":
    run_step(report)
