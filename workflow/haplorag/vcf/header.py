"""Reads the header of a VCF as text, and checks that it is sound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from haplorag.errors import InputError
from haplorag.vcf.bgzf import read_pieces

COLUMNS = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]

# How a line begins that says by what a target was phased.
PHASING = b"##haplorag_phasing="


@dataclass(frozen=True)
class Header:
    """What a VCF's header declares: samples, chromosomes with their lengths (0 unknown), version,
    whether GT is declared.

    `lines` is how many lines it takes, `kind` the file's kind as `check_container` gives it,
    `phasing` its lines that say by what haplorag phased it.
    """

    samples: list[str]
    lengths: dict[str, int]
    version: str
    has_genotypes: bool
    lines: int
    kind: str
    phasing: tuple[str, ...]

    def find_columns(self, path: Path, people: list[str]) -> np.ndarray:
        """Column int64 [n] of each person among the samples.

        Raises InputError where one is lacking or stands twice.
        """
        column = {name: number for number, name in enumerate(self.samples)}
        if len(column) < len(self.samples):
            raise InputError(
                f"{path}: a sample name stands twice in the header; rename it: bcftools reheader"
            )
        missing = sum(name not in column for name in people)
        if missing:
            raise InputError(
                f"{path}: lacks {missing} of the {len(people)} people wanted; use files with the "
                "same samples"
            )
        return np.array([column[name] for name in people], dtype=np.int64)


def read_header(path: Path, kind: str) -> Header:
    """Read the header of a VCF that is text within.

    Raises InputError where it is none or names samples badly.
    """
    return _parse_header(path, next(split_header(path, read_pieces(path))), kind)


def split_header(path: Path, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Give the header's lines as one piece, then everything else as it comes."""
    held: list[bytes] = []
    end = _HeaderEnd()
    for piece in pieces:
        held.append(piece)
        if (at := end.find(piece)) is not None:
            yield b"".join([*held[:-1], piece[:at]])
            yield piece[at:]
            yield from pieces
            return
    if not held:
        raise InputError(
            f"{path}: holds no text; run the download or the program that wrote it again"
        )
    yield b"".join(held)


class _HeaderEnd:
    """Finds where a header ends, piece by piece; each byte is looked at once."""

    def __init__(self) -> None:
        # What is known of the line that a piece begins in: its first two bytes at the most.
        self._begun = b""

    def find(self, piece: bytes) -> int | None:
        """Where in the next piece the first byte after the header is; None if not in it."""
        at = 0
        while at < len(piece):
            lacking = 2 - len(self._begun)
            self._begun += piece[at : at + lacking]
            if self._begun[:1] != b"#":
                # Only a line's first byte can tell that it is a record: it begins in this piece.
                return at
            stop = piece.find(b"\n", at)
            if stop < 0:
                return None
            at = stop + 1
            if self._begun[:2] != b"##":
                return at
            self._begun = b""
        return None


def _parse_header(path: Path, text: bytes, kind: str) -> Header:
    lines = text.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    number = len(lines)
    version = re.match(rb"##fileformat=(VCFv[\d.]+)", lines[0])
    if not version:
        raise InputError(f"{path}: line 1 is not ##fileformat=VCFv4.x; set it so")
    if not lines[-1].startswith(b"#CHROM"):
        raise InputError(
            f"{path}: line {number + 1} is a record, but no line #CHROM stands before it; fix "
            "the header"
        )
    columns = lines[-1].split(b"\t")
    if len(columns) < 8 or columns[:8] != [name.encode() for name in COLUMNS[:8]]:
        raise InputError(
            f"{path}: line {number} does not part {' '.join(COLUMNS[:4])}... by tabs; fix the "
            "header"
        )
    if len(columns) < 10:
        raise InputError(f"{path}: line {number} names no samples; use a VCF with genotypes")
    genotype = next((line for line in lines if re.match(rb"##FORMAT=<(.*,)?ID=GT,", line)), None)
    found = re.search(rb"Type=(\w+)", genotype) if genotype else None
    if found and found[1] != b"String":
        raise InputError(
            f"{path}: declares GT as {found[1].decode()}; fix the header: "
            "##FORMAT=<ID=GT,Number=1,Type=String,...>"
        )
    samples = _read_samples(path, columns[9:], number)
    lengths, told = read_contigs(lines), find_phasing(lines)
    return Header(samples, lengths, version[1].decode(), genotype is not None, number, kind, told)


def read_contigs(lines: list[bytes]) -> dict[str, int]:
    """Chromosomes that a header's lines declare, with their lengths in bp (0 unknown)."""
    return dict(_parse_contig(line) for line in lines if line.startswith(b"##contig="))


def find_phasing(lines: list[bytes]) -> tuple[str, ...]:
    """Lines of a header that say by what haplorag phased, as they are."""
    return tuple(line.decode("utf-8", "replace") for line in lines if line.startswith(PHASING))


def _parse_contig(line: bytes) -> tuple[str, int]:
    name, length = re.search(rb"ID=([^,>]*)", line), re.search(rb"length=(\d+)", line)
    return name[1].decode("utf-8", "replace") if name else "", int(length[1]) if length else 0


def _read_samples(path: Path, names: list[bytes], line: int) -> list[str]:
    first: dict[bytes, int] = {}
    for column, name in enumerate(names, start=10):
        if not name.strip():
            raise InputError(
                f"{path}: line {line}, column {column} is an empty sample name; run: bcftools "
                "reheader -s NAMES"
            )
        if name in first:
            raise InputError(
                f"{path}: line {line}, columns {first[name]} and {column} are the same sample; "
                "rename or remove one of them"
            )
        first[name] = column
        try:
            name.decode()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}: line {line}, column {column}: a sample name that is not UTF-8; rename it"
            ) from error
    return [name.decode() for name in names]
