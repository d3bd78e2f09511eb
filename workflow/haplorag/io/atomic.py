"""Files whole or not at all: written beside their place, moved there, swept up after the dead."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO

TEMPORARY = re.compile(r"\.(\d+)\.part\.")


def name_temporary(path: Path) -> Path:
    """The name under which this process writes a file before it is whole; it ends like `path`."""
    return path.with_name(f".{os.getpid()}.part.{path.name}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and move it there once the block has ended well.

    The temporary file keeps the suffixes of the target, is flushed to disk before the rename and
    removed on any error, so that a reader sees the old file, the new file or none. An OSError names
    the target.
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
    """Remove what killed processes of this machine left half-written under a folder.

    Gives how many files and folders it was.
    """
    found = [(path, TEMPORARY.match(path.name)) for path in folder.rglob(".*.part.*")]
    stale = [path for path, name in found if name and not Path("/proc", name[1]).exists()]
    for path in stale:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return len(stale)


class FailSafeFile(RawIOBase):
    """A new file that takes all that is written and says at the end whether the disk took it too.

    HDF5 crashes where a write fails while it closes a file; it is told of no failure, and leaving
    the block raises the first.
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
