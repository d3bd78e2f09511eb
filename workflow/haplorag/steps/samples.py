"""Decides each person's role: reference, validation or test, stratified by population."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from haplorag.errors import InputError
from haplorag.io.tables import write_table
from haplorag.panel.samples import ROLES, assign_roles, draw_roles, list_roles, read_panel_file
from haplorag.pipeline.cli import run_step
from haplorag.settings import SampleSettings
from haplorag.vcf.reader import read_vcf_header

log = logging.getLogger(__name__)
# The population of people of whom nothing is known.
UNKNOWN = "unknown"


def samples(
    vcf: Path,
    output: Path,
    *,
    settings: SampleSettings,
    seed: int,
    people: Path | None = None,
    roles: Path | None = None,
    everyone: Path | None = None,
) -> None:
    """Write sample, population, super_population, role and sex of everyone in both the VCF and the
    panel file.

    `everyone` is the same table with all of them in the reference, for the imputer that users get.
    Rows follow the VCF. Without a panel file everybody is of one unknown population. People in only
    one of the two are counted; a role file decides roles instead of the seed. Raises InputError
    where nobody is in both or a role has nobody.
    """
    genotyped = read_vcf_header(vcf).samples
    table = _describe_everybody(genotyped) if people is None else _join(vcf, genotyped, people)
    table["role"] = (
        draw_roles(table, settings, seed) if roles is None else assign_roles(table, roles)
    )
    table = table[table["role"] != ""]
    counts = table["role"].value_counts()
    wanted = list_roles(settings, roles)
    _check_roles(wanted, counts, roles or people or vcf, vcf, len(genotyped))
    log.info("roles: %s", ", ".join(f"{counts[role]} {role}" for role in ROLES if role in counts))
    columns = ["sample", "population", "super_population", "role", "sex"]
    for path, rows in ((output, table), (everyone, table.assign(role="reference"))):
        if path is not None:
            write_table(path, rows[columns])


def _describe_everybody(names: list[str]) -> pd.DataFrame:
    """The people of a VCF of whom nothing is known."""
    return pd.DataFrame(
        {"sample": names, "population": UNKNOWN, "super_population": UNKNOWN, "sex": ""}
    )


def _join(vcf: Path, genotyped: list[str], people: Path) -> pd.DataFrame:
    """The people of a VCF who are in the panel file too, in the VCF's order."""
    described = read_panel_file(people).set_index("sample")
    shared = [name for name in genotyped if name in described.index]
    if not shared:
        raise InputError(
            f"{people}: none of its {len(described)} people is in {vcf}; "
            "use the panel file of this VCF"
        )
    log.info("%d people in both files", len(shared))
    _warn_of_missing("vcf_only", vcf, people, len(genotyped) - len(shared))
    _warn_of_missing("panel_only", people, vcf, len(described) - len(shared))
    return described.loc[shared].reset_index()


def _warn_of_missing(word: str, path: Path, other: Path, missing: int) -> None:
    """Warn of people in one file who are not in the other."""
    if missing:
        log.warning(
            "%s: %s=%d people are not in %s and left out; use files of the same people",
            path,
            word,
            missing,
            other,
        )


def _check_roles(
    wanted: list[str], counts: pd.Series, source: Path, vcf: Path, shared: int
) -> None:
    """Raise InputError where a role that is needed has too few people; `source` decided roles."""
    for role in wanted:
        if not counts.get(role, 0):
            raise InputError(
                f"{source}: of the {shared} people who are in {vcf} too, nobody is left for the "
                f"role {role}; use more people, set another share or name people by samples.roles"
            )
    if counts["reference"] < 2:
        raise InputError(
            f"{source}: one reference person has nobody to copy from; "
            "use more people as the reference"
        )


if __name__ == "__main__":
    run_step(samples)
