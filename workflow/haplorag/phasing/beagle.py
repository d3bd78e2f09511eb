"""Phases people against the panel with Beagle."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from haplorag.errors import InputError
from haplorag.io.programs import run_program
from haplorag.phasing.units import join_sets
from haplorag.vcf.reader import read_records, read_vcf_header
from haplorag.vcf.writer import Site, write_genotypes, write_phased

REMEDY = "fix phasing.arguments, or set phasing.method: panel"


class BeagleRun(NamedTuple):
    """What Beagle is run with on one chromosome: a folder for its files, the chromosome's name, the
    typed sites with their genetic positions float [T] in cM, more arguments, seed and threads.
    """

    scratch: Path
    chromosome: str
    sites: list[Site]
    centimorgan: np.ndarray
    arguments: str
    seed: int
    threads: int


def phase_with_beagle(
    run: BeagleRun, panel: np.ndarray, alleles: np.ndarray, phases: np.ndarray
) -> tuple[np.ndarray, str]:
    """Phase people with alleles int8 [n, 2, T] and phases int32 [n, T] against a panel 0/1 [T, N].

    Gives haplotypes int8 [n, 2, T] and Beagle's name and version. What is phased stays so: Beagle,
    which knows no phase sets, phases everything, and each set is then turned as most of it lies
    there. Missing genotypes stay missing. Raises InputError where Beagle is not installed or fails.
    """
    if not shutil.which("beagle"):
        raise InputError(
            "beagle: not installed; run `apt-get install beagle`, or set phasing.method: panel"
        )
    names = [f"q{person}" for person in range(len(alleles))]
    _write_inputs(run, panel, alleles, names)
    files = [f"{word}={run.scratch}/{file}" for word, file in FILES.items()]
    fixed = ["impute=false", f"seed={run.seed % 2**31}", f"nthreads={run.threads}"]
    said = run_program(["beagle", *files, *fixed, *shlex.split(run.arguments)], REMEDY)
    chosen = _read_haplotypes(run, names)
    found = [join_sets(*person) for person in zip(chosen, alleles, phases, strict=True)]
    return np.stack(found), said.partition("\n")[0].replace(".jar", "").strip()


FILES = {
    "ref": "reference.vcf.gz",
    "gt": "unphased.vcf.gz",
    "map": "sites.map",
    "out": "phased",
}


def _write_inputs(run: BeagleRun, panel: np.ndarray, alleles: np.ndarray, names: list[str]) -> None:
    pairs = panel[:, : panel.shape[1] // 2 * 2].astype(np.int8)
    rows = pairs.reshape(len(panel), -1, 2)
    people = [f"r{person}" for person in range(rows.shape[1])]
    write_phased(run.scratch / FILES["ref"], run.chromosome, run.sites, rows, people)
    records = {run.chromosome: _list_unphased(run, alleles)}
    write_genotypes(run.scratch / FILES["gt"], records, names)
    # Beagle wants positions that rise.
    by_position = {site.position: cm for site, cm in zip(run.sites, run.centimorgan, strict=True)}
    lines = [f"{run.chromosome} . {cm:.9f} {bp}\n" for bp, cm in by_position.items()]
    (run.scratch / FILES["map"]).write_text("".join(lines))


def _list_unphased(
    run: BeagleRun, alleles: np.ndarray
) -> Iterator[tuple[Site, np.ndarray, np.ndarray]]:
    """Records of all sites; nobody is phased, and who lacks a haplotype lacks the allele."""
    calls = np.maximum(alleles, -1).transpose(2, 0, 1)
    nobody = np.ones(len(alleles), dtype=bool)
    for site, call in zip(run.sites, calls, strict=True):
        yield site, np.sort(call, axis=1), nobody


def _read_haplotypes(run: BeagleRun, names: list[str]) -> np.ndarray:
    """Beagle's haplotypes, int8 [n, 2, T]."""
    path = run.scratch / (FILES["out"] + ".vcf.gz")
    header = read_vcf_header(path)
    columns = header.find_columns(path, names)
    found = [record.alleles[columns].astype(np.int8) for record in read_records(path, header)]
    if len(found) != len(run.sites):
        raise InputError(
            f"beagle: gave {len(found)} of {len(run.sites)} sites back; take out of "
            "phasing.arguments what leaves sites out"
        )
    return np.stack(found).transpose(1, 2, 0)
