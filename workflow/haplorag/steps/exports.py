"""Writes what peers are given: the reference people as a VCF, and the test people where typed."""

from __future__ import annotations

import logging
from itertools import chain
from pathlib import Path

import numpy as np

from haplorag.alleles import ABSENT
from haplorag.io.hdf5 import opening_arrays, read_arrays
from haplorag.io.provenance import check_provenance
from haplorag.panel.frequencies import fill_major
from haplorag.panel.genotype_store import iterate_site_blocks, read_ploidy
from haplorag.panel.samples import find_samples, read_samples
from haplorag.pipeline.cli import run_step
from haplorag.vcf.writer import Site, write_phased

log = logging.getLogger(__name__)
# In the order of a site's fields.
VARIANTS = ("variants/POS", "variants/ID", "variants/REF", "variants/ALT")


def exports(
    genotypes: Path,
    samples: Path,
    output: Path,
    *,
    role: str,
    chromosome: str,
    masks: Path | None = None,
) -> None:
    """Write the VCF of people of a role: of all sites, or of those that the one mask leaves typed.

    People are called p0, p1, ... by their row in the table of samples. A missing allele of the
    reference is written as the site's major allele, as the models read it, and a haploid genotype
    as one allele; that of who is diploid elsewhere on the chromosome, as men are on X, as two like
    ones, for other tools take people of one ploidy only. Genotypes are read in blocks of sites, so
    that memory does not grow with the people times the sites.
    """
    panel = ("samples", samples), ("genotypes", genotypes)
    check_provenance(*panel, *([("masks", masks)] if masks else []))
    rows = find_samples(read_samples(samples), role)
    sites = list(map(Site, *read_arrays(genotypes, "genotypes", *VARIANTS).values()))
    typed = np.arange(len(sites))
    if masks:
        (hidden,) = read_arrays(masks, "masks", "hidden")["hidden"]
        typed = np.flatnonzero(~hidden)
    with opening_arrays(genotypes, "genotypes") as file:
        ploidy = read_ploidy(file).take(rows).people
        changes = (ploidy != ploidy[0]).any(axis=0)
        blocks = (_double(block[:, rows], changes) for block in iterate_site_blocks(file, typed))
        calls = chain.from_iterable(map(_fill_major, blocks) if role == "reference" else blocks)
        written = [sites[site] for site in typed]
        write_phased(output, chromosome, written, calls, [f"p{row}" for row in rows])
    log.info("%s: %d of %d sites in %d people", role, len(typed), len(sites), len(rows))


def _double(calls: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Alleles int8 [S, n, 2] in which some people, bool [n], are homozygotes where they are
    haploid.
    """
    first, second = calls[..., 0], calls[..., 1]
    return np.stack([first, np.where((second == ABSENT) & people, first, second)], axis=-1)


def _fill_major(calls: np.ndarray) -> np.ndarray:
    """Replace missing alleles int8 [S, n, 2] by the site's major allele."""
    filled = fill_major(calls.reshape(len(calls), -1).T).T.reshape(calls.shape)
    return np.where(calls == ABSENT, ABSENT, filled).astype(np.int8)


if __name__ == "__main__":
    run_step(exports)
