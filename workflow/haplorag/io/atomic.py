"""Files whole or not at all: written beside their place and moved there, sealed by a checksum, swept up after the dead."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BufferedIOBase, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO

from haplorag.errors import InputError

TEMPORARY = re.compile(r"\.(\d+)\.part\.")
# HDF5 leaves these first bytes of a file to others; the seal stands there.
SEAL_BYTES = 512
GLANCED = 2**20


def name_temporary(path: Path) -> Path:
    """The name under which this process writes a file before it is complete; it ends as `path` does."""
    return path.with_name(f".{os.getpid()}.part.{path.name}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and move it there once the block has ended well.

    The temporary file keeps the suffixes of the target, is flushed to disk before the rename and removed on any error, so
    that a reader sees the old file, the new file or none. An OSError names the target.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = name_temporary(path)
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
        flush(path.parent)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def borrowing_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path` that is removed when the block ends."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{os.getpid()}.part.") as folder:
        yield Path(folder)


def flush(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: Any) -> None:
    """Write bytes to a file of their own."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def sweep(folder: Path) -> int:
    """Remove what killed processes of this machine left half-written under a folder; gives how many files and folders."""
    found = [(path, TEMPORARY.match(path.name)) for path in folder.rglob(".*.part.*")]
    stale = [path for path, name in found if name and not Path("/proc", name[1]).exists()]
    for path in stale:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return len(stale)


def checksum(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def glance(path: Path) -> str:
    """A file's size and the hash of its first and last bytes, 16 hex digits: another file of the same age shows."""
    with path.open("rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        ends = hashlib.sha256(str(size).encode())
        for place in (0, max(0, size - GLANCED)):
            handle.seek(place)
            ends.update(handle.read(GLANCED))
    return ends.hexdigest()[:16]


def check(path: Path, sha256: str, remedy: str = "remove it and run again") -> None:
    """Raise InputError where a file is missing or its bytes are not those with that checksum."""
    if not path.is_file() or checksum(path) != sha256:
        raise InputError(f"{path}: missing or damaged, its checksum is not the one written with it; {remedy}")


class Spool(RawIOBase):
    """A new file that takes all that is written and says at the end whether the disk took it too.

    HDF5 crashes where a write fails while it closes a file; it is told of no failure, and leaving the block raises the first.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("w+b", buffering=0)
        self._error: OSError | None = None

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        """Write all of `data`, if nothing has failed so far."""
        rest = memoryview(data).cast("B")
        try:
            while rest and not self._error:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._error = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Cut or lengthen the file."""
        try:
            self._file.truncate(size)
        except OSError as error:
            self._error = self._error or error
        return size or 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read what was written."""
        return self._file.readinto(buffer)  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place in the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place in the file."""
        return self._file.tell()

    def __exit__(self, *_: object) -> None:
        """Close the file, and raise the OSError of the first write that failed."""
        with self._file:
            if self._error:
                raise self._error


def seal(path: Path) -> None:
    """Write into a file's first bytes, which are left free for it, the checksum of all others."""
    with path.open("r+b") as handle:
        text = _seal(handle)
        handle.seek(0)
        handle.write(text)


def read_seal(path: Path) -> str:
    """The checksum that a sealed file carries, unchecked."""
    with path.open("rb") as handle:
        return handle.read(SEAL_BYTES).rstrip(b"\0").decode("ascii", "replace").strip()


def check_seal(path: Path) -> None:
    """Raise InputError where a sealed file cannot be read, was cut, or has one byte that was not written so."""
    try:
        found = path.stat()
        whole = _is_whole(path, found.st_mtime_ns, found.st_size)
    except OSError as error:
        raise InputError(f"{path}: not readable ({error.strerror}); remove it and run again") from error
    if not whole:
        raise InputError(f"{path}: damaged or cut short, its bytes are not those that were sealed; remove it and run again")


@lru_cache(maxsize=256)
def _is_whole(path: Path, changed: int, size: int) -> bool:
    """Whether a file's seal fits its bytes; a file is read once, as long as it stays the same."""
    with path.open("rb") as handle:
        head = handle.read(SEAL_BYTES)
        return head == _seal(handle)


def _seal(handle: BufferedIOBase) -> bytes:
    handle.seek(SEAL_BYTES)
    text = f"sha256 {hashlib.file_digest(handle, 'sha256').hexdigest()}\n"
    return text.encode().ljust(SEAL_BYTES, b"\0")
