"""Imputes the test people with another tool, or takes what it imputed, at the same hidden sites."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from haplorag.evaluation.other_tools import run_tool
from haplorag.evaluation.predictions import create_predictions
from haplorag.io.atomic import borrowing_folder
from haplorag.io.hdf5 import creating_arrays, read_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.panel.samples import find_samples, read_samples
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.settings import PeerSettings
from haplorag.vcf.dosages import read_imputed

log = logging.getLogger(__name__)


def peers(
    genotypes: Path,
    samples: Path,
    frequencies: Path,
    masks: Path,
    reference: Path,
    output: Path,
    *,
    targets: list[Path],
    peer: str,
    settings: PeerSettings,
    chromosome: str,
    genetic_map: Path | None = None,
    threads: int = 1,
) -> None:
    """Write probability of ALT float16 [method, mask, person, site, 2], one method: the peer; NaN where nothing is hidden.

    A hidden site that the tool leaves out takes the reference's frequency and is counted. Raises InputError where the tool
    is not installed or fails.
    """
    panel = ("samples", samples), ("genotypes", genotypes), ("frequencies", frequencies)
    sources = describe_provenance(*panel, ("masks", masks))
    drawn = read_arrays(masks, "masks")
    arrays = read_arrays(genotypes, "genotypes", "variants/POS", "variants/REF", "variants/ALT")
    sites = {
        key: row
        for row, key in enumerate(
            zip(*(values.tolist() for values in arrays.values()), strict=True)
        )
    }
    frequency = read_arrays(frequencies, "frequencies", "frequency")["frequency"]
    people = find_samples(read_samples(samples), "test")
    shape = (1, len(drawn["names"]), len(people), len(frequency), 2)
    threads = count_threads(threads)
    with (
        creating_arrays(output, "predictions", sources=sources) as file,
        borrowing_folder(output) as scratch,
    ):
        create_predictions(file, [peer], drawn["names"].tolist(), people, shape)
        for row, mask in enumerate(drawn["names"].tolist()):
            hidden = drawn["hidden"][row]
            target = next(path for path in targets if path.name == f"{mask}.vcf.gz")
            if settings.file:
                imputed = Path(settings.file.replace("{mask}", mask))
                names = None
            else:
                imputed = run_tool(settings, reference, target, genetic_map, scratch, threads)
                names = [f"p{person}" for person in people]
            probability = np.broadcast_to(frequency[None, :, None], shape[2:]).copy()
            found = read_imputed(
                imputed, chromosome, sites, names or _names_of(samples, people), probability
            )
            lacking = int((hidden & ~found).sum())
            if lacking:
                log.warning("%s, %s: %d of %d hidden sites are not in the output; they count as the allele frequency",
                            peer, mask, lacking, hidden.sum())  # fmt: skip
            probability[:, ~hidden] = np.nan
            file["probability"][0, row] = probability
            log.info("%s, %s: %d hidden sites", peer, mask, hidden.sum())


def _names_of(samples: Path, rows: np.ndarray) -> list[str]:
    return read_samples(samples)["sample"].iloc[rows].tolist()


if __name__ == "__main__":
    run_step(peers)
