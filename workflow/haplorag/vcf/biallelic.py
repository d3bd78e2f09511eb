"""Cuts a chromosome of a VCF into blocks of biallelic sites, and counts every record's fate."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from haplorag.errors import InputError
from haplorag.vcf.chromosomes import plain_name
from haplorag.vcf.header import Header
from haplorag.vcf.index import UNCOUNTED, count_indexed
from haplorag.vcf.reader import iterate_chromosomes, read_vcf_header
from haplorag.vcf.records import ABSENT, Record

log = logging.getLogger(__name__)
BLOCK_RECORDS = 1024
BASES = frozenset("ACGTacgt")
HAPLOID = {"X", "Y", "M", "MT", "23", "24", "26"}
VERSIONS = {f"VCFv4.{minor}" for minor in range(6)}


@dataclass
class Block:
    """Consecutive biallelic sites: alleles int8 [S, n, 2] (-1 missing) and whether each genotype is
    phased, bool [S, n].
    """

    positions: np.ndarray
    refs: list[str]
    alts: list[str]
    ids: list[str]
    alleles: np.ndarray
    phased: np.ndarray

    def take(self, kept: np.ndarray) -> Block:
        """The sites where `kept` bool [S] is true."""
        if kept.all():
            return self
        chosen = np.flatnonzero(kept)
        refs, alts, ids = (
            [words[site] for site in chosen] for words in (self.refs, self.alts, self.ids)
        )
        return Block(
            self.positions[chosen], refs, alts, ids, self.alleles[chosen], self.phased[chosen]
        )


@dataclass
class BiallelicReader:
    """Streams one chromosome of a VCF as blocks of biallelic sites; `tally` counts records by fate
    as it goes.

    People come in the order of `people`; `variants` is `snps` or `all_biallelic`, `multiallelic` is
    `split` or `skip`. `first` names the first record of each fate, `notes` tells what is odd about
    the file as a whole. With `listing`, `dropped` lists what was left out: position, REF, ALT,
    reason. The file is opened, unless its `header` and the chromosome's `records` are given. Raises
    InputError where the file is cut, unsorted, not a VCF or not of its index, or lacks the
    chromosome or a person.
    """

    path: Path
    chromosome: str
    people: list[str]
    variants: str = "snps"
    multiallelic: str = "split"
    listing: bool = False
    tally: Counter[str] = field(default_factory=Counter)
    notes: dict[str, str] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    dropped: list[tuple[int, str, str, str]] = field(default_factory=list)
    header: Header | None = None
    records: Iterator[Record] | None = None

    def __iter__(self) -> Iterator[Block]:
        header = self.header or read_vcf_header(self.path)
        indexed = count_indexed(self.path)
        columns = (
            None if header.samples == self.people else header.find_columns(self.path, self.people)
        )
        block: list[tuple[Any, ...]] = []
        seen: set[tuple[str, str]] = set()
        last = 0
        for record in self._walk(header):
            self._check_place(record, last, header)
            if last < record.position:
                seen, last = set(), record.position
            block += self._read_record(record, columns, seen)
            if len(block) >= BLOCK_RECORDS:
                yield self._stack(block)
                block = []
        self._check_end(header, indexed)
        if block:
            yield self._stack(block)

    def count_genotypes(self, reason: str, block: Block, chosen: np.ndarray) -> None:
        """Count genotypes bool [S, n] of a block and remember the first one's place."""
        if chosen.any():
            self.tally[reason] += int(np.count_nonzero(chosen))
            self.first.setdefault(
                reason, f"{self.chromosome}:{block.positions[np.argmax(chosen.any(axis=1))]}"
            )

    def check_phase(self, allowed: float, remedy: str) -> None:
        """Raise InputError where more than `allowed` of the heterozygous genotypes read so far are
        unphased.
        """
        unphased, heterozygous = self.tally["unphased_heterozygotes"], self.tally["heterozygotes"]
        if unphased > allowed * heterozygous:
            raise InputError(
                f"{self.path}: {unphased} of {heterozygous} heterozygous genotypes are unphased, "
                f"the first in record {self.first['unphased_heterozygotes']}; {remedy}"
            )

    def warn_notes(self) -> None:
        """Warn of what is odd about the file as a whole."""
        for note, text in self.notes.items():
            log.warning("%s: %s=1: %s; fix it if this is not meant", self.path, note, text)

    def count(self, reason: str, record: Record) -> None:
        """Count a record's fate and remember the first one's place."""
        self.tally[reason] += 1
        self.first.setdefault(reason, f"{record.chromosome}:{record.position}")

    def _walk(self, header: Header) -> Iterator[Record]:
        for record in self.records or self._select(header):
            self.tally["read"] += 1
            yield record

    def _select(self, header: Header) -> Iterator[Record]:
        """The chromosome's records of a whole file; those of others are counted."""
        wanted = plain_name(self.chromosome)
        for name, records in iterate_chromosomes(self.path, header):
            if plain_name(name) == wanted:
                yield from records
            else:
                for record in records:
                    self.count("other_chromosome", record)

    def _check_place(self, record: Record, last: int, header: Header) -> None:
        if last > record.position:
            where = f"{self.path}: record {record.chromosome}:{record.position}"
            raise InputError(f"{where} follows {last}; sort it: bcftools sort -Oz -o new.vcf.gz")
        if record.failed:
            self.count("filter_fail", record)
        if record.phase_set:
            self.count("phase_sets", record)
        if 0 < header.lengths.get(record.chromosome, 0) < record.position:
            self.count("beyond_contig_end", record)
        if self.tally["read"] == 1:
            if self.chromosome != record.chromosome:
                self.notes["renamed_chromosome"] = (
                    f"it calls the chromosome {record.chromosome}, not {self.chromosome}"
                )
            if record.chromosome not in header.lengths:
                self.notes["contig_not_in_header"] = (
                    f"its header has no line ##contig=<ID={record.chromosome}>"
                )

    def _check_end(self, header: Header, indexed: dict[str, int] | None) -> None:
        read = self.tally["read"]
        if not read:
            raise InputError(
                f"{self.path}: no record on chromosome {self.chromosome}; fix the names in "
                "`chromosomes`"
            )
        if not header.has_genotypes:
            self.notes["header_gt_missing"] = "its header does not declare GT"
        if header.version not in VERSIONS:
            self.notes["unknown_version"] = f"its version is {header.version}, which was never met"
        counts = [
            number
            for name, number in (indexed or {}).items()
            if plain_name(name) == plain_name(self.chromosome)
        ]
        if indexed is not None and UNCOUNTED not in counts and sum(counts) != read:
            raise InputError(
                f"{self.path}: has {read} records on chromosome {self.chromosome}, its index "
                f"counts {sum(counts)}; "
                f"one is not of the other: run the download again, or index again: tabix -f"
            )

    def _read_record(
        self, record: Record, columns: np.ndarray | None, seen: set[tuple[str, str]]
    ) -> Iterator[tuple[Any, ...]]:
        if not record.alts:
            self._drop(record, ".", "no_alt")
            return
        if (
            seen
            and any(ref == record.ref for ref, _ in seen)
            and (record.ref, record.alts[0]) not in seen
        ):
            self.count("multiallelic_split", record)
        if len(record.alts) > 1:
            self.count("multiallelic", record)
            if self.multiallelic == "skip":
                return
        calls, phased = _read_calls(self.path, record, columns)
        for number, alt in enumerate(record.alts, start=1):
            reason = "duplicate_site" if (record.ref, alt) in seen else self._refuse(record, alt)
            seen.add((record.ref, alt))
            if reason:
                self._drop(record, alt, reason)
                continue
            alleles = calls
            if len(record.alts) > 1:
                alleles = np.where(calls < 0, calls, calls == number).astype(np.int8)
            yield record.position, record.ref, alt, record.name, alleles, phased

    def _drop(self, record: Record, alt: str, reason: str) -> None:
        self.count(reason, record)
        if self.listing:
            self.dropped.append((record.position, record.ref, alt, reason))

    def _refuse(self, record: Record, alt: str) -> str | None:
        """Why an allele is left out.

        Raises InputError where it says that the file is of another kind.
        """
        ref = record.ref
        if len(ref) == len(alt) == 1 and ref != alt and ref in BASES and alt in BASES:
            return None
        where = f"{self.path}: record {record.chromosome}:{record.position}"
        if alt in ("<NON_REF>", "<*>"):
            raise InputError(f"{where} is a gVCF block; run joint genotyping first and use its VCF")
        if alt.upper() == ref.upper():
            raise InputError(f"{where} has an ALT that equals its REF; fix or remove the record")
        if alt == "*":
            return "star"
        if set("<>[].") & set(alt):
            return "symbolic"
        if not set(ref + alt) <= BASES:
            return "non_acgt"
        if self.variants == "snps" and not len(ref) == len(alt) == 1:
            return "mnp" if len(ref) == len(alt) else "indel"
        return None

    def _stack(self, records: list[tuple[Any, ...]]) -> Block:
        positions, refs, alts, ids, calls, phase = zip(*records, strict=True)
        alleles = np.stack(
            [values if values.dtype == np.int8 else values.astype(np.int8) for values in calls]
        )
        block = Block(
            np.array(positions, dtype=np.int32),
            list(refs),
            list(alts),
            list(ids),
            alleles,
            np.stack(phase),
        )
        # The two alleles of a genotype as one number, whatever the order of bytes: 0|1 and 1|0 are
        # 1 and 256.
        genotype = alleles.view(np.uint16)[..., 0]
        different = (genotype == 1) | (genotype == 256)
        self.tally["heterozygotes"] += int(np.count_nonzero(different))
        self.count_genotypes("unphased_heterozygotes", block, different & ~block.phased)
        return block


def _read_calls(
    path: Path, record: Record, columns: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Alleles int8 or int16 [n, 2], -1 missing, and phase bool [n] of the wanted people."""
    alleles, phased = record.alleles, record.phased
    if columns is not None:
        alleles, phased = alleles[columns], phased[columns]
    if alleles.dtype == np.int8:
        return alleles, phased
    where = f"{path}: record {record.chromosome}:{record.position}"
    haploid = (alleles[:, 1] == ABSENT) & (alleles[:, 0] >= 0)
    if haploid.any() and plain_name(record.chromosome).upper() not in HAPLOID:
        raise InputError(
            f"{where} has {haploid.sum()} haploid genotypes on an autosome; fix the ploidy"
        )
    if alleles.max(initial=-1) > len(record.alts):
        raise InputError(
            f"{where} has a genotype with an allele that is not listed in ALT; fix or remove the "
            "record"
        )
    return np.maximum(alleles, -1), phased
