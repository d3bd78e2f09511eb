"""Reads the dosages of a VCF that another tool imputed."""

from __future__ import annotations

from pathlib import Path

import cyvcf2
import numpy as np

from haplorag.errors import InputError
from haplorag.vcf.chromosomes import plain_name
from haplorag.vcf.reader import open_vcf, read_vcf_header


def read_imputed(
    path: Path,
    chromosome: str,
    sites: dict[tuple[int, str, str], int],
    people: list[str],
    into: np.ndarray,
) -> np.ndarray:
    """Fill `into` float [n, site, 2] with the probabilities of ALT that another tool's VCF holds;
    gives which sites it has.

    `sites` maps (position, REF, ALT) to the site's number. Per haplotype from HDS or AP1 and AP2,
    else half of DS each. Raises InputError where a person is missing or there is no such field.
    """
    columns = read_vcf_header(path).find_columns(path, people)
    found = np.zeros(into.shape[1], dtype=bool)
    for record in open_vcf(path):
        row = sites.get((record.POS, record.REF, record.ALT[0])) if len(record.ALT) == 1 else None
        if row is not None and plain_name(record.CHROM) == plain_name(chromosome):
            into[:, row] = _read_halves(path, record)[columns]
            found[row] = True
    return found


def _read_halves(path: Path, record: cyvcf2.Variant) -> np.ndarray:
    fields = set(record.FORMAT)
    if "HDS" in fields:
        return record.format("HDS")
    if {"AP1", "AP2"} <= fields:
        return np.concatenate([record.format("AP1"), record.format("AP2")], axis=1)
    if "DS" in fields:
        return np.repeat(record.format("DS") / 2, 2, axis=1)
    raise InputError(
        f"{path}: record {record.CHROM}:{record.POS} has none of HDS, AP1 and DS; write one of them"
    )
