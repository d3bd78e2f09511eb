"""Writes what peers are given: the reference people's VCF, and the test people's with hidden sites left out."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from haplorag import command, store
from haplorag.imputed import write_phased
from haplorag.people import find_people, read_samples

log = logging.getLogger(__name__)
VARIANTS = ("variants/POS", "variants/REF", "variants/ALT", "variants/ID", "calldata/GT")


def exports(genotypes: Path, samples: Path, masks: Path, reference: Path, *, targets: list[Path], chromosome: str) -> None:
    """Write the reference VCF and one target VCF a mask, named after it; people are called p0, p1, ... by their row.

    A missing reference allele is written as the site's major allele, as the models read it.
    """
    people = read_samples(samples)
    arrays = store.read_arrays(genotypes, "genotypes", *VARIANTS)
    calls, sites = arrays.pop("calldata/GT"), list(zip(*arrays.values(), strict=True))
    rows = find_people(people, "reference")
    known = calls[:, rows]
    major = ((known > 0).sum(axis=(1, 2)) * 2 > (known >= 0).sum(axis=(1, 2))).astype(np.int8)
    write_phased(reference, chromosome, sites, np.where(known < 0, major[:, None, None], known), [f"p{row}" for row in rows])
    drawn = store.read_arrays(masks, "masks")
    rows = find_people(people, "test")
    for mask, hidden in zip(drawn["names"], drawn["hidden"], strict=True):
        path = next(path for path in targets if path.name == f"{mask}.vcf.gz")
        typed = np.flatnonzero(~hidden)
        write_phased(path, chromosome, [sites[site] for site in typed], calls[typed][:, rows], [f"p{row}" for row in rows])
        log.info("%s: %d of %d sites typed in %d people", mask, len(typed), len(sites), len(rows))


if __name__ == "__main__":
    command.run(exports)
