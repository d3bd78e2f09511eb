"""Judges every method at the hidden sites of the test people, by mask, frequency, population and chromosome."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag import command, store
from haplorag.masking import seed_of
from haplorag.metrics import calibrate, count_recalled, group_sites, resample_people, tally_method
from haplorag.people import find_people, read_samples
from haplorag.settings import Evaluation
from haplorag.tables import cut_stretches, describe_accuracy, describe_calibration, describe_recall, list_epochs, summarise

log = logging.getLogger(__name__)
SITES_TOGETHER = 4096


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
    tallies: dict[tuple[str, str, str, str], np.ndarray] = {}
    reliability: dict[tuple[str, str], np.ndarray] = {}
    recalled: dict[str, np.ndarray] = {}
    stretches = []
    for chromosome, stored, known in zip(chromosomes, genotypes, frequencies, strict=True):
        arrays = store.read_arrays(known, "frequencies", "position", "frequency")
        truth = _read_alleles(stored, rows)
        for path in (path for path in predictions if path.stem == chromosome):
            for mask, sites, carriers in _read_carriers(path):
                frequency = arrays["frequency"][sites]
                groups = group_sites(frequency, settings.maf_bins, settings.rare_maf)[1]
                counts = count_recalled(carriers, truth[:, sites], groups, frequency <= 0.5)
                recalled[mask] = recalled.get(mask, 0) + counts
            for mask, method, sites, probability in _read_methods(path):
                alleles = truth[:, sites]
                groups = group_sites(arrays["frequency"][sites], settings.maf_bins, settings.rare_maf)[1]
                minor_is_alt = arrays["frequency"][sites] <= 0.5
                for population, members in _list_populations(people.iloc[rows]):
                    weights = resample_people(len(members), settings.bootstrap, seed_of(seed, "bootstrap", population))
                    tally, r2 = tally_method(probability[members], alleles[members], groups, minor_is_alt, weights)
                    for where in (chromosome, "all"):
                        key = mask, method, where, population
                        tallies[key] = tallies.get(key, 0) + tally
                    if population == "all":
                        stretches += cut_stretches(mask, method, chromosome, arrays["position"][sites], r2)
                        log.info("%s, %s, %s: mean r2 %.4f at %d sites", chromosome, mask, method, np.nanmean(r2), len(r2))
                reliability[mask, method] = reliability.get((mask, method), 0) + calibrate(probability, alleles)
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


def _read_alleles(path: Path, rows: np.ndarray) -> np.ndarray:
    with store.opening_arrays(path, "genotypes") as file:
        calls = file["calldata/GT"]
        blocks = [calls[start : start + SITES_TOGETHER][:, rows] for start in range(0, len(calls), SITES_TOGETHER)]
    return np.concatenate(blocks).swapaxes(0, 1)


def _read_methods(path: Path) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Mask, method, hidden sites, and probability of ALT float32 [person, site, 2]."""
    with store.opening_arrays(path, "predictions") as file:
        for mask_row, mask in enumerate(store.get_array(file, "masks")):
            for method_row, method in enumerate(store.get_array(file, "methods")):
                probability = file["probability"][method_row, mask_row]
                sites = np.flatnonzero(~np.isnan(probability[0, :, 0]))
                if len(sites):
                    yield mask, method, sites, probability[:, sites].astype(np.float32)


def _read_carriers(path: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Mask, hidden sites and share of neighbours with ALT [person, site, 2], where a file tells of them."""
    with store.opening_arrays(path, "predictions") as file:
        for row, mask in enumerate(store.get_array(file, "masks") if "carriers" in file else ()):
            carriers = file["carriers"][row]
            sites = np.flatnonzero(~np.isnan(carriers[0, :, 0]))
            if len(sites):
                yield mask, sites, carriers[:, sites]


def _list_populations(people: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    yield "all", np.arange(len(people))
    for population in sorted(people["super_population"].unique()):
        yield population, np.flatnonzero(people["super_population"] == population)


if __name__ == "__main__":
    command.run(evaluation)
