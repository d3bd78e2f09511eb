"""Judges every method at the hidden sites of the test people, by mask, frequency, population and chromosome."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.evaluation.bootstrap import resample_people
from haplorag.evaluation.metrics import bin_reliability, count_recalled, group_by_maf, tally_method
from haplorag.evaluation.predictions import iterate_predictions
from haplorag.evaluation.tables import (
    average_along,
    describe_accuracy,
    describe_calibration,
    describe_recall,
    summarise,
)
from haplorag.io.hdf5 import read_arrays
from haplorag.io.metadata import read_facts, write_facts
from haplorag.io.provenance import check_provenance
from haplorag.io.tables import read_table, write_table
from haplorag.panel.genotype_store import iterate_truth
from haplorag.panel.samples import find_samples, list_populations, read_samples
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.logs import show_progress
from haplorag.seeding import seed_of
from haplorag.settings import EvaluationSettings
from haplorag.training.history import list_epochs

log = logging.getLogger(__name__)


def evaluation(
    accuracy: Path,
    calibration: Path,
    along: Path,
    learning: Path,
    masks: Path,
    recall: Path,
    summary: Path,
    *,
    samples: Path,
    chromosomes: list[str],
    genotypes: list[Path],
    frequencies: list[Path],
    predictions: list[Path],
    histories: list[Path],
    rates: list[Path],
    settings: EvaluationSettings,
    seed: int,
) -> None:
    """Write the tables of the report, all long and with a method column, and the few figures worth a sentence.

    `predictions` holds the files of all methods, `rates` the tables of realised masks. Intervals resample people.
    """
    people = read_samples(samples)
    rows = find_samples(people, "test")
    drawn = {
        population: (
            members,
            resample_people(
                len(members), settings.bootstrap, seed_of(seed, "bootstrap", population)
            ),
        )
        for population, members in list_populations(people.iloc[rows])
    }
    tallies: dict[tuple[str, str, str, str], np.ndarray] = {}
    reliability: dict[tuple[str, str], np.ndarray] = {}
    recalled: dict[str, np.ndarray] = {}
    stretches = []
    for chromosome, stored, known in zip(chromosomes, genotypes, frequencies, strict=True):
        arrays = read_arrays(known, "frequencies", "position", "frequency")
        paths = [path for path in predictions if path.stem == chromosome]
        panel = ("samples", samples), ("genotypes", stored), ("frequencies", known)
        check_provenance(*panel, *(("predictions", path) for path in paths))
        judged: dict[tuple[str, str], list[tuple[np.ndarray, np.ndarray]]] = {}
        for here, truth in show_progress(
            iterate_truth(stored, rows), f"chromosome {chromosome}, blocks"
        ):
            position, frequency = arrays["position"][here], arrays["frequency"][here]
            by_bin = group_by_maf(frequency, settings.maf_bins, settings.rare_maf)[1]
            for mask, method, sites, said in (
                found for path in paths for found in iterate_predictions(path, here)
            ):
                alleles, groups, minor_is_alt = (
                    truth[:, sites],
                    by_bin[:, sites],
                    frequency[sites] <= 0.5,
                )
                if method is None:
                    recalled[mask] = recalled.get(mask, 0) + count_recalled(
                        said, alleles, groups, minor_is_alt
                    )
                    continue
                for population, (members, weights) in drawn.items():
                    tally, r2 = tally_method(
                        said[members], alleles[members], groups, minor_is_alt, weights
                    )
                    for where in (chromosome, "all"):
                        key = mask, method, where, population
                        tallies[key] = tallies.get(key, 0) + tally
                    if population == "all":
                        judged.setdefault((mask, method), []).append((position[sites], r2))
                reliability[mask, method] = reliability.get((mask, method), 0) + bin_reliability(
                    said, alleles
                )
        for (mask, method), parts in judged.items():
            position, r2 = (np.concatenate(part) for part in zip(*parts, strict=True))
            stretches += average_along(mask, method, chromosome, position, r2)
            log.info(
                "%s, %s, %s: mean r2 %.4f at %d sites",
                chromosome,
                mask,
                method,
                np.nanmean(r2),
                len(r2),
            )
    trained = [read_facts(path, "history") for path in histories]
    names = group_by_maf(np.zeros(0), settings.maf_bins, settings.rare_maf)[0]
    table = pd.concat(
        [describe_accuracy(key, tally, names) for key, tally in tallies.items()], ignore_index=True
    )
    write_table(accuracy, table)
    write_table(calibration, describe_calibration(reliability))
    write_table(recall, describe_recall(recalled, names))
    write_table(along, pd.DataFrame(stretches))
    write_table(learning, pd.DataFrame([row for facts in trained for row in list_epochs(facts)]))
    realised = {(path.parent.name, path.stem): read_table(path, mask=str) for path in rates}
    by_draw = ["draw", "chromosome"]
    write_table(masks, pd.concat(realised, names=by_draw).reset_index(by_draw))
    write_facts(summary, "summary", summarise(table, people, trained))


if __name__ == "__main__":
    run_step(evaluation)
