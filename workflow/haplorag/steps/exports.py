"""Writes what peers are given: the reference people's VCF, and the test people's typed sites."""

from __future__ import annotations

import logging
from itertools import chain
from pathlib import Path

import numpy as np

from haplorag.alleles import ABSENT
from haplorag.io.hdf5 import opening_arrays, read_arrays
from haplorag.io.provenance import check_provenance
from haplorag.panel.frequencies import fill_major
from haplorag.panel.genotype_store import iterate_site_blocks
from haplorag.panel.samples import find_samples, read_samples
from haplorag.pipeline.cli import run_step
from haplorag.vcf.writer import Site, write_phased

log = logging.getLogger(__name__)
# In the order of a site's fields.
VARIANTS = ("variants/POS", "variants/ID", "variants/REF", "variants/ALT")


def exports(
    genotypes: Path,
    samples: Path,
    masks: Path,
    reference: Path,
    *,
    targets: list[Path],
    target_masks: list[str],
    chromosome: str,
) -> None:
    """Write the reference VCF and one target VCF for each of `target_masks`.

    People are called p0, p1, ... by their row in the table of samples. A missing reference allele
    is written as the site's major allele, as the models read it, and a haploid genotype as one
    allele. Genotypes are read in blocks of
    sites, so that memory does not grow with the people times the sites.
    """
    check_provenance(("samples", samples), ("genotypes", genotypes), ("masks", masks))
    people = read_samples(samples)
    rows = {role: find_samples(people, role) for role in ("reference", "test")}
    names = {role: [f"p{row}" for row in found] for role, found in rows.items()}
    sites = list(map(Site, *read_arrays(genotypes, "genotypes", *VARIANTS).values()))
    hidden = read_arrays(masks, "masks")
    with opening_arrays(genotypes, "genotypes") as file:
        blocks = iterate_site_blocks(file, np.arange(len(sites)))
        whole = chain.from_iterable(_fill_major(block[:, rows["reference"]]) for block in blocks)
        write_phased(reference, chromosome, sites, whole, names["reference"])
        for mask, left_out in zip(hidden["names"], hidden["hidden"], strict=True):
            path = targets[target_masks.index(mask)]
            typed = np.flatnonzero(~left_out)
            blocks = iterate_site_blocks(file, typed)
            known = chain.from_iterable(block[:, rows["test"]] for block in blocks)
            write_phased(path, chromosome, [sites[site] for site in typed], known, names["test"])
            log.info(
                "%s: %d of %d sites typed in %d people",
                mask, len(typed), len(sites), len(rows["test"]),
            )  # fmt: skip


def _fill_major(calls: np.ndarray) -> np.ndarray:
    """Replace missing alleles int8 [S, n, 2] by the site's major allele."""
    filled = fill_major(calls.reshape(len(calls), -1).T).T.reshape(calls.shape)
    return np.where(calls == ABSENT, ABSENT, filled).astype(np.int8)


if __name__ == "__main__":
    run_step(exports)
