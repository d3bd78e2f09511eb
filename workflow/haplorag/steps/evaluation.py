"""Judges every method at the hidden sites of the test people.

By mask, frequency of the rarer allele, population and chromosome.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import pandas as pd

from haplorag.evaluation.accumulate import (
    AccuracyAccumulator,
    TruthBlock,
    iterate_truth_blocks,
    resample_populations,
)
from haplorag.evaluation.differences import (
    choose_references,
    describe_along,
    describe_differences,
)
from haplorag.evaluation.metrics import SiteGroup, list_site_groups
from haplorag.evaluation.predictions import (
    group_by_masks,
    iterate_carriers,
    iterate_predictions,
)
from haplorag.evaluation.tables import (
    EvaluationTables,
    describe_accuracy,
    describe_calibration,
    describe_recall,
    summarise,
)
from haplorag.io.metadata import write_facts
from haplorag.io.provenance import check_provenance
from haplorag.io.tables import read_table, write_table
from haplorag.panel.samples import find_samples, read_samples
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.logs import show_progress
from haplorag.settings import EvaluationSettings
from haplorag.training.history import COLUMNS, list_epochs, read_history


def evaluation(
    tables: EvaluationTables,
    summary: Path,
    *,
    samples: Path,
    chromosomes: list[str],
    genotypes: list[Path],
    frequencies: list[Path],
    predictions: list[Path],
    prediction_chromosomes: list[str],
    histories: list[Path],
    rates: list[Path],
    draws: list[str],
    peers: list[str],
    settings: EvaluationSettings,
    seed: int,
) -> None:
    """Write the tables of the report, all long, and the few figures worth a sentence.

    `predictions` holds the files of all methods, `prediction_chromosomes` the chromosome of each;
    `rates` the tables of realised masks, those of all chromosomes for each of `draws` in turn; a
    draw may have several tables, of a mask each.
    `peers` are the methods that are other tools: the best of them is what others are set beside.
    Intervals resample people.
    """
    people = read_samples(samples)
    rows = find_samples(people, "test")
    counts = AccuracyAccumulator(resample_populations(people.iloc[rows], settings, seed))
    predicted = list(zip(prediction_chromosomes, predictions, strict=True))
    for chromosome, stored, counted in zip(chromosomes, genotypes, frequencies, strict=True):
        paths = [path for name, path in predicted if name == chromosome]
        panel = ("samples", samples), ("genotypes", stored), ("frequencies", counted)
        for alike in group_by_masks(paths):
            check_provenance(*panel, *(("predictions", path) for path in alike))
        blocks = iterate_truth_blocks(stored, counted, rows, settings)
        _count_chromosome(counts, chromosome, blocks, paths)
    models = [read_history(path) for path in histories]
    accuracy = describe_accuracy(counts.tallies, list_site_groups(settings.maf_bins))
    references = choose_references(accuracy, peers)
    write_table(tables.accuracy, accuracy)
    _write_counts(tables, counts, list_site_groups(settings.maf_bins), references)
    learned = [row for history in models for row in list_epochs(history)]
    write_table(tables.learning, pd.DataFrame(learned, columns=COLUMNS))
    write_table(tables.masks, _join_rates(rates, list(product(draws, chromosomes))))
    facts = [history.as_facts() for history in models]
    write_facts(summary, "summary", summarise(accuracy, references, people, facts))


def _count_chromosome(
    counts: AccuracyAccumulator, chromosome: str, blocks: Iterable[TruthBlock], paths: list[Path]
) -> None:
    """Count what all methods say on a chromosome, given the files of its predictions."""
    for block in show_progress(blocks, f"chromosome {chromosome}, blocks"):
        for path in paths:
            for prediction in iterate_predictions(path, block.sites):
                counts.add_prediction(chromosome, block, prediction)
            for shares in iterate_carriers(path, block.sites):
                counts.add_recall(block, shares)
    counts.log_chromosome(chromosome)


def _write_counts(
    tables: EvaluationTables,
    counts: AccuracyAccumulator,
    groups: list[SiteGroup],
    references: dict[str, str],
) -> None:
    """Write the tables that are made of counts, but for that of the accuracy."""
    differences = describe_differences(counts.tallies, groups, references)
    write_table(tables.differences, differences)
    write_table(tables.calibration, describe_calibration(counts.reliability))
    write_table(tables.recall, describe_recall(counts.recalled, groups))
    write_table(tables.along, describe_along(counts.along, references))


def _join_rates(paths: list[Path], places: list[tuple[str, str]]) -> pd.DataFrame:
    """The tables of realised masks as one, with the draw and the chromosome of each."""
    realised = [
        read_table(path, mask=str).assign(draw=draw, chromosome=chromosome)
        for path, (draw, chromosome) in zip(paths, places, strict=True)
    ]
    return pd.concat(realised)


if __name__ == "__main__":
    run_step(evaluation)
