"""Writes what peers are given: the reference people's VCF, and the test people's with hidden sites left out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from haplorag import command, store
from haplorag.imputed import write_phased
from haplorag.people import find_people, read_samples

log = logging.getLogger(__name__)
VARIANTS = ("variants/POS", "variants/REF", "variants/ALT", "variants/ID")
BLOCK_SITES = 2048


def exports(genotypes: Path, samples: Path, masks: Path, reference: Path, *, targets: list[Path], chromosome: str) -> None:
    """Write the reference VCF and one target VCF a mask, named after it; people are called p0, p1, ... by their row.

    A missing reference allele is written as the site's major allele, as the models read it. Genotypes are read in blocks of
    sites, so that memory does not grow with the people times the sites.
    """
    people = read_samples(samples)
    sites = list(zip(*store.read_arrays(genotypes, "genotypes", *VARIANTS).values(), strict=True))
    drawn = store.read_arrays(masks, "masks")
    with store.opening_arrays(genotypes, "genotypes") as file:
        rows = find_people(people, "reference")
        whole = map(_fill_major, _read_sites(file, np.arange(len(sites)), rows))
        write_phased(reference, chromosome, sites, whole, [f"p{row}" for row in rows])
        rows = find_people(people, "test")
        for mask, hidden in zip(drawn["names"], drawn["hidden"], strict=True):
            path = next(path for path in targets if path.name == f"{mask}.vcf.gz")
            typed = np.flatnonzero(~hidden)
            calls = _read_sites(file, typed, rows)
            write_phased(path, chromosome, [sites[site] for site in typed], calls, [f"p{row}" for row in rows])
            log.info("%s: %d of %d sites typed in %d people", mask, len(typed), len(sites), len(rows))


def _read_sites(file: store.File, sites: np.ndarray, people: np.ndarray) -> Iterator[np.ndarray]:
    """Alleles int8 [n, 2] of some people, site by site; those of a stretch of `BLOCK_SITES` are in memory at a time."""
    cuts = np.searchsorted(sites, np.arange(BLOCK_SITES, sites.max(initial=0) + 1, BLOCK_SITES))
    for block in np.split(sites, cuts):
        if len(block):
            yield from store.read_calls(file, block, people).T.reshape(len(block), len(people), 2)


def _fill_major(alleles: np.ndarray) -> np.ndarray:
    """Replace missing alleles of a site by its major allele."""
    return np.where(alleles < 0, 2 * (alleles > 0).sum() > (alleles >= 0).sum(), alleles)


if __name__ == "__main__":
    command.run(exports)
