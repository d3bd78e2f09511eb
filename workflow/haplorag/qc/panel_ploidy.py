"""Looks in a panel's VCF for people who have one haplotype, and takes their genotypes so."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from haplorag.panel.ploidy import Ploidy, assume_diploid
from haplorag.qc.ploidy import find_ploidy, settle_haploid
from haplorag.vcf.biallelic import BiallelicReader, Block
from haplorag.vcf.chromosomes import MT, X, may_be_haploid, plain_name

log = logging.getLogger(__name__)


def look_for_haploid(reader: BiallelicReader, male: np.ndarray) -> Ploidy:
    """Who has one haplotype where, by the positions in bp: on X and Z the file is read for it."""
    name = plain_name(reader.chromosome)
    if name == MT:
        return Ploidy(np.zeros(1, dtype=np.int64), np.ones((1, len(male)), dtype=np.int8))
    if not may_be_haploid(name):
        return assume_diploid(len(male))

    def read() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        again = BiallelicReader(reader.path, reader.chromosome, reader.people, reader.rules)
        return ((block.positions, block.alleles) for block in again)

    found = find_ploidy(read, male, str(reader.path), name == X)
    haploid = (found.ploidy.people == 1).any(axis=0)
    if haploid.any():
        log.info(
            "chromosome %s: %d people have one haplotype, from positions %s", name, haploid.sum(),
            ", ".join(map(str, found.ploidy.first[(found.ploidy.people == 1).any(axis=1)])),
        )  # fmt: skip
    if found.doubled.any():
        reader.notes["doubled_haploids"] = (
            f"{found.doubled.sum()} people are written as diploids where they have no "
            "heterozygotes; each is taken as one haplotype there"
        )
    if found.mistaken:
        reader.notes["sex_mismatch"] = (
            f"the genotypes of {found.mistaken} people tell another sex than the panel file's "
            "gender; they are taken as their genotypes are"
        )
    return found.ploidy


def settle_ploidy(reader: BiallelicReader, ploidy: Ploidy) -> Iterator[Block]:
    """Blocks in which those who have one haplotype have one allele."""
    if not (ploidy.people == 1).any():
        yield from reader
        return
    for block in reader:
        haploid = ploidy.find_haploid(block.positions)
        alleles, heterozygous = settle_haploid(block.alleles, haploid)
        reader.count_genotypes("haploid_heterozygotes", block, heterozygous)
        yield replace(block, alleles=alleles)
