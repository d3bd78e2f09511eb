"""Facts as JSON, sealed by a checksum of their own text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from haplorag.errors import InputError
from haplorag.io.atomic import write_bytes
from haplorag.io.text import read_bytes, shorten

FORMAT_VERSION = 3


def write_facts(path: Path, word: str, facts: dict[str, Any]) -> None:
    """Write a JSON file of format `word`; its last entry is the checksum of the text before."""
    text = json.dumps(
        {"format": f"{word}/{FORMAT_VERSION}", **facts}, indent=1, allow_nan=False
    ).removesuffix("\n}")
    write_bytes(path, f"{text}{_seal_text(text)}".encode())


def read_facts(path: Path, word: str) -> dict[str, Any]:
    """Read a JSON file of format `word`.

    Raises InputError where it is not one, or not as it was written.
    """
    try:
        text = read_bytes(path).decode()
        facts = json.loads(text)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not readable as JSON ({shorten(str(error))}); remove it and run again"
        ) from error
    if not isinstance(facts, dict) or facts.get("format") != f"{word}/{FORMAT_VERSION}":
        raise InputError(
            f"{path}: expected format {word}/{FORMAT_VERSION}; remove it and run again"
        )
    before, _, _ = text.rpartition(",")
    if text != before + _seal_text(before):
        raise InputError(
            f"{path}: damaged, its checksum is not the one written with it; remove it and run again"
        )
    del facts["sha256"]
    return facts


def _seal_text(text: str) -> str:
    return f',\n "sha256": "{hashlib.sha256(text.encode()).hexdigest()}"\n}}\n'
