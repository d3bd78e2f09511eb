"""Tables as TSV, each with its checksum beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from haplorag.errors import InputError
from haplorag.io.atomic import replacing, write_bytes
from haplorag.io.checksums import check_checksum, checksum


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as TSV with a header; numbers keep six significant digits.

    Its checksum goes to a hidden file beside it.
    """
    with replacing(path) as temporary:
        table.to_csv(
            temporary, sep="\t", index=False, float_format="%.6g", na_rep="", lineterminator="\n"
        )
        write_bytes(_name_seal(path), f"{checksum(temporary)}  {path.name}\n".encode())


def remove_table(path: Path) -> None:
    """Remove a table and its checksum, where they are."""
    path.unlink(missing_ok=True)
    _name_seal(path).unlink(missing_ok=True)


def read_table(path: Path, **types: Any) -> pd.DataFrame:
    """Read a TSV written by `write_table`; `types` gives columns another dtype than the guess.

    Raises InputError where it is not as it was written. A table that was copied without its
    checksum is taken as it is.
    """
    seal = _name_seal(path)
    try:
        if seal.exists():
            check_checksum(path, seal.read_text().split()[0])
        return pd.read_csv(
            path, sep="\t", dtype=types or None, keep_default_na=False, na_values=[""]
        )
    except InputError:
        raise
    except (OSError, ValueError, IndexError) as error:
        raise InputError(
            f"{path}: not a readable table ({error}); remove it and run again"
        ) from error


def _name_seal(path: Path) -> Path:
    return path.with_name(f".sha256.{path.name}")
