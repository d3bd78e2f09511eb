"""Writes what peers are given: the reference people's VCF, and the test people's with hidden sites left out."""

from __future__ import annotations

import logging
from itertools import chain
from pathlib import Path

import numpy as np

from haplorag.io.hdf5 import opening_arrays, read_arrays
from haplorag.io.provenance import check_provenance
from haplorag.panel.frequencies import fill_major
from haplorag.panel.genotype_store import iterate_site_blocks
from haplorag.panel.samples import find_samples, read_samples
from haplorag.pipeline.cli import run_step
from haplorag.vcf.writer import write_phased

log = logging.getLogger(__name__)
VARIANTS = ("variants/POS", "variants/REF", "variants/ALT", "variants/ID")


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
    """Write the reference VCF and one target VCF a mask, those of `target_masks`; people are called p0, p1, ... by their row.

    A missing reference allele is written as the site's major allele, as the models read it. Genotypes are read in blocks of
    sites, so that memory does not grow with the people times the sites.
    """
    check_provenance(("samples", samples), ("genotypes", genotypes), ("masks", masks))
    people = read_samples(samples)
    sites = list(zip(*read_arrays(genotypes, "genotypes", *VARIANTS).values(), strict=True))
    drawn = read_arrays(masks, "masks")
    with opening_arrays(genotypes, "genotypes") as file:
        rows = find_samples(people, "reference")
        whole = (
            _fill_major(calls[:, rows])
            for calls in iterate_site_blocks(file, np.arange(len(sites)))
        )
        write_phased(
            reference, chromosome, sites, chain.from_iterable(whole), [f"p{row}" for row in rows]
        )
        rows = find_samples(people, "test")
        for mask, hidden in zip(drawn["names"], drawn["hidden"], strict=True):
            path = targets[target_masks.index(mask)]
            typed = np.flatnonzero(~hidden)
            known = (calls[:, rows] for calls in iterate_site_blocks(file, typed))
            here = [sites[site] for site in typed]
            write_phased(
                path, chromosome, here, chain.from_iterable(known), [f"p{row}" for row in rows]
            )
            log.info(
                "%s: %d of %d sites typed in %d people", mask, len(typed), len(sites), len(rows)
            )


def _fill_major(calls: np.ndarray) -> np.ndarray:
    """Replace missing alleles int8 [S, n, 2] by the site's major allele."""
    return fill_major(calls.reshape(len(calls), -1).T).T.reshape(calls.shape)


if __name__ == "__main__":
    run_step(exports)
