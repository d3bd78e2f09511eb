"""Converts one chromosome of the panel into an HDF5 store of phased haplotypes, exactly, and tallies every record."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.errors import InputError
from haplorag.io.checksums import checksum
from haplorag.io.hdf5 import creating_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.io.tables import write_table
from haplorag.panel.genotype_store import GenotypeAppender
from haplorag.panel.samples import read_samples
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.logs import show_progress
from haplorag.qc.duplicates import DuplicateFinder
from haplorag.qc.verification import verify_store
from haplorag.settings import GenotypeSettings
from haplorag.vcf.biallelic import BiallelicReader, Block

log = logging.getLogger(__name__)
# What a record can be without anything being odd about its file.
FEW_SITES = 50
PHASE = "run Beagle, Eagle or SHAPEIT to phase it, or set genotypes.max_unphased"
USUAL = {"read", "kept", "heterozygotes", "below_min_minor_count", "other_chromosome"}


def genotypes(
    vcf: Path,
    samples: Path,
    output: Path,
    tally: Path,
    *,
    settings: GenotypeSettings,
    chromosome: str,
) -> None:
    """Write calldata/GT int8 [site, sample, 2] (-1 missing), variants/* and samples, and the tally of records by fate.

    Sites with too many missing alleles or too few minor alleles among reference people are dropped and counted. Genotypes
    are in memory a block at a time, positions and alleles of all sites until the end. Raises InputError where too many
    heterozygotes are unphased or no site is left.
    """
    table = read_samples(samples)
    names = table["sample"].tolist()
    reference = (table["role"] == "reference").to_numpy()
    reader = BiallelicReader(vcf, chromosome, names, settings.variants, settings.multiallelic)
    with creating_arrays(
        output, "genotypes", sources=describe_provenance(("samples", samples))
    ) as file:
        writer = GenotypeAppender(file, calls=(len(names), 2))
        twins = DuplicateFinder(len(names))
        for block in show_progress(_filter(reader, settings, reference), "blocks"):
            writer.append(block)
            twins.add(block.alleles)
        reader.check_phase(settings.max_unphased, PHASE)
        twins.report(vcf, reader, table["role"])
        if not writer.sites:
            raise InputError(
                f"{vcf}: no site of chromosome {chromosome} is left ({_describe(reader, set(reader.tally))}); "
                f"loosen `genotypes`, or fix the file"
            )
        if writer.sites < FEW_SITES:
            log.warning(
                "%s: few_sites=%d are left; imputation needs hundreds, use a longer stretch",
                vcf,
                writer.sites,
            )
        writer.finish(names)
        file.attrs.update(chromosome=chromosome, vcf=vcf.name, sha256=checksum(vcf))
        verified = verify_store(vcf, file, chromosome)
        reader.tally["kept"] = writer.sites
    reader.warn_notes()
    if odd := _describe(reader, set(reader.tally) - USUAL):
        log.warning(
            "%s: %s; fix the file or set `genotypes` otherwise if this is not meant", vcf, odd
        )
    log.info(
        "chromosome %s: %s; %d sites read again and found equal",
        chromosome,
        _describe(reader, USUAL),
        verified,
    )
    order = ["read", "kept", *sorted(set(reader.tally) - {"read", "kept"})]
    write_table(
        tally,
        pd.DataFrame({"reason": order, "records": [reader.tally[reason] for reason in order]}),
    )


def _filter(
    reader: BiallelicReader, settings: GenotypeSettings, reference: np.ndarray
) -> Iterator[Block]:
    everyone, counted = np.ones(2 * len(reference), dtype=bool), np.repeat(reference, 2)
    for block in reader:
        alleles = block.alleles.reshape(len(block.positions), -1)
        missing = _count(alleles < 0, everyone)
        if missing.any():
            _tally_missing(reader, block)
        too_missing = missing > settings.max_missing * len(everyone)
        alternate, total = _count(alleles > 0, counted), _count(alleles >= 0, counted)
        too_rare = ~too_missing & (
            np.minimum(alternate, total - alternate) < settings.min_minor_count
        )
        reader.tally["too_many_missing"] += int(too_missing.sum())
        one_allele = (_count(alleles > 0, everyone) == 0) | (_count(alleles == 0, everyone) == 0)
        reader.tally["monomorphic"] += int((one_allele & (missing < len(everyone))).sum())
        reader.tally["below_min_minor_count"] += int(too_rare.sum())
        yield block.take(~(too_missing | too_rare))


def _count(flags: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """How many of some columns of flags bool [S, 2n] are set, int64 [S]; packed, they are counted in an eighth of the time."""
    return np.bitwise_count(np.packbits(flags, axis=1) & np.packbits(columns)).sum(
        axis=1, dtype=np.int64
    )


def _tally_missing(reader: BiallelicReader, block: Block) -> None:
    missing = block.alleles < 0
    alleles = missing.sum(axis=2)
    for reason, genotypes_so in (("missing_calls", alleles == 2), ("half_missing", alleles == 1)):
        reader.count_genotypes(reason, block, genotypes_so)
    reader.tally["missing_alleles"] += int(alleles.sum())
    reader.tally["all_missing"] += int(missing.all(axis=(1, 2)).sum())


def _describe(reader: BiallelicReader, reasons: set[str]) -> str:
    first = {reason: f" (first at {place})" for reason, place in reader.first.items()}
    return ", ".join(
        f"{reason}={reader.tally[reason]}{first.get(reason, '')}"
        for reason in sorted(reasons)
        if reader.tally[reason]
    )


if __name__ == "__main__":
    run_step(genotypes)
