"""Reads and writes HDF5 files of arrays, each complete or absent, and checked."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from haplorag.errors import InputError
from haplorag.io.atomic import FailSafeFile, replacing
from haplorag.io.checksums import SEAL_BYTES, check_seal, seal_file
from haplorag.io.metadata import FORMAT_VERSION

File = h5py.File
# Bytes of text that is kept in columns of one width, and how many words are put in at a time.
LONGEST_WORD, BLOCK_WORDS = 64, 2**16
# Unpacked chunks of an open array that are kept in memory: successive windows see much of the same.
CHUNK_CACHE: dict[str, Any] = {"rdcc_nbytes": 2**26, "rdcc_nslots": 10007}
# What h5py raises where a file is not what it should be.
ERRORS = (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, OverflowError)
# Deflate, shuffle and Fletcher's checksum; how far deflate packs at the most, and what is small.
FILTERS = {1, 2, 3}
MOST_PACKING, SMALL_BYTES, LARGEST_CHUNK = 1032, 2**16, 2**26
# How HDF5 keeps a word of any length: its length, and where it stands.
WORD = np.dtype([("length", "<u4"), ("heap", "<u8"), ("place", "<u4")])
# Level 1 is within 2 % of level 9 in size on haplotypes and several times faster.
COMPRESSION: dict[str, Any] = {
    "compression": "gzip",
    "compression_opts": 1,
    "shuffle": True,
    "fletcher32": True,
}


@contextmanager
def creating_arrays(path: Path, word: str, **facts: Any) -> Iterator[h5py.File]:
    """Give an open HDF5 file of format `word`, with facts (attributes), to fill.

    It appears at `path` only when complete.
    """
    with replacing(path) as temporary:
        with (
            FailSafeFile(temporary) as spool,
            h5py.File(spool, "w", userblock_size=SEAL_BYTES) as file,
        ):
            file.attrs.update(format=f"{word}/{FORMAT_VERSION}", **facts)
            yield file
        seal_file(temporary)


def write_arrays(path: Path, word: str, arrays: dict[str, np.ndarray], **facts: Any) -> None:
    """Write arrays (compressed; text as UTF-8) and facts (attributes) to a file of a format."""
    with creating_arrays(path, word, **facts) as file:
        for name, values in arrays.items():
            put_array(file, name, values)


def put_array(file: h5py.File, name: str, values: np.ndarray) -> None:
    """Write one array into an open file, compressed and with checksums.

    Text is UTF-8; long text is not compressed.
    """
    values = np.asarray(values)
    if values.dtype.kind in "UO":
        _put_words(file, name, values.tolist())
    elif values.size:
        file.create_dataset(name, data=values, chunks=True, **COMPRESSION)
    else:
        file.create_dataset(name, data=values)


def _put_words(file: h5py.File, name: str, words: list[str]) -> None:
    """Write text; each word on its own where one is so long that all would be as wide."""
    widest = max((len(word.encode()) for word in words), default=0)
    if not 0 < widest <= LONGEST_WORD:
        file.create_dataset(name, data=np.array(words, dtype=object), dtype=h5py.string_dtype())
        return
    kind = h5py.string_dtype("utf-8", widest)
    column = file.create_dataset(name, (len(words),), kind, chunks=True, **COMPRESSION)
    for start in range(0, len(words), BLOCK_WORDS):
        block = [word.encode() for word in words[start : start + BLOCK_WORDS]]
        column[start : start + len(block)] = np.array(block, dtype=kind)


@contextmanager
def opening_arrays(path: Path, word: str) -> Iterator[h5py.File]:
    """Open an HDF5 file of format `word` for reading.

    Raises InputError where it cannot be read, is not as it was written, is of another format or
    points to other files.
    """
    check_seal(path)
    try:
        file = h5py.File(path, "r", **CHUNK_CACHE)
    except OSError as error:
        raise InputError(
            f"{path}: not a readable HDF5 file ({error}); remove it and run again"
        ) from error
    with file:
        found = _read_format(file)
        if found != f"{word}/{FORMAT_VERSION}":
            raise InputError(
                f"{path}: expected a file of format {word}/{FORMAT_VERSION}, found {found}; "
                "remove it and run again"
            )
        items = _open_all(path, file)
        yield file
        del items


def check_arrays(path: Path, word: str) -> None:
    """Read all arrays of a file, whatever they are, and keep nothing. Raises as `read_arrays`."""
    with opening_arrays(path, word) as file:
        try:
            for name in _list_arrays(file):
                file[name][()]
        except ERRORS as error:
            raise InputError(f"{path}: damaged ({error}); remove it and run again") from error


def _read_format(file: h5py.File) -> str:
    try:
        return str(file.attrs.get("format"))
    except ERRORS:
        return "none that is known"


def _open_all(path: Path, file: h5py.File) -> list[Any]:
    """Open all that lies in a file: HDF5 forgets the chunks of an array that nobody keeps open.

    Raises InputError where something is not in the file itself: a link, external or virtual
    storage.
    """
    items = []

    def find(name: str, link: Any) -> str | None:
        item = file.get(name) if isinstance(link, h5py.HardLink) else None
        items.append(item)
        is_elsewhere = item is None or (
            isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)
        )
        return name if is_elsewhere else None

    try:
        name = file.visititems_links(find)
        odd = next((item.name for item in items if item and _asks_too_much(item)), None)
    except ERRORS as error:
        raise InputError(f"{path}: damaged ({error}); remove it and run again") from error
    if name:
        raise InputError(f"{path}: {name} points out of its place; remove the file and run again")
    if odd:
        raise InputError(
            f"{path}: {odd} is not stored as haplorag stores arrays, or unpacks to more than what "
            "is stored can hold; remove the file and run again"
        )
    return items


def _asks_too_much(item: Any) -> bool:
    """Whether an array is of another kind than ours, or larger than its bytes in the file can tell.

    Deflate packs to a thousandth at the most; text that is not packed takes its own length.
    """
    if not isinstance(item, h5py.Dataset):
        return False
    kind = item.dtype
    text = h5py.check_string_dtype(kind)
    filters = item.id.get_create_plist()
    known = {filters.get_filter(number)[0] for number in range(filters.get_nfilters())} <= FILTERS
    if not known or item.shape is None or not (text or kind.kind in "biufS"):
        return True
    if text and text.length is None:
        return _measure_text(item) > item.file.id.get_filesize()
    chunk = math.prod(item.chunks or ()) * kind.itemsize
    most = MOST_PACKING * item.id.get_storage_size() + SMALL_BYTES
    return item.size * kind.itemsize > most or chunk > max(most, LARGEST_CHUNK)


def _measure_text(item: h5py.Dataset) -> int:
    """Bytes of text whose words stand on their own, from their lengths alone: reading them would
    take that much memory, and many may point at one place.
    """
    if not item.size:
        return 0
    start = item.id.get_offset()
    if item.chunks or start is None:
        return sys.maxsize
    with Path(item.file.filename).open("rb") as handle:
        handle.seek(start)
        words = np.frombuffer(handle.read(item.size * WORD.itemsize), WORD)
    return int(words["length"].sum(dtype=np.uint64)) if len(words) == item.size else sys.maxsize


def get_array(file: h5py.File, name: str) -> np.ndarray:
    """Read one array whole; text comes back as str."""
    data = file[name]
    return data.asstr()[:] if h5py.check_string_dtype(data.dtype) else data[:]


def read_arrays(path: Path, word: str, *names: str) -> dict[str, np.ndarray]:
    """Read the named arrays, or all of them, from an HDF5 file of format `word`."""
    with opening_arrays(path, word) as file:
        try:
            return {name: get_array(file, name) for name in names or _list_arrays(file)}
        except ERRORS as error:
            raise InputError(f"{path}: damaged ({error}); remove it and run again") from error


def read_rows(file: h5py.File, name: str, rows: np.ndarray) -> np.ndarray:
    """Read some sorted rows of an array.

    All between them are read too: one long read is far faster than many short ones.
    """
    first, last = int(rows[0]), int(rows[-1]) + 1
    found = file[name][first:last]
    return found if len(rows) == len(found) else found[rows - first]


def _list_arrays(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(
        lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
    )
    return names
