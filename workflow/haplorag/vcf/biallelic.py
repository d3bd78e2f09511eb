"""Cuts a chromosome of a VCF into blocks of biallelic sites, and counts every record's fate."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from haplorag.alleles import ABSENT, AlleleBits, count_bits, find_different, pack_alleles
from haplorag.errors import InputError
from haplorag.vcf.chromosomes import match_chromosome, may_be_haploid, plain_name
from haplorag.vcf.header import Header
from haplorag.vcf.position import Judged, Rules, Variant, judge_position, list_remarks
from haplorag.vcf.reader import check_counts, iterate_chromosomes, read_vcf_header
from haplorag.vcf.records import Record

log = logging.getLogger(__name__)
BLOCK_RECORDS = 1024
VERSIONS = {f"VCFv4.{minor}" for minor in range(6)}


class SiteFate(NamedTuple):
    """What became of one allele of a record: a fate and remarks of `vcf.fates`."""

    position: int
    ref: str
    alt: str
    fate: str
    remarks: str


@dataclass
class Block:
    """Consecutive biallelic sites: alleles int8 [S, n, 2] (-1 missing, ABSENT no second one), the
    phase of each genotype [S, n] as in `Record`, and what is odd about each one's record. Alleles
    are not changed in place.
    """

    positions: np.ndarray
    refs: list[str]
    alts: list[str]
    ids: list[str]
    alleles: np.ndarray
    phased: np.ndarray
    remarks: list[str]

    @cached_property
    def bits(self) -> AlleleBits:
        """The alleles as bits, packed once for all who count them."""
        return pack_alleles(self.alleles)

    def take(self, kept: np.ndarray) -> Block:
        """The sites where `kept` bool [S] is true."""
        if kept.all():
            return self
        chosen = np.flatnonzero(kept)
        refs, alts, ids, remarks = (
            [words[site] for site in chosen]
            for words in (self.refs, self.alts, self.ids, self.remarks)
        )
        calls = self.alleles[chosen], self.phased[chosen]
        return Block(self.positions[chosen], refs, alts, ids, *calls, remarks)


@dataclass
class BiallelicReader:
    """Streams one chromosome of a VCF as blocks of biallelic sites; `tally` counts records by fate
    as it goes.

    People come in the order of `people`. `first` names the first record of each fate, `notes` tells
    what is odd about the file as a whole. With `listing`, `dropped` lists what was left out. The
    file is opened, unless its `header` and the chromosome's `records` are given. Raises InputError
    where the file is cut, unsorted, not a VCF or not of its index, or lacks the chromosome or a
    person.
    """

    path: Path
    chromosome: str
    people: list[str]
    rules: Rules = field(default_factory=Rules)
    listing: bool = False
    tally: Counter[str] = field(default_factory=Counter)
    notes: dict[str, str] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    dropped: list[SiteFate] = field(default_factory=list)
    header: Header | None = None
    records: Iterator[Record] | None = None

    def __iter__(self) -> Iterator[Block]:
        header = self.header or read_vcf_header(self.path)
        columns = (
            None if header.samples == self.people else header.find_columns(self.path, self.people)
        )
        block: list[tuple[Variant, str]] = []
        for _, group in groupby(self._walk(header), key=attrgetter("position")):
            records = [_choose_people(self.path, record, columns) for record in group]
            block += self._judge(records, header)
            if len(block) >= BLOCK_RECORDS:
                yield self._stack(block)
                block = []
        self._check_end(header)
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
        """The chromosome's records, in order."""
        last = 0
        names: set[str] = set()
        for record in self.records or self._select(header):
            self.tally["read"] += 1
            if last > record.position:
                where = f"{self.path}: record {record.chromosome}:{record.position}"
                raise InputError(
                    f"{where} follows {last}; sort it: bcftools sort -Oz -o new.vcf.gz"
                )
            last = record.position
            if record.chromosome not in names:
                names.add(record.chromosome)
                self._note_name(record.chromosome, names, header)
            yield record

    def _select(self, header: Header) -> Iterator[Record]:
        """The chromosome's records of a whole file; those of others are counted."""
        name = match_chromosome(self.chromosome, list(header.lengths)) or self.chromosome
        wanted = plain_name(name)
        read: Counter[str] = Counter()
        for name, records in iterate_chromosomes(self.path, header):
            for record in records:
                read[record.chromosome] += 1
                if plain_name(name) == wanted:
                    yield record
                else:
                    self.count("other_chromosome", record)
        check_counts(self.path, header, read)

    def _note_name(self, name: str, names: set[str], header: Header) -> None:
        """Note what is odd about how the file calls the chromosome."""
        if name != self.chromosome:
            self.notes["renamed_chromosome"] = (
                f"it calls the chromosome {name}, not {self.chromosome}"
            )
        if name not in header.lengths:
            self.notes["contig_not_in_header"] = f"its header has no line ##contig=<ID={name}>"
        if len(names) > 1:
            self.notes["mixed_names"] = (
                f"it calls one chromosome {' and '.join(sorted(names))}, which are read as one"
            )

    def _check_end(self, header: Header) -> None:
        if not self.tally["read"]:
            raise InputError(
                f"{self.path}: no record on chromosome {self.chromosome}; fix the names in "
                "`chromosomes`"
            )
        if not header.has_genotypes:
            self.notes["header_gt_missing"] = "its header does not declare GT"
        if header.version not in VERSIONS:
            self.notes["unknown_version"] = f"its version is {header.version}, which was never met"

    def _judge(self, records: list[Record], header: Header) -> Iterator[tuple[Variant, str]]:
        """The variants of a position that are kept, with what is odd about their records."""
        remarks: dict[int, str] = {}
        for place, record in enumerate(records):
            length = header.lengths.get(record.chromosome, 0)
            words = list_remarks(record, records[:place], length)
            for word in words:
                self.count(word, record)
            remarks[id(record)] = ",".join(words)
        judged = self._judge_alleles(records)
        for record, alt, reason in judged.dropped:
            # The remark counts a record of several alleles already.
            if reason != "multiallelic":
                self.count(reason, record)
            if self.listing:
                odd = remarks[id(record)]
                self.dropped.append(SiteFate(record.position, record.ref, alt, reason, odd))
        for variant in judged.kept:
            yield variant, remarks[id(variant.record)]

    def _judge_alleles(self, records: list[Record]) -> Judged:
        try:
            return judge_position(records, self.rules)
        except ValueError as error:
            first = records[0]
            raise InputError(
                f"{self.path}: record {first.chromosome}:{first.position} {error}"
            ) from error

    def _stack(self, variants: list[tuple[Variant, str]]) -> Block:
        kept, remarks = zip(*variants, strict=True)
        records = [one.record for one in kept]
        alleles = np.stack([one.alleles.astype(np.int8, copy=False) for one in kept])
        block = Block(
            np.array([record.position for record in records], dtype=np.int32),
            [record.ref for record in records],
            [one.alt for one in kept],
            [record.name for record in records],
            alleles,
            _stack_phases([one.phased for one in kept]),
            list(remarks),
        )
        self.tally["heterozygotes"] += int(count_bits(find_different(block.bits)).sum())
        unphased = block.phased == 0
        if unphased.any():
            different = (alleles >= 0).all(axis=2) & (alleles[..., 0] != alleles[..., 1])
            self.count_genotypes("unphased_heterozygotes", block, different & unphased)
        return block


def _stack_phases(phases: list[np.ndarray]) -> np.ndarray:
    """Phases [S, n] of sites; where all are one array, as of plain records, it is not repeated."""
    first = phases[0]
    if all(one is first for one in phases):
        return np.broadcast_to(first, (len(phases), len(first)))
    return np.stack(phases)


def _choose_people(path: Path, record: Record, columns: np.ndarray | None) -> Record:
    """The record with the wanted people only, -1 for what is missing and ABSENT for a second allele
    of a haploid genotype.

    Raises InputError where a genotype cannot be.
    """
    alleles, phased = record.alleles, record.phased
    if columns is not None:
        alleles, phased = alleles[columns], phased[columns]
    where = f"{path}: record {record.chromosome}:{record.position}"
    plain = alleles.dtype == np.int8 and record.alts
    if not plain and alleles.max(initial=-1) > len(record.alts):
        raise InputError(
            f"{where} has a genotype with an allele that is not listed in ALT; fix or remove the "
            "record"
        )
    if alleles.dtype != np.int8:
        haploid = (alleles[:, 1] == ABSENT) & (alleles[:, 0] >= 0)
        if haploid.any() and not may_be_haploid(record.chromosome):
            raise InputError(
                f"{where} has {haploid.sum()} haploid genotypes on an autosome; fix the ploidy"
            )
    return record._replace(alleles=alleles, phased=phased)
