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

from haplorag.errors import InputError

TEMPORARY = re.compile(r"\.(\d+)\.part\.")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path and move it to `path` once the block has ended well.

    It has the name of `path` and lies beside it in a new folder that nobody else may enter, so that
    no link can wait there. It is flushed to disk before the rename and removed on any error, so
    that a reader sees the old file, the new file or none; a link at `path` is replaced, not
    followed. An OSError names the target.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _naming(path), borrowing_folder(path) as folder:
        temporary = folder / path.name
        yield temporary
        flush(temporary)
        temporary.replace(path)
        flush(path.parent)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an OSError of the block name `path` where it names nothing or what is temporary."""
    try:
        yield
    except OSError as error:
        if error.filename is None or TEMPORARY.search(str(error.filename)):
            error.filename = str(path)
        raise


@contextmanager
def borrowing_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path` that is removed when the block ends.

    Its name is random, and nobody else may enter it.
    """
    prefix = f".{os.getpid()}.part."
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=prefix) as folder:
        yield Path(folder)


def copy_whole(source: Path, path: Path) -> None:
    """Copy a file's bytes to a file of their own."""
    with replacing(path) as temporary:
        shutil.copyfile(source, temporary)


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


def refuse_overwriting(target: Path, *outputs: Path) -> None:
    """Raise InputError where an output would replace the target or another output."""
    places = [os.path.realpath(path) for path in (target, *outputs)]
    same = target.exists() and any(path.exists() and path.samefile(target) for path in outputs)
    if len(set(places)) < len(places) or same:
        raise InputError(
            f"{outputs[0]}: TARGET and all that is written must be different files, or one would "
            "be lost; give each a name of its own"
        )
