"""Converts one chromosome of the panel into an HDF5 store, exactly, and tallies every record."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.alleles import ABSENT, MISSING, count_bits, pack_people
from haplorag.errors import InputError
from haplorag.io.checksums import checksum
from haplorag.io.hdf5 import File, creating_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.io.tables import write_table
from haplorag.panel.genotype_store import GenotypeAppender
from haplorag.panel.ploidy import Ploidy
from haplorag.panel.samples import find_males, read_samples
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.logs import show_progress
from haplorag.qc.duplicates import DuplicateFinder, count_pairs
from haplorag.qc.panel_ploidy import look_for_haploid, settle_ploidy
from haplorag.qc.verification import verify_store
from haplorag.settings import GenotypeSettings
from haplorag.vcf.biallelic import BiallelicReader, Block
from haplorag.vcf.chromosomes import refuse_unpaired, tells_people_apart
from haplorag.vcf.position import Rules

log = logging.getLogger(__name__)
FEW_SITES = 50
PHASE = "run Beagle, Eagle or SHAPEIT to phase it, or set genotypes.max_unphased"
# What a record can be without anything being odd about its file.
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
    """Write the store of genotypes, and the tally of records by fate.

    The store has calldata/GT int8 [site, sample, 2] (-1 missing, -2 no second allele), variants/*,
    samples, and ploidy/*: who has one haplotype where. Sites with too many missing alleles or too
    few minor alleles among reference people are dropped and counted. Genotypes are in memory a
    block at a time, positions and alleles of all sites until the end. Raises InputError where too
    many heterozygotes are unphased or no site is left.
    """
    refuse_unpaired(chromosome)
    table = read_samples(samples)
    people = table["sample"].tolist()
    rules = Rules(settings.variants, settings.multiallelic)
    reader = BiallelicReader(vcf, chromosome, people, rules)
    ploidy = look_for_haploid(reader, find_males(table))
    sources = describe_provenance(("samples", samples))
    with creating_arrays(output, "genotypes", sources=sources) as file:
        _fill(file, reader, settings, table["role"], ploidy)
        file.attrs.update(chromosome=chromosome, vcf=vcf.name, sha256=checksum(vcf))
        verified = verify_store(vcf, file, chromosome)
    reader.warn_notes()
    if odd := _describe(reader, set(reader.tally) - USUAL):
        log.warning(
            "%s: %s; fix the file or set `genotypes` otherwise if this is not meant", vcf, odd
        )
    log.info(
        "chromosome %s: %s; %d sites read again and found equal",
        chromosome, _describe(reader, USUAL), verified,
    )  # fmt: skip
    order = ["read", "kept", *sorted(set(reader.tally) - {"read", "kept"})]
    records = {"reason": order, "records": [reader.tally[reason] for reason in order]}
    write_table(tally, pd.DataFrame(records))


def _fill(
    file: File,
    reader: BiallelicReader,
    settings: GenotypeSettings,
    roles: pd.Series,
    ploidy: Ploidy,
) -> None:
    """Write all sites that are kept into an open store."""
    writer = GenotypeAppender(file, calls=(len(roles), 2))
    duplicates = DuplicateFinder(len(roles))
    kept = _filter(reader, ploidy, settings, (roles == "reference").to_numpy())
    for block in show_progress(kept, "blocks"):
        writer.append(block)
        duplicates.add(block.alleles)
    reader.check_phase(settings.max_unphased, PHASE)
    if tells_people_apart(reader.chromosome):
        _warn_of_duplicates(reader, duplicates.find_groups(), roles.to_numpy())
    if not writer.sites:
        raise InputError(
            f"{reader.path}: no site of chromosome {reader.chromosome} is left "
            f"({_describe(reader, set(reader.tally))}); loosen `genotypes`, or fix the file"
        )
    if writer.sites < FEW_SITES:
        log.warning(
            "%s: few_sites=%d are left; imputation needs hundreds, use a longer stretch",
            reader.path, writer.sites,
        )  # fmt: skip
    writer.finish(reader.people, ploidy)
    reader.tally["kept"] = writer.sites


def _warn_of_duplicates(
    reader: BiallelicReader, groups: list[np.ndarray], roles: np.ndarray
) -> None:
    """Warn of people with the same haplotypes; of two roles they give the answer away."""
    if not groups:
        return
    by_role = [
        [group[roles[group] == role] for role in np.unique(roles[group])] for group in groups
    ]
    pairs = count_pairs(np.array([len(group) for group in groups]))
    within = count_pairs(np.array([len(part) for parts in by_role for part in parts]))
    across = pairs - within
    reader.tally["duplicate_people_across_roles"] = across
    mixed = (np.sort([part[0] for part in parts]) for parts in by_role if len(parts) > 1)
    first, second, *_ = next(mixed, groups[0])
    log.warning(
        "%s: duplicate_genome_pairs=%d of people have the same haplotypes, %d of them different "
        "roles (for one, rows %d and %d of the table of samples); remove one of each, or set their "
        "roles by samples.roles",
        reader.path, pairs, across, first + 1, second + 1,
    )  # fmt: skip


def _filter(
    reader: BiallelicReader, ploidy: Ploidy, settings: GenotypeSettings, reference: np.ndarray
) -> Iterator[Block]:
    counted = pack_people(reference)
    for block in settle_ploidy(reader, ploidy):
        known = count_bits(block.bits.known)
        there = np.full(len(known), 2 * len(reference))
        if (known < there).any():
            there -= np.count_nonzero(block.alleles == ABSENT, axis=(1, 2))
        missing = there - known
        if missing.any():
            _tally_missing(reader, block)
        too_missing = missing > settings.max_missing * there
        alternate, total = (count_bits(plane & counted) for plane in block.bits)
        minor = np.minimum(alternate, total - alternate)
        too_rare = ~too_missing & (minor < settings.min_minor_count)
        reader.tally["too_many_missing"] += int(too_missing.sum())
        carried = count_bits(block.bits.alternate)
        one_allele = (carried == 0) | (carried == known)
        reader.tally["monomorphic"] += int((one_allele & (known > 0)).sum())
        reader.tally["below_min_minor_count"] += int(too_rare.sum())
        yield block.take(~(too_missing | too_rare))


def _tally_missing(reader: BiallelicReader, block: Block) -> None:
    missing = block.alleles == MISSING
    lacking = np.asarray((block.alleles < 0).all(axis=2))
    reader.count_genotypes("missing_calls", block, lacking)
    reader.count_genotypes("half_missing", block, missing.any(axis=2) & ~lacking)
    reader.tally["missing_alleles"] += int(missing.sum())
    reader.tally["all_missing"] += int(lacking.all(axis=1).sum())


def _describe(reader: BiallelicReader, reasons: set[str]) -> str:
    first = {reason: f" (first at {place})" for reason, place in reader.first.items()}
    return ", ".join(
        f"{reason}={reader.tally[reason]}{first.get(reason, '')}"
        for reason in sorted(reasons)
        if reader.tally[reason]
    )


if __name__ == "__main__":
    run_step(genotypes)
