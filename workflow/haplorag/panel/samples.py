"""Reads what is said of people: panel files, role files, and our own table of samples."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.errors import InputError
from haplorag.io.tables import read_table
from haplorag.io.text import read_text
from haplorag.seeding import seed_of
from haplorag.settings import SampleSettings

log = logging.getLogger(__name__)
ROLES = ("reference", "training", "validation", "test")
COLUMNS = {"sample": "sample", "pop": "population", "super_pop": "super_population"}
SEXES = {"male": "male", "m": "male", "1": "male", "female": "female", "f": "female", "2": "female"}


def read_panel_file(path: Path) -> pd.DataFrame:
    """Read a panel file of the 1000 Genomes form: columns sample, population, super_population and
    sex, all text.

    Columns are found by the names sample, pop, super_pop and gender, whatever their order, and the
    last may be lacking: sex is male, female or empty. Tabs or spaces, any line end and a byte order
    mark are all taken. Raises InputError where a column is missing, a row is short or a sample
    stands twice.
    """
    table = _read_columns(path, "sample pop super_pop gender")
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise InputError(
            f"{path}: line 1 lacks the column {' and '.join(missing)}; set the header to: sample "
            "pop super_pop gender"
        )
    for column in COLUMNS:
        if blank := int((table[column] == "").sum()):
            line = int(np.argmax(table[column] == "")) + 2
            raise InputError(
                f"{path}: line {line} has no {column}, {blank} lines in all; fix them, any word "
                "stands for unknown"
            )
    counts = table["pop"].value_counts()
    if small := int((counts < 2).sum()):
        log.warning(
            "%s: small_pop=%d populations have one person, whose genotypes their frequencies tell",
            path,
            small,
        )
    if odd := [
        number
        for number, name in enumerate(table["pop"], start=2)
        if not re.fullmatch(r"[\w.+ -]+", name)
    ]:
        log.warning(
            "%s: line %d and %d more name a population oddly; fix the names",
            path,
            odd[0],
            len(odd) - 1,
        )
    described = table[list(COLUMNS)].rename(columns=COLUMNS)
    described["sex"] = [_read_sex(word) for word in table.get("gender", [""] * len(table))]
    return described


def read_sexes(path: Path) -> dict[str, str]:
    """Read the sex of people, male, female or empty, from a file with the columns sample and
    gender, as a panel file has them.

    Raises InputError where a column is missing or a sample stands twice.
    """
    table = _read_columns(path, "sample gender")
    if "gender" not in table:
        raise InputError(
            f"{path}: line 1 lacks the column gender; set the header to: sample gender"
        )
    return dict(zip(table["sample"], map(_read_sex, table["gender"]), strict=True))


def _read_sex(word: str) -> str:
    """male, female, or nothing where a panel file does not say; PLINK has 1 and 2 for them."""
    return SEXES.get(word.lower(), "")


def read_roles(path: Path) -> dict[str, str]:
    """Read a role file, columns sample and role.

    Raises InputError where a role is unknown or a sample stands twice.
    """
    table = _read_columns(path, "sample role", unique=False)
    if "role" not in table:
        raise InputError(f"{path}: line 1 lacks the column role; set the header to: sample role")
    for line, role in enumerate(table["role"], start=2):
        if role not in ROLES:
            raise InputError(
                f"{path}: line {line} has no known role in the column role; use one of "
                f"{', '.join(ROLES)}, or set the columns right where they are swapped"
            )
    by_name = table.groupby("sample")["role"].agg(set)
    if both := int((by_name.map(len) > 1).sum()):
        with_reference = int(by_name.map(lambda roles: {"reference", "test"} <= roles).sum())
        line = int(np.argmax(table["sample"].isin(by_name[by_name.map(len) > 1].index))) + 2
        raise InputError(
            f"{path}: line {line} names one of split_overlap={both} people with several roles "
            f"(test_in_reference={with_reference}); remove all but one role of each, "
            "samples.roles must part people"
        )
    _refuse_repeats(path, enumerate(table["sample"], start=2))
    return dict(zip(table["sample"], table["role"], strict=True))


def read_samples(path: Path) -> pd.DataFrame:
    """Read our own table of samples: sample, population, super_population, role, sex, all text."""
    return read_table(path, sample=str, population=str, super_population=str, role=str, sex=str)


def find_males(samples: pd.DataFrame) -> np.ndarray:
    """1 for men, 0 for women, -1 for those of whom the table does not say: int8 [person]."""
    if "sex" not in samples:
        return np.full(len(samples), -1, dtype=np.int8)
    return samples["sex"].map({"male": 1, "female": 0}).fillna(-1).to_numpy(dtype=np.int8)


def find_samples(samples: pd.DataFrame, role: str) -> np.ndarray:
    """Rows of the table with a role, int32; `training` falls back on the reference people where
    nobody is kept for it.
    """
    rows = np.flatnonzero(samples["role"] == role)
    if role == "training" and not len(rows):
        rows = np.flatnonzero(samples["role"] == "reference")
    return rows.astype(np.int32)


def rank_reference_samples(samples: pd.DataFrame) -> np.ndarray:
    """Rank of each person among the reference people, int32 [person], -1 for everyone else."""
    is_reference = (samples["role"] == "reference").to_numpy()
    return np.where(is_reference, np.cumsum(is_reference) - 1, -1).astype(np.int32)


def list_populations(people: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Super-populations by name, in order, and which rows are theirs, int64 [n]."""
    for population in sorted(people["super_population"].unique()):
        yield population, np.flatnonzero(people["super_population"] == population)


def _refuse_repeats(path: Path, names: Iterable[tuple[int, str]]) -> None:
    seen: dict[str, int] = {}
    for number, name in names:
        if name in seen:
            raise InputError(
                f"{path}: line {number} repeats the sample of line {seen[name]}; remove one of them"
            )
        seen[name] = number


def _read_columns(path: Path, header: str, unique: bool = True) -> pd.DataFrame:
    text = read_text(path, f"write it as UTF-8 with the header: {header}")
    # Names may hold what str.splitlines takes for the end of a line.
    lines = re.split(r"\r\n|\n|\r", text)
    # Names with blanks need tabs; without tabs any blanks part the columns.
    separator = "\t" if lines and "\t" in lines[0] else None
    rows = [[cell.strip() for cell in line.split(separator)] for line in lines]
    names = rows[0] if rows else []
    while names and not names[-1]:
        del names[-1]
    if "sample" not in names:
        raise InputError(f"{path}: line 1 lacks the column sample; set the header to: {header}")
    kept = [(number, row) for number, row in enumerate(rows[1:], start=2) if any(row)]
    blanks = (
        sum(cell != cell.strip() for line in lines[1:] for cell in line.split("\t")[:1])
        if separator
        else 0
    )
    if blanks:
        log.warning(
            "%s: name_whitespace=%d names have blanks around them, which are left out; remove them",
            path,
            blanks,
        )
    for number, row in kept:
        if len(row) < len(names) and not (separator is None and len(row) > names.index("sample")):
            raise InputError(
                f"{path}: line {number} has {len(row)} columns, the header has {len(names)}; fix "
                "the line"
            )
    if unique:
        _refuse_repeats(path, ((number, row[names.index("sample")]) for number, row in kept))
    return pd.DataFrame([row[: len(names)] for _, row in kept], columns=names, dtype=str)


def draw_roles(table: pd.DataFrame, settings: SampleSettings, seed: int) -> np.ndarray:
    """Draw a role per row, each population cut in the same shares, which are lower where they would
    be more than `most` people; the shares hold over all people to within one.
    """
    most = settings.most / max(len(table), 1)
    shares = np.minimum([settings.validation, settings.test], most)
    roles = np.full(len(table), "reference", dtype=object)
    taken = np.zeros(2)
    seen = 0
    for population in sorted(table["population"].unique()):
        rows = np.flatnonzero(table["population"] == population)
        rows = np.random.default_rng(seed_of(seed, "samples", population)).permutation(rows)
        seen += len(rows)
        # What rounding owes earlier populations is paid by later ones.
        owed = np.round(shares * seen - taken).astype(int).clip(0)
        taken += owed
        roles[rows[: owed[0]]] = "validation"
        roles[rows[owed[0] : owed.sum()]] = "test"
    return roles


def list_roles(settings: SampleSettings, path: Path | None) -> list[str]:
    """Roles that people are to have: those that the file at `path` gives, or those with a share.

    Who only imputes may hold nobody out.
    """
    if path is not None:
        given = set(read_roles(path).values()) | {"reference"}
        return [role for role in ROLES if role in given]
    shares = {"validation": settings.validation, "test": settings.test}
    return ["reference", *(role for role, share in shares.items() if share)]


def assign_roles(table: pd.DataFrame, path: Path) -> pd.Series:
    """Take each person's role from a file; those it does not name have none."""
    given = read_roles(path)
    roles = table["sample"].map(given).fillna("")
    known = set(table["sample"])
    strangers = [line for line, name in enumerate(given, start=2) if name not in known]
    if strangers:
        raise InputError(
            f"{path}: line {strangers[0]} names one of split_unknown={len(strangers)} people who "
            "are not in both the VCF "
            f"and the panel file; remove them"
        )
    if without := int((roles == "").sum()):
        log.warning("%s: %d people have no role and are left out", path, without)
    return roles
