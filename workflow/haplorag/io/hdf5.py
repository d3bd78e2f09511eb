"""Reads and writes every file of ours: HDF5 arrays, TSV tables and JSON facts, each complete or absent, and checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from haplorag.errors import InputError
from haplorag.io.atomic import SEAL_BYTES, Spool, check, check_seal, checksum, replacing, seal, write_bytes

VERSION = 1
File = h5py.File
BLOCK_SITES = 2048
# Bytes of text that is kept in columns of one width, and how many words are put into columns at a time.
LONGEST_WORD, BLOCK_WORDS = 64, 2**16
# Unpacked chunks of an open array that are kept in memory: windows that follow each other see much of the same.
KEPT: dict[str, Any] = {"rdcc_nbytes": 2**26, "rdcc_nslots": 10007}
# Level 1 is within 2 % of level 9 in size on haplotypes and several times faster.
COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}


@contextmanager
def creating_arrays(path: Path, word: str, **facts: Any) -> Iterator[h5py.File]:
    """Give an open HDF5 file of format `word`, with facts (attributes), to fill; it appears at `path` only when complete."""
    with replacing(path) as temporary:
        with Spool(temporary) as spool, h5py.File(spool, "w", userblock_size=SEAL_BYTES) as file:
            file.attrs.update(format=f"{word}/{VERSION}", **facts)
            yield file
        seal(temporary)


def write_arrays(path: Path, word: str, arrays: dict[str, np.ndarray], **facts: Any) -> None:
    """Write arrays (compressed; text as UTF-8) and facts (attributes) to an HDF5 file of format `word`."""
    with creating_arrays(path, word, **facts) as file:
        for name, values in arrays.items():
            put_array(file, name, values)


def put_array(file: h5py.File, name: str, values: np.ndarray) -> None:
    """Write one array into an open file, compressed and with checksums; text as UTF-8, long text uncompressed."""
    values = np.asarray(values)
    if values.dtype.kind in "UO":
        _put_words(file, name, values.tolist())
    elif values.size:
        file.create_dataset(name, data=values, chunks=True, **COMPRESSION)
    else:
        file.create_dataset(name, data=values)


def _put_words(file: h5py.File, name: str, words: list[str]) -> None:
    """Write text; one long word would make all others as wide, so that then each is written on its own."""
    widest = max((len(word.encode()) for word in words), default=0)
    if not 0 < widest <= LONGEST_WORD:
        file.create_dataset(name, data=np.array(words, dtype=object), dtype=h5py.string_dtype())
        return
    kind = h5py.string_dtype("utf-8", widest)
    column = file.create_dataset(name, (len(words),), kind, chunks=True, **COMPRESSION)
    for start in range(0, len(words), BLOCK_WORDS):
        here = [word.encode() for word in words[start : start + BLOCK_WORDS]]
        column[start : start + len(here)] = np.array(here, dtype=kind)


def put_predictions(file: h5py.File, methods: list[str], masks: list[str], people: np.ndarray, shape: tuple[int, ...]) -> None:
    """Lay out predictions: names, rows of people, and probability float16 [method, mask, person, site, 2], NaN to fill in."""
    put_array(file, "methods", np.array(methods))
    put_array(file, "masks", np.array(masks))
    put_array(file, "people", people)
    put_shares(file, "probability", shape)


def put_shares(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    """Lay out float16 [..., person, site, 2], NaN to fill in window by window."""
    chunk = (*(1 for _ in shape[:-3]), shape[-3], min(shape[-2], 256), 2)
    file.create_dataset(name, shape, np.float16, chunks=chunk, fillvalue=np.nan, **COMPRESSION)


def put_neighbours(file: h5py.File, mask: np.ndarray, window: np.ndarray, person: np.ndarray, count: int) -> None:
    """Write a draw's items, int32 [n] each, and lay out their neighbours: ids and distances int32 [n, 2, K], to fill in."""
    for name, values in (("mask", mask), ("window", window), ("person", person)):
        put_array(file, name, values)
    chunk = max(1, min(len(person), 2**15 // count)), 2, count
    for name in ("ids", "distances"):
        file.create_dataset(name, (len(person), 2, count), np.int32, chunks=chunk, maxshape=(None, 2, count), **COMPRESSION)


class Appender:
    """Appends blocks of sites to an open genotype store: calldata/GT and variants/*."""

    def __init__(self, file: h5py.File, calls: tuple[int, int]) -> None:
        # A chunk of about 1 MB holds some hundred sites of all people, as they are read window by window.
        rows = max(1, 2**20 // max(1, calls[0] * calls[1]))
        packing = {"compression": "gzip", "compression_opts": 4, "fletcher32": True}
        options: dict[str, Any] = {"maxshape": (None, *calls), "chunks": (rows, *calls), "fillvalue": -1, **packing}
        self._file = file
        self._calls = file.create_dataset("calldata/GT", (0, *calls), dtype=np.int8, **options)
        self._positions: list[np.ndarray] = []
        self._words: dict[str, list[str]] = {"variants/REF": [], "variants/ALT": [], "variants/ID": []}

    @property
    def sites(self) -> int:
        """Sites appended so far."""
        return int(self._calls.shape[0])

    def append(self, block: Any) -> None:
        """Append a block with positions, refs, alts, ids and alleles int8 [S, n, 2]."""
        start = self.sites
        self._calls.resize(start + len(block.positions), axis=0)
        self._calls[start:] = block.alleles
        self._positions.append(block.positions)
        for words, more in zip(self._words.values(), (block.refs, block.alts, block.ids), strict=True):
            words.extend(more)

    def finish(self, samples: list[str]) -> None:
        """Write what is kept in memory until the end: the sites and the samples' names."""
        put_array(self._file, "variants/POS", np.concatenate([np.empty(0, dtype=np.int32), *self._positions]))
        for name, words in {**self._words, "samples": samples}.items():
            _put_words(self._file, name, words)


@contextmanager
def opening_arrays(path: Path, word: str) -> Iterator[h5py.File]:
    """Open an HDF5 file of format `word` for reading.

    Raises InputError where it cannot be read, is not as it was written, is of another format or points to other files.
    """
    check_seal(path)
    try:
        file = h5py.File(path, "r", **KEPT)
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error}); remove it and run again") from error
    with file:
        found = file.attrs.get("format")
        if found != f"{word}/{VERSION}":
            raise InputError(f"{path}: expected a file of format {word}/{VERSION}, found {found}; remove it and run again")
        held = _open_all(path, file)
        yield file
        del held


def _open_all(path: Path, file: h5py.File) -> list[Any]:
    """Open all that lies in a file: HDF5 forgets the chunks of an array that nobody holds. Raises InputError where something
    is not in the file itself: a link, external or virtual storage."""
    held = []

    def find(name: str, link: Any) -> str | None:
        item = file.get(name) if isinstance(link, h5py.HardLink) else None
        held.append(item)
        away = item is None or (isinstance(item, h5py.Dataset) and (item.external or item.is_virtual))
        return name if away else None

    if name := file.visititems_links(find):
        raise InputError(f"{path}: {name} points out of its place; remove the file and run again")
    return held


def read_source(path: Path) -> dict[str, str]:
    """What a genotype store was made from: chromosome, name of the VCF and its sha256."""
    with opening_arrays(path, "genotypes") as file:
        return {name: str(file.attrs[name]) for name in ("chromosome", "vcf", "sha256")}


def get_array(file: h5py.File, name: str) -> np.ndarray:
    """Read one array whole; text comes back as str."""
    data = file[name]
    return data.asstr()[:] if h5py.check_string_dtype(data.dtype) else data[:]


def read_arrays(path: Path, word: str, *names: str) -> dict[str, np.ndarray]:
    """Read the named arrays, or all of them, from an HDF5 file of format `word`."""
    with opening_arrays(path, word) as file:
        try:
            return {name: get_array(file, name) for name in names or _list_arrays(file)}
        except (OSError, KeyError) as error:
            raise InputError(f"{path}: damaged ({error}); remove it and run again") from error


def read_calls(file: h5py.File, sites: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Read haplotypes int8 [2 n, S] of some people (rows 2 i, 2 i + 1) at sorted sites from an open genotype store."""
    calls = read_rows(file, "calldata/GT", sites)[:, people]
    return np.ascontiguousarray(calls.transpose(1, 2, 0).reshape(2 * len(people), len(sites)))


def read_blocks(file: h5py.File, sites: np.ndarray) -> Iterator[np.ndarray]:
    """Read alleles int8 [S, n, 2] of everybody at sorted sites from an open genotype store, a few thousand sites at a time."""
    cuts = np.searchsorted(sites, np.arange(BLOCK_SITES, sites.max(initial=0) + 1, BLOCK_SITES))
    yield from (read_rows(file, "calldata/GT", block) for block in np.split(sites, cuts) if len(block))


def read_rows(file: h5py.File, name: str, rows: np.ndarray) -> np.ndarray:
    """Read some sorted rows of an array. All between them are read too: one long read is far faster than many short ones."""
    first, last = int(rows[0]), int(rows[-1]) + 1
    return file[name][first:last][rows - first]


def _list_arrays(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as TSV with a header; numbers keep six significant digits. Its checksum goes to a hidden file beside."""
    with replacing(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", na_rep="", lineterminator="\n")
        write_bytes(_name_seal(path), f"{checksum(temporary)}  {path.name}\n".encode())


def read_table(path: Path, **types: Any) -> pd.DataFrame:
    """Read a TSV written by `write_table`; `types` gives columns another dtype than the guessed one.

    Raises InputError where it is not as it was written. A table that was copied without its checksum is taken as it is.
    """
    seal = _name_seal(path)
    try:
        if seal.exists():
            check(path, seal.read_text().split()[0])
        return pd.read_csv(path, sep="\t", dtype=types or None, keep_default_na=False, na_values=[""])
    except InputError:
        raise
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{path}: not a readable table ({error}); remove it and run again") from error


def _name_seal(path: Path) -> Path:
    return path.with_name(f".sha256.{path.name}")


def write_facts(path: Path, word: str, facts: dict[str, Any]) -> None:
    """Write a JSON file of format `word`; its last entry is the checksum of the text before."""
    text = json.dumps({"format": f"{word}/{VERSION}", **facts}, indent=1, allow_nan=False).removesuffix("\n}")
    write_bytes(path, f"{text}{_seal_text(text)}".encode())


def read_facts(path: Path, word: str) -> dict[str, Any]:
    """Read a JSON file of format `word`. Raises InputError where it is not one, or not as it was written."""
    try:
        text = path.read_text()
        facts = json.loads(text)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON ({error}); remove it and run again") from error
    if not isinstance(facts, dict) or facts.get("format") != f"{word}/{VERSION}":
        raise InputError(f"{path}: expected format {word}/{VERSION}; remove it and run again")
    before, _, _ = text.rpartition(",")
    if text != before + _seal_text(before):
        raise InputError(f"{path}: damaged, its checksum is not the one written with it; remove it and run again")
    del facts["sha256"]
    return facts


def _seal_text(text: str) -> str:
    return f',\n "sha256": "{hashlib.sha256(text.encode()).hexdigest()}"\n}}\n'
