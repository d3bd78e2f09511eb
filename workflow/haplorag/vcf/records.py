"""Reads the records of a VCF as text, line by line; every column is looked at."""

from __future__ import annotations

import logging
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from haplorag.alleles import ABSENT
from haplorag.errors import InputError
from haplorag.vcf.bgzf import read_pieces
from haplorag.vcf.header import Header, split_header

log = logging.getLogger(__name__)
LONGEST_LINE = 2**27
# VCF 4.4 and 4.5 may write the phase of the first allele before it: |0|1 is 0|1.
CALL = re.compile(rb"([|/]?)(\d+|\.)(?:([|/])(\d+|\.))?")
# Phase of a genotype that is in no set of its own.
PHASED = 1
# Nearly all genotypes are 0|0 to 1|1 and nothing else: four bytes each that differ in two bits.
PLAIN_CALL, PLAIN_BITS = (int(np.frombuffer(text, "<u4")[0]) for text in (b"0|0\t", b"\1\0\1\0"))


class Record(NamedTuple):
    """One line: alleles int16 or int8 [n, 2] (-1 missing, ABSENT no second one) and phase int32 or
    bool [n], in the file's order: 0 not phased, 1 phased, and higher the number of a phase set.

    REF and ALT are in capitals; `lower_case` tells that they were not. Position 0 is a telomere.
    """

    chromosome: str
    position: int
    name: str
    ref: str
    alts: list[str]
    lower_case: bool
    failed: bool
    phase_set: bool
    alleles: np.ndarray
    phased: np.ndarray


@dataclass
class RecordReader:
    """The records of a VCF that is text within, read once.

    Raises InputError that names the line and what to do about it.
    """

    path: Path
    header: Header
    line: int = 0

    def __iter__(self) -> Iterator[Record]:
        pieces = split_header(self.path, read_pieces(self.path))
        next(pieces)
        self.line = self.header.lines
        people = len(self.header.samples)
        everyone = np.ones(people, dtype=bool)
        for line in self._skip_blank_end(self._split(pieces)):
            fields = line.split(b"\t", 9)
            if len(fields) < 10:
                raise InputError(f"{self.path}: line {self.line} {_describe_columns(line, people)}")
            chromosome, position, name, ref, alt, _, failed, _, formats, calls = fields
            words = formats.split(b":")
            if fault := _find_fault(fields, words):
                raise InputError(f"{self.path}: line {self.line}{_name_record(line)} {fault}")
            found = _read_plain(calls, people) if words == [b"GT"] else None
            try:
                alleles, phased = (
                    (found, everyone) if found is not None else _read_calls(calls, people, words)
                )
            except ValueError as error:
                columns = _describe_columns(line, people)
                raise InputError(
                    f"{self.path}: line {self.line}{_name_record(line)} {columns or error}"
                ) from error
            yield Record(
                chromosome.decode("utf-8", "replace"),
                int(position),
                name.decode("utf-8", "replace"),
                *read_alleles(ref.decode("utf-8", "replace"), alt.decode("utf-8", "replace")),
                failed not in (b"PASS", b"."),
                b"PS" in words,
                alleles,
                phased,
            )

    def _skip_blank_end(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """Count the lines; blank ones may only stand at the end."""
        blank = 0
        for line in lines:
            self.line += 1
            if not line.strip():
                blank = blank or self.line
                continue
            if blank:
                raise InputError(f"{self.path}: line {blank} is blank; remove it")
            yield line
        if blank:
            log.warning(
                "%s: blank_last_lines=%d, from line %d on, are passed over; remove them if more "
                "was to follow", self.path, self.line - blank + 1, blank,
            )  # fmt: skip

    def _split(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Give the lines without their ends."""
        rest: list[bytes] = []
        length = 0
        for piece in pieces:
            if b"\0" in piece:
                raise InputError(
                    f"{self.path}: NUL bytes after line {self.line}; run the download or the "
                    "program that wrote it again"
                )
            first, *more = piece.split(b"\n")
            rest.append(first)
            length += len(first)
            if length > LONGEST_LINE:
                raise InputError(
                    f"{self.path}: line {self.line + 1} exceeds {LONGEST_LINE} bytes; remove "
                    "what fills it"
                )
            if more:
                yield b"".join(rest).removesuffix(b"\r")
                for line in more[:-1]:
                    yield line.removesuffix(b"\r")
                rest, length = [more[-1]], len(more[-1])
        if last := b"".join(rest):
            yield last.removesuffix(b"\r")


@lru_cache(maxsize=2**14)
def _capitalise(ref: str, alt: str) -> tuple[str, tuple[str, ...], bool]:
    """REF and the alleles of ALT in capitals, names in brackets as they are; whether that changed
    anything.
    """
    given = () if alt == "." else tuple(alt.split(","))
    alts = tuple(one if set("<>[]") & set(one) else one.upper() for one in given)
    return ref.upper(), alts, (ref.upper(), alts) != (ref, given)


def read_alleles(ref: str, alt: str) -> tuple[str, list[str], bool]:
    """REF and ALT as `Record` has them, and whether they were in small letters."""
    capital, alts, changed = _capitalise(ref, alt)
    return capital, list(alts), changed


def find_odd_alt(alt: str) -> str | None:
    """What is wrong with an ALT column as a list, None where nothing is."""
    if not alt:
        return "has an empty ALT; fix it, `.` stands for none"
    if "," not in alt:
        return None
    alts = alt.upper().split(",")
    if "" in alts or "." in alts:
        return "has an empty allele in its ALT; fix the list, every allele needs bases"
    if len(set(alts)) < len(alts):
        return "lists an allele of ALT twice; fix or remove the record"
    return None


def _describe_columns(line: bytes, people: int) -> str | None:
    if line.startswith(b"#"):
        return "is a second header among the records; use bcftools concat to join files"
    if b"\t" not in line:
        return "has no tabs; use tabs between columns, not blanks"
    columns = line.count(b"\t") + 1
    if columns == people + 9:
        return None
    found = f"has {columns} columns{_name_record(line)}"
    return f"{found}, the header {people + 9}; fix or remove the record"


def _read_plain(calls: bytes, people: int) -> np.ndarray | None:
    """Alleles int8 [n, 2] where every genotype is one of 0|0, 0|1, 1|0 and 1|1, else None."""
    if len(calls) != 4 * people - 1:
        return None
    different = np.frombuffer(calls + b"\t", "<u4") ^ np.uint32(PLAIN_CALL)
    if (different & ~np.uint32(PLAIN_BITS)).any():
        return None
    # The second allele goes beside the first.
    return (different | (different >> 8)).astype("<u2").view(np.int8).reshape(people, 2)


def _read_calls(calls: bytes, people: int, words: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Alleles int16 [n, 2] and phase [n] (see `Record`) of cells with the fields `words`.

    Raises ValueError where one is odd.
    """
    place = words.index(b"GT")
    cells = calls.split(b"\t")
    if len(cells) != people:
        raise ValueError("has too many or too few columns; fix the record")
    parsed = [
        _parse_call(cell.split(b":", place + 1)[place] if place <= cell.count(b":") else b".")
        for cell in cells
    ]
    table = np.array(parsed, dtype=np.int16).reshape(people, 3)
    phased = table[:, 2].astype(bool)
    if b"PS" in words:
        place = words.index(b"PS")
        named = [cell.split(b":", place + 1)[place:][:1] for cell in cells]
        sets = [number_phase_set(word[0]) if word else PHASED for word in named]
        phased = np.where(phased, np.array(sets, dtype=np.int32), 0)
    return table[:, :2], phased


def number_phase_set(word: bytes) -> int:
    """The number of a phase set by its name, the value of PS: 1 for `.`, which is none."""
    if word in (b".", b""):
        return PHASED
    name = int(word) if word.isdigit() else zlib.crc32(word)
    return PHASED + 1 + name % 2**30


@lru_cache(maxsize=2**14)
def _parse_call(word: bytes) -> tuple[int, int, bool]:
    found = CALL.fullmatch(word)
    if not found:
        alleles = (
            re.fullmatch(rb"[\d.]+(?:[|/][\d.]+){2,}", word) and len(re.findall(rb"[|/]", word)) + 1
        )
        if alleles:
            raise ValueError(
                f"has {alleles} alleles a person; haplorag knows one and two; fix the ploidy"
            )
        raise ValueError(
            f"has a genotype {word[:20].decode('ascii', 'replace')!r}; fix it, 0|1 is the form"
        )
    before, first, separator, second = found.groups()
    low = -1 if first == b"." else min(int(first), 2**14)
    if separator is None:
        # A single dot stands for a missing genotype of any ploidy.
        return low, -1 if low < 0 else ABSENT, True
    return (
        low,
        -1 if second == b"." else min(int(second), 2**14),
        (separator == b"|" and before != b"/"),
    )


def _find_fault(fields: list[bytes], words: list[bytes]) -> str | None:
    chromosome, position, _, ref, alt = fields[:5]
    if not chromosome:
        return "has no chromosome; fix the record"
    if not position.isdigit() or not int(position[:12]) < 2**31 or len(position) > 12:
        found = position[:30].decode("ascii", "replace")
        return f"has the position {found!r}; fix it to a whole number up to 2147483647"
    if ref in (b"", b"."):
        return "has no REF allele; fix or remove the record"
    if fault := find_odd_alt(alt.decode("utf-8", "replace")):
        return fault
    if b"GT" not in words:
        return "has no GT in its FORMAT; use a file with genotypes, or remove the record"
    return None


def _name_record(line: bytes) -> str:
    chromosome, position, *_ = *line.split(b"\t", 2), b"", b""
    name = (
        f"{chromosome[:30].decode('ascii', 'replace')}:{position[:12].decode('ascii', 'replace')}"
    )
    return f" (record {name})" if name.isprintable() and position.isdigit() else ""
