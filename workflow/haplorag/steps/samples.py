"""Decides each person's role: reference, validation or test, stratified by population."""

from __future__ import annotations

import logging
from pathlib import Path

from haplorag.errors import InputError
from haplorag.io.tables import write_table
from haplorag.panel.samples import ROLES, assign_roles, draw_roles, read_panel_file
from haplorag.pipeline.cli import run_step
from haplorag.settings import SampleSettings
from haplorag.vcf.reader import read_vcf_header

log = logging.getLogger(__name__)


def samples(
    vcf: Path,
    people: Path,
    output: Path,
    *,
    settings: SampleSettings,
    seed: int,
    roles: Path | None = None,
) -> None:
    """Write sample, population, super_population and role of everyone who is in both the VCF and the panel file.

    Rows follow the VCF. People in only one of the two are counted; a role file decides roles instead of the seed.
    """
    described = read_panel_file(people).set_index("sample")
    genotyped = read_vcf_header(vcf).samples
    shared = [name for name in genotyped if name in described.index]
    if not shared:
        raise InputError(
            f"{people}: none of its {len(described)} people is in {vcf}; use the panel file of this VCF"
        )
    log.info("%d people in both files", len(shared))
    for word, path, other, number in (
        ("vcf_only", vcf, people, len(genotyped)),
        ("panel_only", people, vcf, len(described)),
    ):
        if left := number - len(shared):
            log.warning(
                "%s: %s=%d people are not in %s and left out; use files of the same people",
                path,
                word,
                left,
                other,
            )
    table = described.loc[shared].reset_index()
    table["role"] = (
        draw_roles(table, settings, seed) if roles is None else assign_roles(table, roles)
    )
    table = table[table["role"] != ""]
    counts = table["role"].value_counts()
    for role in ("reference", "validation", "test"):
        if not counts.get(role, 0):
            raise InputError(
                f"{roles or people}: of the {len(shared)} people who are in {vcf} too, nobody is left for the role {role}; "
                f"use more people, set another share or name people by samples.roles"
            )
    if counts["reference"] < 2:
        raise InputError(
            f"{roles or people}: one reference person has nobody to copy from; use more people as the reference"
        )
    log.info("roles: %s", ", ".join(f"{counts[role]} {role}" for role in ROLES if role in counts))
    write_table(output, table[["sample", "population", "super_population", "role"]])


if __name__ == "__main__":
    run_step(samples)
