"""Opens VCF and BCF files: their kind, header and chromosomes, and their records one by one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain, groupby
from pathlib import Path

import numpy as np
from cyvcf2 import VCF, Variant

from haplorag.alleles import ABSENT, MISSING
from haplorag.errors import InputError
from haplorag.io.apart import try_apart
from haplorag.vcf.bgzf import check_container, unchanged
from haplorag.vcf.chromosomes import plain_name
from haplorag.vcf.header import Header, find_phasing, read_contigs, read_header
from haplorag.vcf.index import UNCOUNTED, count_indexed
from haplorag.vcf.records import (
    Record,
    RecordReader,
    find_odd_alt,
    number_phase_set,
    read_alleles,
)


def read_vcf_header(path: Path) -> Header:
    """Check a file's container and header.

    Raises InputError where it is neither a VCF nor a BCF, or a damaged one.
    """
    kind = check_container(path)
    if kind != "bcf":
        return read_header(path, kind)
    try_apart(path, partial(_read_first, path))
    reader = open_vcf(path)
    text = reader.raw_header
    version = re.match(r"##fileformat=(VCFv[\d.]+)", text)
    # cyvcf2 names lengths only where every chromosome has one.
    lines = text.encode().split(b"\n")
    declared = read_contigs(lines)
    return Header(
        list(reader.samples),
        {name: declared.get(name, 0) for name in reader.seqnames},
        version[1] if version else "",
        "##FORMAT=<ID=GT," in text,
        0,
        kind,
        find_phasing(lines),
    )


def _read_first(path: Path) -> None:
    """Read the header and the first record of a BCF, as all others are read."""
    for record in open_vcf(path):
        _convert_record(record, str(path))
        break


def name_chromosomes(path: Path, header: Header) -> list[str]:
    """Chromosomes that a file's index counts, else those its header declares, else those of its
    records.
    """
    return _list_indexed(path, header) or list(header.lengths) or find_chromosomes(path, header)


def find_chromosomes(path: Path, header: Header) -> list[str]:
    """Chromosomes of a file's records: without an index all are read."""
    records = read_records(path, header)
    return _list_indexed(path, header) or list(dict.fromkeys(one.chromosome for one in records))


def _list_indexed(path: Path, header: Header) -> list[str]:
    return [name for name, records in (count_indexed(path, header) or {}).items() if records]


def open_vcf(path: Path) -> VCF:
    """Open a VCF or BCF with cyvcf2. Raises InputError where it is not one."""
    try:
        return VCF(str(path.absolute()), gts012=False)
    except Exception as error:
        raise InputError(
            f"{path}: not a readable VCF or BCF ({error}); run bcftools view to write it again"
        ) from error


def read_records(path: Path, header: Header) -> Iterator[Record]:
    """Read all records of a VCF or BCF that was described."""
    return _read_bcf(path) if header.kind == "bcf" else iter(RecordReader(path, header))


def iterate_chromosomes(path: Path, header: Header) -> Iterator[tuple[str, Iterator[Record]]]:
    """Chromosomes of a VCF or BCF as they come, each with its records; the file is read once.

    The records of one must be read before the next chromosome is asked for. Raises InputError where
    a chromosome's records stand in two places.
    """
    met: set[str] = set()
    records = groupby(read_records(path, header), key=lambda record: plain_name(record.chromosome))
    for name, group in records:
        first = next(group)
        if name in met:
            raise InputError(
                f"{path}: record {first.chromosome}:{first.position}: its chromosome stands in two "
                "places; sort it: bcftools sort"
            )
        met.add(name)
        yield first.chromosome, chain([first], group)


def check_counts(path: Path, header: Header, read: Mapping[str, int]) -> None:
    """Compare the records that were read, by chromosome, with what the file's index counts.

    Raises InputError where it counts others: index and file are not of each other.
    """
    indexed = count_indexed(path, header)
    if indexed is None:
        return
    counts = {name: Counter[str]() for name in ("index", "file")}
    for of, found in (("index", indexed), ("file", read)):
        for name, number in found.items():
            counts[of][plain_name(name)] += number
    uncounted = {plain_name(name) for name, number in indexed.items() if number == UNCOUNTED}
    for name in dict.fromkeys([*counts["file"], *counts["index"]]):
        there, told = counts["file"][name], counts["index"][name]
        if name not in uncounted and there != told:
            raise InputError(
                f"{path}: has {there} records on chromosome {name}, its index counts {told}; one "
                "is not of the other: run the download again, or index again: bcftools index -f"
            )


def _read_bcf(path: Path) -> Iterator[Record]:
    last = "its start"
    try:
        for record in _watch(path, open_vcf(path)):
            last = f"record {record.CHROM}:{record.POS}"
            yield _convert_record(record, f"{path}: {last}")
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: unreadable after {last} ({error}); fix or remove the record that follows"
        ) from error


def _convert_record(record: Variant, where: str) -> Record:
    """A record as `RecordReader` gives it. Raises InputError where it cannot be used."""
    if record.POS < 0:
        raise InputError(f"{where} lies before the chromosome's start; fix the position")
    if fault := find_odd_alt(",".join(record.ALT) or "."):
        raise InputError(f"{where} {fault}")
    if "GT" not in record.FORMAT:
        raise InputError(
            f"{where} has no GT in its FORMAT; use a file with genotypes, or remove the record"
        )
    calls = record.genotype.array()
    ploidy = calls.shape[1] - 1
    if ploidy > 2:
        raise InputError(
            f"{where} has {ploidy} alleles a person; haplorag knows one and two; fix the ploidy"
        )
    alleles, phased = _read_genotypes(calls)
    return Record(
        record.CHROM,
        record.POS,
        record.ID or ".",
        *read_alleles(record.REF, ",".join(record.ALT) or "."),
        bool(record.FILTER),
        "PS" in record.FORMAT,
        alleles,
        _read_phase(record, phased),
    )


def _read_genotypes(calls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alleles [n, 2] and phase bool [n] of genotypes [n, 2 or 3] as cyvcf2 has them, as
    `RecordReader` gives them.
    """
    first, phased = calls[:, 0], calls[:, -1].astype(bool)
    second = calls[:, 1] if calls.shape[1] > 2 else np.full_like(first, ABSENT)
    alone = second == ABSENT
    # A single dot stands for a missing genotype of any ploidy.
    second = np.where(alone & (first < 0), MISSING, second)
    return np.stack([first, second], axis=1), phased | alone


def _read_phase(record: Variant, phased: np.ndarray) -> np.ndarray:
    """Phase [n] of a record's genotypes, with their sets where it has any."""
    if "PS" not in record.FORMAT:
        return phased
    values = record.format("PS")
    # Whole numbers that are missing are negative, words that are missing a dot.
    words = [b"." if str(one).startswith("-") else str(one).encode() for one in values.ravel()]
    return np.where(phased, np.array([number_phase_set(word) for word in words], np.int32), 0)


def _watch(path: Path, reader: VCF) -> Iterator[Variant]:
    with unchanged(path):
        yield from reader
