"""Checksums of files: beside them, in other files, or sealed into their first bytes."""

from __future__ import annotations

import hashlib
import os
import stat
from functools import lru_cache
from io import BufferedIOBase
from pathlib import Path

from haplorag.errors import InputError

# HDF5 leaves these first bytes of a file to others; the seal stands there.
SEAL_BYTES = 512
DIGEST_BYTES = 2**20


def checksum(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def quick_digest(path: Path) -> str:
    """The hash of a file's size and of its first and last bytes, 16 hex digits.

    It tells another file of the same age.
    """
    with path.open("rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        ends = hashlib.sha256(str(size).encode())
        for place in (0, max(0, size - DIGEST_BYTES)):
            handle.seek(place)
            ends.update(handle.read(DIGEST_BYTES))
    return ends.hexdigest()[:16]


def check_checksum(path: Path, sha256: str, remedy: str = "remove it and run again") -> None:
    """Raise InputError where a file is missing or its bytes are not those with that checksum."""
    if not path.is_file() or checksum(path) != sha256:
        raise InputError(
            f"{path}: missing or damaged, its checksum is not the one written with it; {remedy}"
        )


def seal_file(path: Path) -> None:
    """Write into a file's first bytes, which are left free for it, the checksum of all others."""
    with path.open("r+b") as handle:
        text = _compute_seal(handle)
        handle.seek(0)
        handle.write(text)


def read_seal(path: Path) -> str:
    """The checksum that a sealed file carries, unchecked."""
    with path.open("rb") as handle:
        return handle.read(SEAL_BYTES).rstrip(b"\0").decode("ascii", "replace").strip()


def check_seal(path: Path) -> None:
    """Raise InputError where a sealed file cannot be read, was cut, or has one byte changed."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path}: is not a file; remove it and run again")
        whole = _is_whole(path, found.st_mtime_ns, found.st_size)
    except OSError as error:
        raise InputError(
            f"{path}: not readable ({error.strerror}); remove it and run again"
        ) from error
    if not whole:
        raise InputError(
            f"{path}: damaged or cut short, its bytes are not those that were sealed; "
            "remove it and run again"
        )


@lru_cache(maxsize=256)
def _is_whole(path: Path, changed: int, size: int) -> bool:
    """Whether a file's seal fits its bytes; a file is read once, as long as it stays the same."""
    with path.open("rb") as handle:
        head = handle.read(SEAL_BYTES)
        return head == _compute_seal(handle)


def _compute_seal(handle: BufferedIOBase) -> bytes:
    handle.seek(SEAL_BYTES)
    text = f"sha256 {hashlib.file_digest(handle, 'sha256').hexdigest()}\n"
    return text.encode().ljust(SEAL_BYTES, b"\0")
