"""Packs the reference haplotypes into one FAISS binary index for the core of each window."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from haplorag.alleles import ABSENT, pack_sites
from haplorag.io.hdf5 import opening_arrays
from haplorag.io.metadata import write_facts
from haplorag.io.provenance import check_provenance
from haplorag.panel.frequencies import fill_major
from haplorag.panel.genotype_store import read_calls, read_ploidy
from haplorag.panel.haplotypes import SHARD_SUFFIX, write_shard
from haplorag.panel.ploidy import Ploidy
from haplorag.panel.samples import find_samples, read_samples
from haplorag.panel.windows import read_windows
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.logs import show_progress

log = logging.getLogger(__name__)


def shards(genotypes: Path, samples: Path, windows: Path, output: Path) -> None:
    """Write window_0000.faiss.gz and so on into a folder, and last shards.json, the table of
    contents with their checksums.

    The rows of an index are the haplotypes of the reference people, person by person: two of each,
    and one of who has no more there, as shards.json says. Bit s is the ALT allele at the s-th site
    of the window's core. A missing allele is packed as the site's major allele.
    Flanks are read from the shards beside.
    """
    sources = check_provenance(("samples", samples), ("genotypes", genotypes), ("windows", windows))
    people = find_samples(read_samples(samples), "reference")
    cut = read_windows(windows)
    entries = []
    with opening_arrays(genotypes, "genotypes") as file:
        ploidy = read_ploidy(file).take(people)
        for window, (start, stop) in enumerate(show_progress(cut.cores.tolist(), "windows")):
            packed = _pack_window(read_calls(file, np.arange(start, stop), people))
            name = f"window_{window:04d}{SHARD_SUFFIX}"
            sha256 = write_shard(output / name, packed)
            entries.append({"file": name, "first": start, "sites": stop - start, "sha256": sha256})
    most = int(ploidy.count_haplotypes().max())
    facts = {
        "people": len(people),
        "reference_haplotypes": most,
        "stretches": _list_stretches(ploidy),
        "sources": sources,
        "windows": entries,
    }
    write_facts(output / "shards.json", "shards", facts)
    size = sum((output / str(entry["file"])).stat().st_size for entry in entries)
    log.info("%d windows, %d reference haplotypes, %.1f MB", len(cut), most, size / 1e6)


def _pack_window(calls: np.ndarray) -> np.ndarray:
    """Haplotypes that there are, as bits uint8 [N, bytes], of alleles int8 [S, n, 2]."""
    alleles = calls.reshape(len(calls), -1)
    if alleles.min(initial=0) < 0:
        alleles = fill_major(alleles[:, alleles[0] != ABSENT].T).T
    return np.ascontiguousarray(pack_sites(alleles.view(np.uint8)).T)


def _list_stretches(ploidy: Ploidy) -> list[dict[str, object]]:
    """The first site of each stretch, and the ranks of reference people who are haploid there."""
    return [
        {"first": int(first), "haploid": np.flatnonzero(people == 1).tolist()}
        for first, people in zip(ploidy.first, ploidy.people, strict=True)
    ]


if __name__ == "__main__":
    run_step(shards)
