"""Converts one chromosome of the panel into an HDF5 store of phased haplotypes, exactly, and tallies every record."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag import command, store
from haplorag.errors import InputError
from haplorag.people import read_samples
from haplorag.settings import Genotypes
from haplorag.vcf import Block, Reader

log = logging.getLogger(__name__)


def genotypes(vcf: Path, samples: Path, output: Path, tally: Path, *, settings: Genotypes, chromosome: str) -> None:
    """Write calldata/GT int8 [site, sample, 2] (-1 missing), variants/* and samples, and the tally of records by fate.

    Sites with too many missing alleles or too few minor alleles among reference people are dropped and counted. Memory does
    not grow with the number of sites. Raises InputError where too many heterozygotes are unphased or no site is left.
    """
    table = read_samples(samples)
    names = table["sample"].tolist()
    reference = (table["role"] == "reference").to_numpy()
    reader = Reader(vcf, chromosome, names, settings.variants, settings.multiallelic)
    with store.creating_arrays(output, "genotypes") as file:
        writer = store.Appender(file, calls=(len(names), 2))
        for block in command.show_progress(_filter(reader, settings, reference), "blocks"):
            writer.append(block)
        _check_phase(vcf, reader.tally, settings.max_unphased)
        if not writer.sites:
            raise InputError(
                f"{vcf}: no site of chromosome {chromosome} is left ({_describe(reader.tally)}); loosen `genotypes`"
            )
        writer.finish(names)
        file.attrs["chromosome"] = chromosome
        reader.tally["kept"] = writer.sites
    log.info("chromosome %s: %s", chromosome, _describe(reader.tally))
    order = ["read", "kept", *sorted(set(reader.tally) - {"read", "kept"})]
    store.write_table(tally, pd.DataFrame({"reason": order, "records": [reader.tally[reason] for reason in order]}))


def _filter(reader: Reader, settings: Genotypes, reference: np.ndarray) -> Iterator[Block]:
    for block in reader:
        missing = block.alleles < 0
        different = (block.alleles[..., 0] != block.alleles[..., 1]) & ~missing.any(axis=2)
        reader.tally["heterozygotes"] += int(different.sum())
        reader.tally["unphased_heterozygotes"] += int((different & ~block.phased).sum())
        reader.tally["missing_alleles"] += int(missing.sum())
        too_missing = missing.mean(axis=(1, 2)) > settings.max_missing
        known = block.alleles[:, reference]
        alternate, total = (known > 0).sum(axis=(1, 2)), (known >= 0).sum(axis=(1, 2))
        too_rare = ~too_missing & (np.minimum(alternate, total - alternate) < settings.min_minor_count)
        reader.tally["too_many_missing"] += int(too_missing.sum())
        reader.tally["below_min_minor_count"] += int(too_rare.sum())
        yield block.take(~(too_missing | too_rare))


def _check_phase(vcf: Path, tally: Counter[str], allowed: float) -> None:
    unphased, all_of_them = tally["unphased_heterozygotes"], tally["heterozygotes"]
    if unphased > allowed * all_of_them:
        raise InputError(
            f"{vcf}: {unphased} of {all_of_them} heterozygous genotypes are unphased (0/1, not 0|1); phase it first, e.g. with "
            f"Beagle, Eagle or SHAPEIT, or raise genotypes.max_unphased"
        )


def _describe(tally: Counter[str]) -> str:
    return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in tally.items() if count)


if __name__ == "__main__":
    command.run(genotypes)
