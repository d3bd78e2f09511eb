"""Checks a new store of genotypes against its VCF, with another reader than filled it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from haplorag.errors import InputError
from haplorag.io.hdf5 import File
from haplorag.vcf.chromosomes import match_chromosome
from haplorag.vcf.index import count_indexed
from haplorag.vcf.reader import open_vcf

SITES = 8


def verify_store(vcf: Path, file: File, chromosome: str) -> int:
    """Compare some sites, evenly spread, of an open store with what cyvcf2 reads there; gives how
    many were compared.

    Only an indexed file can be read here and there; of others none is compared. Raises InputError
    where a site differs.
    """
    indexed = count_indexed(vcf)
    name = match_chromosome(chromosome, list(indexed)) if indexed else None
    if name is None:
        return 0
    reader = open_vcf(vcf)
    column = {sample: number for number, sample in enumerate(reader.samples)}
    columns = [column[sample] for sample in file["samples"].asstr()[:]]
    position, ref, alt = (
        file["variants/POS"],
        file["variants/REF"].asstr(),
        file["variants/ALT"].asstr(),
    )
    rows = np.unique(np.linspace(0, len(position) - 1, SITES).astype(int))
    for row in rows:
        place = int(position[row])
        found = [
            np.where(calls < 0, -1, calls == 1 + record.ALT.index(alt[row]))
            for record in reader(f"{name}:{place}-{place}")
            if place == record.POS and ref[row] == record.REF and alt[row] in record.ALT
            for calls in [record.genotype.array()[columns, :-1]]
        ]
        stored = file["calldata/GT"][row]
        if not found or not (found[0] == stored[:, : found[0].shape[1]]).all():
            raise InputError(
                f"{vcf}: record {name}:{place} reads otherwise through its index; index it "
                "again: tabix -f"
            )
    return len(rows)
