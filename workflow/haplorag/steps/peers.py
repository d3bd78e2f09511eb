"""Imputes the test people with another tool, or takes what it imputed, at the same sites."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np

from haplorag.evaluation.other_tools import (
    ImputedSites,
    OtherTool,
    read_panel_sites,
    read_probabilities,
)
from haplorag.evaluation.predictions import create_predictions
from haplorag.io.atomic import borrowing_folder
from haplorag.io.hdf5 import creating_arrays, read_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.panel.genetic_map import read_map, write_plink_map
from haplorag.panel.samples import find_samples, read_samples
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.settings import PeerSettings
from haplorag.vcf.chromosomes import match_chromosome

log = logging.getLogger(__name__)


def peers(
    genotypes: Path,
    samples: Path,
    frequencies: Path,
    masks: Path,
    reference: Path,
    target: Path,
    output: Path,
    *,
    peer: str,
    settings: PeerSettings,
    chromosome: str,
    genetic_map: Path | None = None,
    threads: int = 1,
) -> None:
    """Write probability of ALT float16 [method, mask, person, site, 2], one method: the peer.

    NaN where nothing is hidden. `masks` holds one mask, `target` the sites that it leaves typed. A
    hidden site that the tool leaves out takes the reference's frequency and is counted. Raises
    InputError where the tool is not installed or fails.
    """
    panel = ("samples", samples), ("genotypes", genotypes), ("frequencies", frequencies)
    sources = describe_provenance(*panel, ("masks", masks))
    sites = read_panel_sites(genotypes, frequencies, chromosome)
    table = read_samples(samples)
    people = find_samples(table, "test")
    # Exports call people by their rows; a file from elsewhere has their names.
    names = list(table["sample"].iloc[people]) if settings.file else [f"p{row}" for row in people]
    drawn = read_arrays(masks, "masks", "names", "hidden")
    (mask,), (hidden,) = drawn["names"].tolist(), drawn["hidden"]
    shape = (1, 1, len(people), len(hidden), 2)
    with (
        creating_arrays(output, "predictions", sources=sources) as file,
        borrowing_folder(output) as scratch,
    ):
        create_predictions(file, [peer], [mask], people, shape)
        given_map = _write_map(genetic_map, chromosome, scratch / "plink.map")
        tool = OtherTool(settings, reference, given_map, scratch, count_threads(threads))
        found = read_probabilities(tool.impute(target), sites, names)
        file["probability"][0, 0] = _keep_hidden(found, hidden, f"{peer}, {mask}")


def _write_map(given: Path | None, chromosome: str, path: Path) -> Path | None:
    """The panel's genetic map in the one form that every tool takes, whatever its own is."""
    if given is None:
        return None
    found = read_map(given, chromosome, partial(match_chromosome, chromosome))
    write_plink_map(path, chromosome, found)
    return path


def _keep_hidden(imputed: ImputedSites, hidden: np.ndarray, what: str) -> np.ndarray:
    """Probability of ALT float32 [person, site, 2], NaN at sites that are not hidden."""
    lacking = int((hidden & ~imputed.found).sum())
    if lacking:
        log.warning(
            "%s: %d of %d hidden sites are not in the output; they count as the allele frequency",
            what,
            lacking,
            hidden.sum(),
        )
    log.info("%s: %d hidden sites", what, hidden.sum())
    return np.where(hidden[None, :, None], imputed.probability, np.nan)


if __name__ == "__main__":
    run_step(peers)
