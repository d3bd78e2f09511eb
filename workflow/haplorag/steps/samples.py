"""Decides each person's role: reference, validation or test, stratified by population."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.pipeline import cli as command
from haplorag.io import hdf5 as store
from haplorag.errors import InputError
from haplorag.masking import seed_of
from haplorag.panel.samples import ROLES, read_people, read_roles
from haplorag.settings import Samples
from haplorag.vcf.reader import describe_vcf

log = logging.getLogger(__name__)


def samples(vcf: Path, people: Path, output: Path, *, settings: Samples, seed: int, roles: Path | None = None) -> None:
    """Write sample, population, super_population and role of everyone who is in both the VCF and the panel file.

    Rows follow the VCF. People in only one of the two are counted; a role file decides roles instead of the seed.
    """
    described = read_people(people).set_index("sample")
    genotyped = describe_vcf(vcf).samples
    shared = [name for name in genotyped if name in described.index]
    if not shared:
        raise InputError(f"{people}: none of its {len(described)} people is in {vcf}; use the panel file of this VCF")
    log.info("%d people in both files", len(shared))
    for word, path, other, number in (("vcf_only", vcf, people, len(genotyped)), ("panel_only", people, vcf, len(described))):
        if left := number - len(shared):
            log.warning("%s: %s=%d people are not in %s and left out; use files of the same people", path, word, left, other)
    table = described.loc[shared].reset_index()
    table["role"] = draw_roles(table, settings, seed) if roles is None else _take_roles(table, roles)
    table = table[table["role"] != ""]
    counts = table["role"].value_counts()
    for role in ("reference", "validation", "test"):
        if not counts.get(role, 0):
            raise InputError(
                f"{roles or people}: of the {len(shared)} people who are in {vcf} too, nobody is left for the role {role}; "
                f"use more people, set another share or name people by samples.roles"
            )
    if counts["reference"] < 2:
        raise InputError(f"{roles or people}: one reference person has nobody to copy from; use more people as the reference")
    log.info("roles: %s", ", ".join(f"{counts[role]} {role}" for role in ROLES if role in counts))
    store.write_table(output, table[["sample", "population", "super_population", "role"]])


def draw_roles(table: pd.DataFrame, settings: Samples, seed: int) -> np.ndarray:
    """Draw a role per row, each population cut in the same shares; the shares hold over all people to within one."""
    roles = np.full(len(table), "reference", dtype=object)
    taken = np.zeros(2)
    seen = 0
    for population in sorted(table["population"].unique()):
        rows = np.flatnonzero(table["population"] == population)
        rows = np.random.default_rng(seed_of(seed, "samples", population)).permutation(rows)
        seen += len(rows)
        # What rounding owes earlier populations is paid by later ones.
        owed = np.round(np.array([settings.validation, settings.test]) * seen - taken).astype(int).clip(0)
        taken += owed
        roles[rows[: owed[0]]] = "validation"
        roles[rows[owed[0] : owed.sum()]] = "test"
    return roles


def _take_roles(table: pd.DataFrame, path: Path) -> pd.Series:
    given = read_roles(path)
    roles = table["sample"].map(given).fillna("")
    known = set(table["sample"])
    strangers = [line for line, name in enumerate(given, start=2) if name not in known]
    if strangers:
        raise InputError(
            f"{path}: line {strangers[0]} names one of split_unknown={len(strangers)} people who are not in both the VCF "
            f"and the panel file; remove them"
        )
    if without := int((roles == "").sum()):
        log.warning("%s: %d people have no role and are left out", path, without)
    return roles


if __name__ == "__main__":
    command.run(samples)
