"""Merges imputed VCFs of batches of people, line by line, and computes AF, R2 and INFO anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam

from haplorag.errors import InputError
from haplorag.vcf.header import Header
from haplorag.vcf.writer import LEVELS, describe_dosages

MERGEABLE = "GT:DS:GP:HDS"
MARK = ":IMP"


class BatchLine(NamedTuple):
    """A line of one batch: where it stands (number of the chromosome, position, REF, ALT), from
    which file, and its columns, of which the last are the genotypes as they stand.
    """

    place: tuple[int, int]
    alleles: tuple[str, str]
    batch: int
    columns: list[str]

    @property
    def is_unused(self) -> bool:
        """Whether it is a record of the target that was not used."""
        return "TARGET_ONLY" in self.facts

    @property
    def facts(self) -> dict[str, str]:
        """INFO by name."""
        return dict(fact.partition("=")[::2] for fact in self.columns[7].split(";"))


def merge_lines(paths: list[Path], headers: list[Header]) -> Iterator[bytes]:
    """Lines of all batches' people, in the order of the files, which have the same chromosomes.

    Raises InputError where a site of the panel is not in every file, or a file is not one of ours.
    """
    chromosomes = list(headers[0].lengths)
    lines = [_read_lines(path, batch, chromosomes) for batch, path in enumerate(paths)]
    find = _remember_dosages()
    at_place = groupby(merge(*lines, key=attrgetter("place")), key=attrgetter("place"))
    for _, here in at_place:
        # A variant of the target that was not used may stand beside the panel's site that it is.
        by_kind: dict[tuple[bool, tuple[str, str]], list[BatchLine]] = {}
        for line in here:
            by_kind.setdefault((line.is_unused, line.alleles), []).append(line)
        for found in by_kind.values():
            yield _join(found, paths, headers, find)


def _read_lines(path: Path, batch: int, chromosomes: list[str]) -> Iterator[BatchLine]:
    with pysam.BGZFile(str(path), "rb") as file:
        for row in file:
            if row.startswith(b"#"):
                continue
            columns = row.decode().rstrip("\n").split("\t", 9)
            if columns[0] not in chromosomes:
                raise InputError(f"{path}: its chromosome {columns[0]} is not in all files")
            place = chromosomes.index(columns[0]), int(columns[1])
            yield BatchLine(place, (columns[3], columns[4]), batch, columns)


def _remember_dosages() -> Callable[[str], list[int]]:
    """What gives the haplotypes' dosages, in thousandths, of an entry; few are different."""
    known: dict[str, list[int]] = {}

    def find(entry: str) -> list[int]:
        if entry not in known:
            halves = entry.split(":")[3].split(",")
            known[entry] = [round(float(half) * LEVELS) for half in halves]
        return known[entry]

    return find


def _join(
    found: list[BatchLine], paths: list[Path], headers: list[Header], find: Callable
) -> bytes:
    """One line of a site's lines, of which a file that lacks a site that only targets have has
    none.
    """
    first = found[0]
    if first.is_unused:
        return _join_untouched(found, headers)
    if len(found) < len(paths):
        lacking = next(row for row in range(len(paths)) if row not in {one.batch for one in found})
        raise InputError(
            f"{paths[lacking]}: lacks the site {first.columns[0]}:{first.columns[1]} of "
            f"{paths[first.batch]}; merge batches that were imputed with the same imputer"
        )
    for line in found:
        if line.columns[8].removesuffix(MARK) != MERGEABLE or "INFO" not in line.facts:
            raise InputError(
                f"{paths[line.batch]}: record {first.columns[0]}:{first.columns[1]} is not as "
                "haplorag writes it; merge what `haplorag impute` wrote"
            )
    typed = ["TYPED" in line.facts for line in found]
    is_marked = any(typed) and not (
        all(typed) and all(line.columns[8] == MERGEABLE for line in found)
    )
    entries = [_mark(line, is_marked) for line in found]
    levels = np.array([level for part in entries for one in part for level in find(one)])
    sizes = np.array([sum(len(find(one)) for one in part) for part in entries])
    facts = _describe(found, levels / LEVELS, sizes)
    kind = "TYPED" if any(typed) else "IMP"
    head = [*_take_head(found), f"{facts};{kind}", MERGEABLE + MARK * is_marked]
    return "\t".join([*head, *(one for part in entries for one in part)]).encode() + b"\n"


def _describe(found: list[BatchLine], dosages: np.ndarray, sizes: np.ndarray) -> str:
    """INFO of all people: that of information is a mean over haplotypes."""
    shares = np.array([float(line.facts["INFO"]) for line in found])
    return describe_dosages(dosages, float(shares @ sizes / sizes.sum()))


def _mark(line: BatchLine, is_marked: bool) -> list[str]:
    """The entries of a line, which say who is imputed where that is asked for."""
    entries = line.columns[9].split("\t")
    if not is_marked or line.columns[8].endswith(MARK):
        return entries
    word = ":0" if "TYPED" in line.facts else ":1"
    return [entry + word for entry in entries]


def _take_head(found: list[BatchLine]) -> list[str]:
    """Columns up to FILTER, with the first id that there is."""
    head = found[0].columns[:7]
    names = (line.columns[2] for line in found)
    head[2] = next((name for name in names if name != "."), ".")
    return head


def _join_untouched(found: list[BatchLine], headers: list[Header]) -> bytes:
    entries = [["."] * len(header.samples) for header in headers]
    for line in found:
        entries[line.batch] = line.columns[9].split("\t")
    words = [*_take_head(found), "TARGET_ONLY", "GT"]
    return "\t".join([*words, *(one for part in entries for one in part)]).encode() + b"\n"
