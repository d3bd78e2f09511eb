"""Reads phased VCF and BCF files in blocks, exactly, and counts what is left out and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cyvcf2 import VCF

from haplorag.errors import InputError

BLOCK_RECORDS = 1024
BASES = frozenset("ACGT")
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


@dataclass
class Block:
    """Consecutive biallelic sites: alleles int8 [S, n, 2] (-1 missing) and whether each genotype is phased, bool [S, n]."""

    positions: np.ndarray
    refs: list[str]
    alts: list[str]
    ids: list[str]
    alleles: np.ndarray
    phased: np.ndarray

    def take(self, kept: np.ndarray) -> Block:
        """The sites where `kept` bool [S] is true."""
        chosen = np.flatnonzero(kept)
        refs, alts, ids = ([words[site] for site in chosen] for words in (self.refs, self.alts, self.ids))
        return Block(self.positions[chosen], refs, alts, ids, self.alleles[chosen], self.phased[chosen])


@dataclass
class Reader:
    """Streams one chromosome of a VCF as blocks of biallelic sites; `tally` counts records by fate as it goes.

    People come in the order of `people`; `variants` is `snps` or `all_biallelic`, `multiallelic` is `split` or `skip`.
    With `listing`, `dropped` lists what was left out: position, REF, ALT, reason.
    Raises InputError where the file is cut, unsorted or not a VCF, or lacks the chromosome or a person.
    """

    path: Path
    chromosome: str
    people: list[str]
    variants: str = "snps"
    multiallelic: str = "split"
    listing: bool = False
    tally: Counter[str] = field(default_factory=Counter)
    dropped: list[tuple[int, str, str, str]] = field(default_factory=list)

    def __iter__(self) -> Iterator[Block]:
        check_container(self.path)
        reader = open_vcf(self.path)
        columns = _find_columns(self.path, reader.samples, self.people)
        block: list[tuple[Any, ...]] = []
        seen: set[tuple[str, str]] = set()
        last = 0
        for record in self._walk(reader):
            if last > record.POS:
                raise InputError(
                    f"{self.path}: record {record.CHROM}:{record.POS} follows {last}; sort it: bcftools sort -Oz -o new.vcf.gz"
                )
            if last < record.POS:
                seen, last = set(), record.POS
            block += self._read_record(record, columns, seen)
            if len(block) >= BLOCK_RECORDS:
                yield _stack(block)
                block = []
        if not self.tally["read"]:
            raise InputError(f"{self.path}: no record on chromosome {self.chromosome}; check the names in `chromosomes`")
        if block:
            yield _stack(block)

    def _walk(self, reader: VCF) -> Iterator[Any]:
        name = match_chromosome(self.chromosome, list(reader.seqnames)) or self.chromosome
        finished, last = False, "its start"
        try:
            for record in reader:
                if plain_name(record.CHROM) != plain_name(name):
                    finished = finished or self.tally["read"] > 0
                    continue
                if finished:
                    raise InputError(f"{self.path}: chromosome {record.CHROM} stands in two places; sort it: bcftools sort")
                last = f"record {record.CHROM}:{record.POS}"
                self.tally["read"] += 1
                yield record
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{self.path}: unreadable after {last} ({error}); fetch or write the file again") from error

    def _read_record(self, record: Any, columns: np.ndarray, seen: set[tuple[str, str]]) -> Iterator[tuple[Any, ...]]:
        alts = record.ALT
        if not alts:
            self._drop(record, ".", "no_alternate_allele")
            return
        if len(alts) > 1:
            self.tally["multiallelic"] += 1
            if self.multiallelic == "skip":
                return
        calls = _read_calls(self.path, record, columns, len(alts))
        for number, alt in enumerate(alts, start=1):
            reason = self._refuse(record.REF, alt, seen)
            if reason:
                self._drop(record, alt, reason)
                continue
            seen.add((record.REF, alt))
            alleles = calls[:, :2]
            if len(alts) > 1:
                alleles = np.where(alleles < 0, alleles, alleles == number).astype(np.int8)
            yield record.POS, record.REF, alt, record.ID or ".", alleles, calls[:, 2].astype(bool)

    def _drop(self, record: Any, alt: str, reason: str) -> None:
        self.tally[reason] += 1
        if self.listing:
            self.dropped.append((record.POS, record.REF, alt, reason))

    def _refuse(self, ref: str, alt: str, seen: set[tuple[str, str]]) -> str | None:
        if (ref, alt) in seen:
            return "duplicate"
        if not (set(ref.upper()) <= BASES and set(alt.upper()) <= BASES):
            return "symbolic"
        if self.variants == "snps" and not len(ref) == len(alt) == 1:
            return "not_snp"
        return None


def open_vcf(path: Path) -> VCF:
    """Open a VCF or BCF. Raises InputError where it is not one."""
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    try:
        return VCF(str(path), gts012=False)
    except Exception as error:
        raise InputError(f"{path}: not a readable VCF or BCF ({error}); write it again, e.g. with bcftools view") from error


def check_container(path: Path) -> None:
    """Check that a block-gzipped file ends as such files do. Raises InputError where it was cut."""
    with path.open("rb") as handle:
        head = handle.read(18)
        if head[:4] != b"\x1f\x8b\x08\x04" or head[12:14] != b"BC":
            return
        handle.seek(-len(BGZF_END), 2)
        if handle.read() != BGZF_END:
            raise InputError(f"{path}: cut short, the end-of-file block is missing; fetch or write the file again")


def plain_name(chromosome: str) -> str:
    """The chromosome's name without `chr`: chr21 and 21 are one."""
    return re.sub(r"^chr", "", chromosome, flags=re.IGNORECASE)


def match_chromosome(chromosome: str, names: list[str]) -> str | None:
    """The one of `names` that means the same chromosome, None if there is none."""
    return next((name for name in names if plain_name(name) == plain_name(chromosome)), None)


def _find_columns(path: Path, samples: list[str], people: list[str]) -> np.ndarray:
    column = {name: number for number, name in enumerate(samples)}
    if len(column) < len(samples):
        raise InputError(f"{path}: a sample name stands twice in the header; rename it: bcftools reheader")
    missing = sum(name not in column for name in people)
    if missing:
        raise InputError(f"{path}: lacks {missing} of the {len(people)} people wanted; use files with the same samples")
    return np.array([column[name] for name in people], dtype=np.int64)


def _read_calls(path: Path, record: Any, columns: np.ndarray, alts: int) -> np.ndarray:
    """Alleles and phase of the wanted people, int16 [n, 3]; a haploid call has its second allele missing."""
    where = f"{path}: record {record.CHROM}:{record.POS}"
    if record.genotype is None:
        raise InputError(f"{where} has no GT; keep the genotypes when the file is written")
    calls = record.genotype.array()[columns]
    ploidy = calls.shape[1] - 1
    if ploidy > 2:
        raise InputError(f"{where} has {ploidy} alleles a person; haplorag knows one and two; fix the ploidy")
    if ploidy == 1:
        calls = np.insert(calls, 1, -1, axis=1)
    calls[:, :2] = np.maximum(calls[:, :2], -1)
    if calls[:, :2].max(initial=-1) > alts:
        raise InputError(f"{where} has a genotype with an allele that is not listed in ALT; fix or remove the record")
    return calls


def _stack(block: list[tuple[Any, ...]]) -> Block:
    positions, refs, alts, ids, alleles, phased = zip(*block, strict=True)
    return Block(
        np.array(positions, dtype=np.int32),
        list(refs),
        list(alts),
        list(ids),
        np.stack(alleles).astype(np.int8),
        np.stack(phased),
    )
