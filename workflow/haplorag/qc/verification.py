"""Checks a new store of genotypes against its VCF, with another reader than filled it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from haplorag.alleles import ABSENT
from haplorag.errors import InputError
from haplorag.io.apart import try_apart
from haplorag.io.hdf5 import File
from haplorag.vcf.chromosomes import match_chromosome
from haplorag.vcf.fates import SPANNING_DELETION, is_unknown
from haplorag.vcf.index import count_indexed
from haplorag.vcf.reader import open_vcf, read_vcf_header

log = logging.getLogger(__name__)
SITES = 8
# Versions whose genotypes cyvcf2 cannot always read: |0|1.
PREFIXING = {"VCFv4.4", "VCFv4.5"}
UNREADABLE = "unreadable for cyvcf2"


def verify_store(vcf: Path, file: File, chromosome: str) -> int:
    """Compare some sites, evenly spread, of an open store with what cyvcf2 reads there; gives how
    many were compared.

    Only an indexed file can be read here and there; of others none is compared. It is read in a
    process of its own, for an index may say anything. Raises InputError where no record of a site
    has the genotypes that are stored.
    """
    header = read_vcf_header(vcf)
    indexed = count_indexed(vcf, header)
    name = match_chromosome(chromosome, list(indexed)) if indexed else None
    if name is None:
        return 0
    rows = np.unique(np.linspace(0, len(file["variants/POS"]) - 1, SITES).astype(int))
    try:
        try_apart(vcf, partial(_compare_readable, vcf, file, name, rows))
    except InputError as error:
        if str(error) != UNREADABLE:
            raise
        if header.version not in PREFIXING:
            raise InputError(
                f"{vcf}: cannot be read through its index; index it again: tabix -f"
            ) from error
        log.warning(
            "%s: its genotypes have the phase marks of %s (|0|1), which cyvcf2 cannot read: the "
            "store was not compared with it; use bcftools to write them plainly if that is wanted",
            vcf, header.version,
        )  # fmt: skip
        return 0
    return len(rows)


def _compare_readable(vcf: Path, file: File, name: str, rows: np.ndarray) -> None:
    """Compare sites; raises InputError `UNREADABLE` where cyvcf2 gives up."""
    try:
        _compare_sites(vcf, file, name, rows)
    except (InputError, MemoryError):
        raise
    except Exception as error:
        raise InputError(UNREADABLE) from error


def _compare_sites(vcf: Path, file: File, name: str, rows: np.ndarray) -> None:
    """Compare the sites of some rows of a store with those of a chromosome that an index finds."""
    reader = open_vcf(vcf)
    column = {sample: number for number, sample in enumerate(reader.samples)}
    columns = [column[sample] for sample in file["samples"].asstr()[:]]
    position, ref, alt = (
        file["variants/POS"],
        file["variants/REF"].asstr(),
        file["variants/ALT"].asstr(),
    )
    for row in rows:
        place = int(position[row])
        stored = file["calldata/GT"][row]
        found = _read_site(reader, f"{name}:{place}-{place}", (place, ref[row], alt[row]))
        if not any(_agrees(calls[columns], stored) for calls in found):
            raise InputError(
                f"{vcf}: record {name}:{place} reads otherwise through its index; index it "
                "again: tabix -f"
            )


def _read_site(reader: Any, region: str, site: tuple[int, str, str]) -> Iterator[np.ndarray]:
    """Alleles int [n, ploidy] of each record of a site, -1 where missing or deleted."""
    position, ref, alt = site
    records = [record for record in reader(region) if position == record.POS]
    deleted = [
        record.genotype.array()[:, :-1] == 1 + record.ALT.index(SPANNING_DELETION)
        for record in records
        if SPANNING_DELETION in record.ALT
    ]
    for record in records:
        alts = [one.upper() for one in record.ALT]
        if record.REF.upper() != ref or alt not in alts:
            continue
        calls = record.genotype.array()[:, :-1]
        unknown = [place for place, one in enumerate(alts, start=1) if is_unknown(one)]
        missing = (calls < 0) | np.isin(calls, unknown)
        for gone in deleted:
            missing |= gone & (calls != 1 + alts.index(alt))
        yield np.where(missing, -1, calls == 1 + alts.index(alt))


def _agrees(calls: np.ndarray, stored: np.ndarray) -> bool:
    """Whether alleles [n, ploidy] of a file are those int8 [n, 2] of a store.

    Of people who have one haplotype, both alleles of a genotype may be read, or none of a
    heterozygous one.
    """
    haploid = stored[:, 1] == ABSENT
    first = np.where(stored[:, 0] < 0, calls[:, 0], stored[:, 0])
    same = (calls == stored[:, : calls.shape[1]]).all(axis=1)
    return bool(np.where(haploid, calls[:, 0] == first, same).all())
