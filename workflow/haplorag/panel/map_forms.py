"""The forms in which genetic maps are handed around, and how they are told apart.

| form | columns |
|---|---|
| PLINK, Beagle, Minimac4 | chromosome, id, cM, bp |
| HapMap, Eagle, BOLT | chromosome, bp, rate in cM/Mb, cM |
| IMPUTE, SHAPEIT2 | bp, rate in cM/Mb, cM |
| SHAPEIT4 and 5, GLIMPSE | bp, chromosome, cM |
| Minimac4, newer | chromosome, bp, cM |
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.errors import InputError
from haplorag.io.text import read_unpacked, shorten

# What a header calls the columns, in lower case and without blanks and marks.
NAMES = {
    "chromosome": ("chr", "chrom", "chromosome"),
    "bp": ("bp", "pos", "position", "positionbp", "physicalposition", "posbp", "basepair"),
    "cM": ("cm", "map", "mapcm", "geneticmap", "geneticmapcm", "geneticposition", "poscm"),
}
FORMS = (
    "PLINK (chromosome . cM bp), HapMap or Eagle (chr position rate cM), SHAPEIT or GLIMPSE (pos "
    "chr cM), IMPUTE (position rate cM) or Minimac4 (chrom pos cM)"
)
# Lines by which a map without a header is judged, and lines that are read at a time.
SEEN_LINES, BLOCK_LINES = 1000, 200_000


@dataclass(frozen=True)
class MapRows:
    """A chromosome's lines of a map, as they stand: number of the line int64 [K] from 1, `bp` and
    `centimorgan` float64 [K], NaN where there is no number.
    """

    line: np.ndarray
    bp: np.ndarray
    centimorgan: np.ndarray


@dataclass(frozen=True)
class _Form:
    """Which columns of a map are what, and after how many lines it begins."""

    columns: int
    chromosome: int | None
    bp: int
    centimorgan: int
    skipped: int


def read_map_rows(path: Path) -> dict[str | None, MapRows]:
    """Lines of a genetic map by the name of their chromosome, None where the form has none.

    Raises InputError where the file is of no form that is known, or a line has too few columns.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path}: not readable ({error.strerror}); fix panel.map") from error
    return _read_rows(path, found.st_mtime_ns, found.st_size)


# The workflow and every chromosome ask for the same file, which may be one for all.
@lru_cache(maxsize=4)
def _read_rows(path: Path, changed: int, size: int) -> dict[str | None, MapRows]:
    text = _read_unpacked(path)
    form = _find_form(path, text)
    blocks = list(_parse_blocks(path, text, form))
    table = pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()
    if table.empty:
        raise InputError(f"{path}: holds no positions; use a map in one of the forms {FORMS}")
    if form.chromosome is None:
        return {None: _as_rows(table)}
    parts = table.groupby("chromosome", sort=False)
    return {str(name): _as_rows(part) for name, part in parts}


def _as_rows(table: pd.DataFrame) -> MapRows:
    return MapRows(*(table[name].to_numpy() for name in ("line", "bp", "cM")))


def _read_unpacked(path: Path) -> str:
    data = read_unpacked(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not text; use a map in one of the forms {FORMS}") from error
    if "\0" in text:
        raise InputError(f"{path}: is not text; use a map in one of the forms {FORMS}")
    return text


def _find_form(path: Path, text: str) -> _Form:
    """Tell a map's form by its header, or else by its first lines."""
    skipped = 0
    header: list[str] = []
    seen: list[list[str]] = []
    for line in io.StringIO(text):
        cells = line.split()
        if cells and not line.startswith("##"):
            # A header is the first line, and names its last column instead of giving a number.
            if not seen and not header and not _is_number(cells[-1]):
                header = cells[1:] if cells[0] == "#" else cells
            else:
                seen.append(cells)
        if not seen:
            skipped += 1
        if len(seen) == SEEN_LINES:
            break
    if not seen:
        raise InputError(f"{path}: holds no positions; use a map in one of the forms {FORMS}")
    if header:
        return _take_names(path, header, skipped)
    return _guess_form(path, seen, skipped)


def _take_names(path: Path, header: list[str], skipped: int) -> _Form:
    plain = [re.sub(r"[^a-z]", "", name.lower()) for name in header]
    place = {
        role: next((number for number, name in enumerate(plain) if name in names), None)
        for role, names in NAMES.items()
    }
    bp, centimorgan = place["bp"], place["cM"]
    if bp is None or centimorgan is None:
        raise InputError(
            f"{path}: its header ({shorten(' '.join(header))}) names no column of positions in bp "
            f"and in cM; use one of the forms {FORMS}"
        )
    return _Form(len(header), place["chromosome"], bp, centimorgan, skipped)


def _guess_form(path: Path, seen: list[list[str]], skipped: int) -> _Form:
    columns = len(seen[0])
    if columns not in (3, 4) or any(len(cells) != columns for cells in seen):
        row = next((row for row, cells in enumerate(seen) if len(cells) != columns), 0)
        raise InputError(
            f"{path}: line {skipped + row + 1} has {len(seen[row])} columns; use a map in one of "
            f"the forms {FORMS}"
        )
    by_column = list(zip(*seen, strict=True))
    whole = [all(cell.isdigit() for cell in cells) for cells in by_column]
    if columns == 4:
        # PLINK's last column is bp; that of HapMap is cM, with a fraction somewhere.
        is_hapmap = whole[1] and not whole[3] and _are_positions(by_column[1])
        return _Form(4, 0, *((1, 3) if is_hapmap else (3, 2)), skipped)
    if whole[1] and _are_positions(by_column[1]) and not _are_positions(by_column[0]):
        return _Form(3, 0, 1, 2, skipped)
    is_named = len(set(by_column[1])) < max(2, len(seen) // 10)
    return _Form(3, 1 if is_named else None, 0, 2, skipped)


def _are_positions(cells: tuple[str, ...]) -> bool:
    """Whether a column's whole numbers rise as positions do."""
    return all(cell.isdigit() and len(cell) < 16 for cell in cells) and int(cells[-1]) > int(
        cells[0]
    )


def _parse_blocks(path: Path, text: str, form: _Form) -> Iterator[pd.DataFrame]:
    """Columns line, chromosome, bp and cM of some lines at a time."""
    names = list(range(form.columns))
    try:
        reader = pd.read_csv(
            io.StringIO(text), sep=r"\s+", header=None, names=names, dtype=str, comment=None,
            skiprows=form.skipped, skip_blank_lines=False, keep_default_na=False, na_values=[""],
            chunksize=BLOCK_LINES, index_col=False, quoting=3, on_bad_lines="error",
        )  # fmt: skip
        for block in reader:
            yield _parse_block(path, block, form)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: a line has more columns than the first ({shorten(str(error).strip())}); use "
            f"a map in one of the forms {FORMS}"
        ) from error


def _parse_block(path: Path, block: pd.DataFrame, form: _Form) -> pd.DataFrame:
    lines = block.index.to_numpy() + form.skipped + 1
    blank = block.isna().all(axis=1).to_numpy()
    short = block.isna().any(axis=1).to_numpy() & ~blank
    if short.any():
        line = lines[int(np.argmax(short))]
        raise InputError(f"{path}: line {line} has fewer columns than the first; fix the line")
    numbers = [
        pd.to_numeric(block[column], errors="coerce").to_numpy(dtype=float)
        for column in (form.bp, form.centimorgan)
    ]
    named = "" if form.chromosome is None else block[form.chromosome].to_numpy()
    columns = {"line": lines, "chromosome": named, "bp": numbers[0], "cM": numbers[1]}
    return pd.DataFrame(columns)[~blank]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
