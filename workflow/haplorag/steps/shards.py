"""Packs the reference haplotypes into one FAISS binary index for the core of each window."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from haplorag.io.hdf5 import opening_arrays
from haplorag.io.metadata import write_facts
from haplorag.io.provenance import check_provenance
from haplorag.panel.frequencies import fill_major
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.haplotypes import SHARD_SUFFIX, pack, write_shard
from haplorag.panel.samples import find_samples, read_samples
from haplorag.panel.windows import read_windows
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.logs import show_progress

log = logging.getLogger(__name__)


def shards(genotypes: Path, samples: Path, windows: Path, output: Path) -> None:
    """Write window_0000.faiss.gz and so on into a folder, and last shards.json, the table of
    contents with their checksums.

    Row 2 i + h of every index is haplotype h of the i-th reference person; bit s is the ALT allele
    at the s-th site of the window's core. A missing allele is packed as the site's major allele.
    Flanks are read from the shards beside.
    """
    sources = check_provenance(("samples", samples), ("genotypes", genotypes), ("windows", windows))
    people = find_samples(read_samples(samples), "reference")
    cut = read_windows(windows)
    entries = []
    with opening_arrays(genotypes, "genotypes") as file:
        for window, (start, stop) in enumerate(show_progress(cut.cores.tolist(), "windows")):
            haplotypes = read_haplotypes(file, np.arange(start, stop), people)
            name = f"window_{window:04d}{SHARD_SUFFIX}"
            sha256 = write_shard(output / name, pack(fill_major(haplotypes)))
            entries.append({"file": name, "first": start, "sites": stop - start, "sha256": sha256})
    facts = {"reference_haplotypes": 2 * len(people), "sources": sources, "windows": entries}
    write_facts(output / "shards.json", "shards", facts)
    size = sum((output / str(entry["file"])).stat().st_size for entry in entries)
    log.info("%d windows, %d reference haplotypes, %.1f MB", len(cut), 2 * len(people), size / 1e6)


if __name__ == "__main__":
    run_step(shards)
