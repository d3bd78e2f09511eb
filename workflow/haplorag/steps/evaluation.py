"""Judges every method at the hidden sites of the test people, by mask, frequency, population and chromosome."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.pipeline import cli as command
from haplorag.io import hdf5 as store
from haplorag.io.provenance import check_family
from haplorag.masking import seed_of
from haplorag.evaluation.metrics import calibrate, count_recalled, group_sites, resample_people, tally_method
from haplorag.panel.samples import find_people, list_populations, read_samples
from haplorag.settings import Evaluation
from haplorag.evaluation.tables import cut_stretches, describe_accuracy, describe_calibration, describe_recall, list_epochs, summarise

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
    settings: Evaluation,
    seed: int,
) -> None:
    """Write the tables of the report, all long and with a method column, and the few figures worth a sentence.

    `predictions` holds the files of all methods, `rates` the tables of realised masks. Intervals resample people.
    """
    people = read_samples(samples)
    rows = find_people(people, "test")
    drawn = {
        population: (members, resample_people(len(members), settings.bootstrap, seed_of(seed, "bootstrap", population)))
        for population, members in list_populations(people.iloc[rows])
    }
    tallies: dict[tuple[str, str, str, str], np.ndarray] = {}
    reliability: dict[tuple[str, str], np.ndarray] = {}
    recalled: dict[str, np.ndarray] = {}
    stretches = []
    for chromosome, stored, known in zip(chromosomes, genotypes, frequencies, strict=True):
        arrays = store.read_arrays(known, "frequencies", "position", "frequency")
        paths = [path for path in predictions if path.stem == chromosome]
        panel = ("samples", samples), ("genotypes", stored), ("frequencies", known)
        check_family(*panel, *(("predictions", path) for path in paths))
        judged: dict[tuple[str, str], list[tuple[np.ndarray, np.ndarray]]] = {}
        for here, truth in command.show_progress(_read_truth(stored, rows), f"chromosome {chromosome}, blocks"):
            position, frequency = arrays["position"][here], arrays["frequency"][here]
            by_bin = group_sites(frequency, settings.maf_bins, settings.rare_maf)[1]
            for mask, method, sites, said in (found for path in paths for found in _read_predictions(path, here)):
                alleles, groups, minor_is_alt = truth[:, sites], by_bin[:, sites], frequency[sites] <= 0.5
                if method is None:
                    recalled[mask] = recalled.get(mask, 0) + count_recalled(said, alleles, groups, minor_is_alt)
                    continue
                for population, (members, weights) in drawn.items():
                    tally, r2 = tally_method(said[members], alleles[members], groups, minor_is_alt, weights)
                    for where in (chromosome, "all"):
                        key = mask, method, where, population
                        tallies[key] = tallies.get(key, 0) + tally
                    if population == "all":
                        judged.setdefault((mask, method), []).append((position[sites], r2))
                reliability[mask, method] = reliability.get((mask, method), 0) + calibrate(said, alleles)
        for (mask, method), parts in judged.items():
            position, r2 = (np.concatenate(part) for part in zip(*parts, strict=True))
            stretches += cut_stretches(mask, method, chromosome, position, r2)
            log.info("%s, %s, %s: mean r2 %.4f at %d sites", chromosome, mask, method, np.nanmean(r2), len(r2))
    trained = [store.read_facts(path, "history") for path in histories]
    names = group_sites(np.zeros(0), settings.maf_bins, settings.rare_maf)[0]
    table = pd.concat([describe_accuracy(key, tally, names) for key, tally in tallies.items()], ignore_index=True)
    store.write_table(accuracy, table)
    store.write_table(calibration, describe_calibration(reliability))
    store.write_table(recall, describe_recall(recalled, names))
    store.write_table(along, pd.DataFrame(stretches))
    store.write_table(learning, pd.DataFrame([row for facts in trained for row in list_epochs(facts)]))
    realised = {(path.parent.name, path.stem): store.read_table(path, mask=str) for path in rates}
    by_draw = ["draw", "chromosome"]
    store.write_table(masks, pd.concat(realised, names=by_draw).reset_index(by_draw))
    store.write_facts(summary, "summary", summarise(table, people, trained))


def _read_truth(path: Path, rows: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Stretches of sites, and alleles int8 [person, site, 2] there."""
    with store.opening_arrays(path, "genotypes") as file:
        start = 0
        for calls in store.read_blocks(file, np.arange(len(file["variants/POS"]))):
            yield slice(start, start + len(calls)), calls[:, rows].swapaxes(0, 1)
            start += len(calls)


def _read_predictions(path: Path, here: slice) -> Iterator[tuple[str, str | None, np.ndarray, np.ndarray]]:
    """Mask, method, which sites of a stretch are hidden, and probability of ALT float32 [person, site, 2] at these.

    Where a file has it, the share of neighbours that carry ALT comes as that of no method.
    """
    with store.opening_arrays(path, "predictions") as file:
        methods = store.get_array(file, "methods")
        for row, mask in enumerate(store.get_array(file, "masks")):
            found = [(method, file["probability"][number, row, :, here]) for number, method in enumerate(methods)]
            found += [(None, file["carriers"][row, :, here])] if "carriers" in file else []
            for method, said in found:
                sites = np.flatnonzero(~np.isnan(said[0, :, 0]))
                if len(sites):
                    yield mask, method, sites, said[:, sites].astype(np.float32)


if __name__ == "__main__":
    command.run(evaluation)
