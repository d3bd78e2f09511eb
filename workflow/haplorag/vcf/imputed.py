"""Reads back what an imputed VCF says of its sites, and the true genotypes where they are known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cyvcf2 import Variant

from haplorag.alleles import ABSENT, MISSING
from haplorag.errors import InputError
from haplorag.vcf.chromosomes import call_alike, plain_name
from haplorag.vcf.reader import open_vcf, read_vcf_header

# What tools mark an imputed site with.
IMPUTED = ("IMP", "IMPUTED")
# Chromosome without `chr`, 1-based position, REF and ALT.
SiteKey = tuple[str, int, str, str]


class ImputedSite(NamedTuple):
    """A site of an imputed VCF: its R2, whether it was typed, and dosages of ALT float32 [n], of a
    haploid's allele twice.
    """

    key: SiteKey
    r2: float
    typed: bool
    dosage: np.ndarray | None


def iterate_imputed(path: Path, with_dosages: bool) -> Iterator[ImputedSite]:
    """The panel's sites in an imputed VCF or BCF, in order; records without an R2 are passed over.

    Dosages are read only where they are wanted: that takes most of the time.
    """
    for record in open_vcf(path):
        r2 = record.INFO.get("R2")
        if r2 is None or len(record.ALT) != 1:
            continue
        key = plain_name(record.CHROM), record.POS, record.REF, record.ALT[0]
        dosage = _read_dosages(record) if with_dosages else None
        yield ImputedSite(key, float(r2), record.INFO.get("TYPED") is not None, dosage)


def read_truth(path: Path, people: list[str], chromosomes: list[str]) -> dict[SiteKey, np.ndarray]:
    """True numbers of ALT alleles int8 [n], -1 where unknown, of people by site.

    Chromosomes are called as the imputed file does, whose names are given, where it has them: 23
    may be its X.

    A haploid's allele counts twice, as in `alleles.sum_genotypes`: one file may write a man's X as
    `1`, another as `1/1`.

    Raises InputError where a person is missing.
    """
    header = read_vcf_header(path)
    columns = header.find_columns(path, people)
    name = cache(partial(call_alike, own=list(header.lengths), others=chromosomes))
    found = {}
    for record in open_vcf(path):
        if len(record.ALT) == 1:
            alleles = record.genotype.array()[columns, :-1]
            counted = np.maximum(alleles, 0).sum(axis=1) * np.where(_find_haploids(alleles), 2, 1)
            counted = np.where((alleles == MISSING).any(axis=1), -1, counted).astype(np.int8)
            found[name(record.CHROM), record.POS, record.REF, record.ALT[0]] = counted
    if not found:
        raise InputError(f"{path}: has no biallelic record; fix imputation.truth")
    return found


def iterate_dosages(path: Path) -> Iterator[tuple[SiteKey, np.ndarray]]:
    """Biallelic sites that any tool has imputed, with dosages of ALT float32 [n], of a haploid's
    allele twice.

    Typed ones are passed over where the file marks either kind, as haplorag (IMP), Beagle (IMP) and
    Minimac4 (IMPUTED) do. Raises InputError where a site that is marked as imputed has no DS.
    """
    reader = open_vcf(path)
    marks = [mark for mark in IMPUTED if reader.contains(mark)]
    for record in reader:
        imputed = any(record.INFO.get(mark) is not None for mark in marks)
        if len(record.ALT) != 1 or (marks and not imputed):
            continue
        if "DS" not in record.FORMAT:
            raise InputError(f"{path}: record {record.CHROM}:{record.POS} has no DS; write it")
        key = plain_name(record.CHROM), record.POS, record.REF, record.ALT[0]
        yield key, _read_dosages(record)


def _read_dosages(record: Variant) -> np.ndarray:
    """Dosages float32 [n] as in diploids: that of who has one allele in GT counts twice."""
    dosage = record.format("DS")[:, 0]
    if "GT" not in record.FORMAT:
        return dosage
    return dosage * np.where(_find_haploids(record.genotype.array()[:, :-1]), 2, 1)


def _find_haploids(alleles: np.ndarray) -> np.ndarray:
    """Who has one allele, bool [n], of alleles as cyvcf2 has them: int16 [n, ploidy]."""
    if alleles.shape[1] == 1:
        return np.ones(len(alleles), dtype=bool)
    return alleles[:, 1] == ABSENT
