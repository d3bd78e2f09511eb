"""Text that comes from elsewhere: read from plain files only, and shown shortened."""

from __future__ import annotations

import gzip
import os
import stat
import unicodedata
import zlib
from io import BytesIO
from pathlib import Path

from haplorag.errors import InputError

# Categories of characters that no name has: controls, surrogates, ends of lines and paragraphs.
CONTROL = ("Cc", "Cs", "Zl", "Zp")
# Characters of somebody else's text that a message repeats.
LONGEST_SHOWN = 80
# Bytes of a text file that is read whole: a table of ten million rows.
MOST_BYTES = 2**30
# How far a table packs at the most.
MOST_PACKING = 200


def read_text(path: Path, remedy: str, most_bytes: int = MOST_BYTES) -> str:
    """Read a text file whole: UTF-8, any line end, with or without a byte order mark.

    Raises InputError where it is not a file (a folder, a pipe, a device), is longer than
    `most_bytes`, or is not text; `remedy` says what to do about the last.
    """
    data = read_bytes(path, most_bytes)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: line {line} is not UTF-8 text; {remedy}") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{path}: line {line} holds zero bytes; {remedy}")
    return text


def read_bytes(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Read a file whole.

    Raises InputError where it is not a file (a folder, a pipe, a device) or is longer than
    `most_bytes`.
    """
    shown = str(path) if is_plain(str(path)) else ascii(str(path))
    try:
        # Opening a pipe would wait for who writes it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{shown}: not readable ({said}); fix the path") from error
    try:
        found = os.fstat(descriptor)
        _check_kind(shown, found, most_bytes)
        with os.fdopen(descriptor, "rb", closefd=False) as handle:
            # As much memory as is asked for is taken, however little there is to read.
            return handle.read(found.st_size)
    except OSError as error:
        raise InputError(f"{shown}: not readable ({error.strerror}); fix the disk") from error
    finally:
        os.close(descriptor)


def read_unpacked(path: Path) -> bytes:
    """Read a text file whole, unpacked where it is gzipped.

    Raises InputError as `read_bytes` does, and where it unpacks to more than text of its size does.
    """
    data = read_bytes(path)
    if data[:2] != b"\x1f\x8b":
        return data
    most = min(MOST_BYTES, MOST_PACKING * len(data) + 2**16)
    try:
        with gzip.open(BytesIO(data)) as handle:
            unpacked = handle.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip ({error}); fetch it again") from error
    if len(unpacked) > most:
        raise InputError(
            f"{path}: unpacks to {MOST_PACKING} times its size and more, as no table does; use "
            "another file"
        )
    return unpacked


def _check_kind(path: str, found: os.stat_result, most_bytes: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise InputError(f"{path}: is {kind}, not a file; set the path to a file")
    if found.st_size > most_bytes:
        raise InputError(
            f"{path}: has {found.st_size} bytes, more than any such file ({most_bytes}); most "
            "likely it is another file; fix the path"
        )


def is_plain(text: str) -> bool:
    """Whether text has no control characters, no ends of lines and no halves of characters."""
    return (text.isascii() and text.isprintable()) or not any(
        unicodedata.category(character) in CONTROL for character in text
    )


def shorten(text: str) -> str:
    """Text as a message shows it: on one line, without control characters, not too long."""
    shown = text if is_plain(text) else ascii(text)[1:-1]
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}..."
