"""Finds which VCF of a panel holds which chromosome."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from haplorag.errors import InputError
from haplorag.vcf.chromosomes import match_chromosome, plain_name, refuse_unpaired
from haplorag.vcf.reader import find_chromosomes, read_vcf_header

log = logging.getLogger(__name__)
CHROMOSOME = "{chromosome}"
# Chromosomes that are taken where none are named.
USUAL = re.compile(r"\d{1,2}|X")


def find_vcfs(names: list[str], wanted: list[str]) -> dict[str, Path]:
    """The VCF of each chromosome, in the order of the chromosomes.

    `names` are paths, with {chromosome} in them or without; of the chromosomes in the files those
    `wanted` are taken, or the usual ones. Raises InputError where a file or a chromosome is
    missing, a chromosome is in two files, or it is one that is not imputed.
    """
    found: dict[str, Path] = {}
    for path in [path for name in names for path in _list_files(name)]:
        for chromosome in _list_chromosomes(path):
            other = match_chromosome(chromosome, list(found))
            if other is not None:
                raise InputError(
                    f"{path}: has chromosome {chromosome}, and so has {found[other]}; leave one out"
                )
            found[chromosome] = path
    chosen = _choose(list(found), wanted)
    for name in chosen:
        refuse_unpaired(name)
    return {name: found[name] for name in sorted(chosen, key=_order)}


def _list_files(name: str) -> list[Path]:
    """The files that a name stands for; {chromosome} is a part of a file's own name.

    Raises InputError where there is none.
    """
    path = Path(name)
    if CHROMOSOME not in path.name:
        return [path]
    before, *parts = path.name.split(CHROMOSOME)
    text = re.escape(before) + "(.+?)" + r"\1".join(map(re.escape, parts))
    beside = path.parent.iterdir() if path.parent.is_dir() else []
    found = sorted(other for other in beside if re.fullmatch(text, other.name))
    if not found:
        raise InputError(f"{name}: no such file for any chromosome; fix its name")
    return found


def _list_chromosomes(path: Path) -> list[str]:
    """Chromosomes that have records in a file; without an index it is read."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; fix its name")
    return find_chromosomes(path, read_vcf_header(path))


def _choose(found: list[str], wanted: list[str]) -> list[str]:
    """Those chromosomes of files that are to be taken."""
    if wanted:
        chosen = [match_chromosome(name, found) for name in wanted]
        if None in chosen:
            lacking = wanted[chosen.index(None)]
            raise InputError(
                f"--chromosomes: no file has {lacking}, only {', '.join(found[:30])}; fix it"
            )
        return [name for name in chosen if name is not None]
    usual = [name for name in found if USUAL.fullmatch(plain_name(name))]
    others = [name for name in found if name not in usual]
    if usual and others:
        log.warning(
            "chromosomes that are neither numbered nor X are left out: %s; name all to be taken by "
            "--chromosomes if this is not meant", ", ".join(others[:30]),
        )  # fmt: skip
    return usual or found


def _order(chromosome: str) -> tuple[int, str]:
    """Numbers before letters."""
    plain = plain_name(chromosome)
    return (int(plain), "") if plain.isdecimal() else (1000, plain)
