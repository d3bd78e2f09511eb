"""Packed reference haplotypes: shards, and the alleles unpacked from them."""

from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import deflate
import numpy as np

from haplorag.alleles import ABSENT
from haplorag.errors import InputError
from haplorag.io.atomic import write_bytes
from haplorag.io.metadata import read_facts
from haplorag.io.text import read_bytes
from haplorag.panel.ploidy import Ploidy, find_own_rows

# How FAISS writes an `IndexBinaryFlat`: its word, bits and bytes of a row, rows, whether it is
# trained, metric, bytes of all rows; then the rows.
FLAT_INDEX = struct.Struct("<4siiqBiQ")
FLAT_WORD, METRIC = b"IBxF", 1
# Few haplotypes carry a rare allele: level 6 makes a shard of 100,000 of them 18 times smaller.
SHARD_SUFFIX, GZIP_LEVEL = ".faiss.gz", 6
# The last bytes of a gzip file are its length unpacked; how far deflate packs at the most.
LENGTH, MOST_PACKING = struct.Struct("<I"), 1032


@dataclass(frozen=True, eq=False)
class ShardSet:
    """Packed reference haplotypes of a chromosome, one shard for the core of each window.

    Each is read and verified when it is needed. `ploidy` is that of the reference people: a shard
    has those haplotypes that there are, person by person. Sites that are asked for at once lie in
    one stretch of it.
    """

    folder: Path
    ploidy: Ploidy
    entries: list[dict]

    @property
    def reference_haplotypes(self) -> int:
        """Haplotypes where there are most of them."""
        return int(self.ploidy.count_haplotypes().max())

    @cached_property
    def first(self) -> np.ndarray:
        """First site of each shard, int64 [W]."""
        return np.array([entry["first"] for entry in self.entries])

    def haplotypes(self, sites: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Reference haplotypes (all if `rows` is None) at sorted sites, 0/1 uint8 [n, S]."""
        width = self._count_rows(sites) if rows is None else len(rows)
        parts = [np.empty((width, 0), dtype=np.uint8)]
        parts += [
            unpack(packed if rows is None else packed[rows], columns)
            for packed, columns in self.iterate_packed(sites)
        ]
        return np.concatenate(parts, axis=1)

    def by_site(self, sites: np.ndarray) -> np.ndarray:
        """All reference haplotypes at sorted sites, 0/1 uint8 [S, N]."""
        parts = [np.empty((0, self._count_rows(sites)), dtype=np.uint8)]
        return np.concatenate(
            parts
            + [unpack_by_site(packed, columns) for packed, columns in self.iterate_packed(sites)]
        )

    def of_people(self, sites: np.ndarray, people: np.ndarray) -> np.ndarray:
        """Haplotypes of some reference people, by rank, at sorted sites of any stretches: int8
        [2n, S], ABSENT where there is no second one.
        """
        found = np.full((2 * len(people), len(sites)), ABSENT, dtype=np.int8)
        stretches = self.ploidy.find_stretch(sites)
        for stretch in np.unique(stretches):
            columns = np.flatnonzero(stretches == stretch)
            ranges = find_own_rows(self.ploidy.number_rows(stretch), people)
            both = np.flatnonzero(np.diff(ranges).ravel() > 1)
            target = np.concatenate([2 * np.arange(len(people)), 2 * both + 1])
            rows = np.concatenate([ranges[:, 0], ranges[both, 0] + 1])
            found[np.ix_(target, columns)] = self.haplotypes(sites[columns], rows)
        return found

    def of_everybody(self, sites: np.ndarray) -> np.ndarray:
        """Alleles of all reference people at sorted sites of one stretch: int8 [S, n, 2], ABSENT
        where there is no second one.
        """
        people = self.ploidy.people[self.ploidy.find_stretch(sites[:1])[0]]
        there = people[:, None] > np.arange(2)
        alleles = self.by_site(sites).view(np.int8)
        if there.all():
            return alleles.reshape(len(sites), *there.shape)
        found = np.full((len(sites), *there.shape), ABSENT, dtype=np.int8)
        found[:, there] = alleles
        return found

    def _count_rows(self, sites: np.ndarray) -> int:
        """Haplotypes at sites; without any, those of the first stretch."""
        stretch = self.ploidy.find_stretch(sites[:1]) if len(sites) else np.zeros(1, dtype=int)
        return int(self.ploidy.people[stretch[0]].sum(dtype=np.int64))

    def iterate_packed(self, sites: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Packed haplotypes uint8 [N, bytes] of shards that hold sorted sites, and which of their
        columns these are.
        """
        if len(np.unique(self.ploidy.find_stretch(sites))) > 1:
            raise ValueError("these sites have different haplotypes; ask for each stretch apart")
        rows = self._count_rows(sites)
        shard = np.searchsorted(self.first, sites, side="right") - 1
        for number in np.unique(shard):
            entry = self.entries[number]
            path = self.folder / entry["file"]
            packed = read_shard(path, entry["sha256"])
            if packed.shape != (rows, (entry["sites"] + 7) // 8):
                raise InputError(
                    f"{path}: holds other haplotypes than shards.json says; remove its folder and "
                    "run again"
                )
            yield packed, sites[shard == number] - self.first[number]


def open_shards(folder: Path) -> ShardSet:
    """Open a chromosome's shards, as their table of contents (shards.json) lists them."""
    facts = read_facts(folder / "shards.json", "shards")
    try:
        stretches = facts["stretches"]
        people = np.full((len(stretches), facts["people"]), 2, dtype=np.int8)
        for row, stretch in zip(people, stretches, strict=True):
            row[stretch["haploid"]] = 1
        first = np.array([stretch["first"] for stretch in stretches], dtype=np.int64)
        return ShardSet(folder, Ploidy(first, people), facts["windows"])
    except (KeyError, IndexError, TypeError) as error:
        raise InputError(
            f"{folder / 'shards.json'}: lacks {error}; remove its folder and run again"
        ) from error


def pack(haplotypes: np.ndarray) -> np.ndarray:
    """Pack haplotypes 0/1 [N, S] into uint8 [N, ceil(S / 8)], the first site in the highest bit."""
    return np.packbits(haplotypes, axis=1)


def unpack(packed: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Unpack some columns of uint8 [N, bytes] into 0/1 uint8 [N, S]."""
    return packed.take(columns >> 3, axis=1) >> (7 - (columns & 7)).astype(np.uint8) & np.uint8(1)


def unpack_by_site(packed: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Unpack some columns of uint8 [N, bytes] into 0/1 uint8 [S, N]."""
    words, place = np.unique(columns >> 3, return_inverse=True)
    turned = np.ascontiguousarray(packed[:, words].T)
    return turned[place] >> (7 - (columns & 7)).astype(np.uint8)[:, None] & np.uint8(1)


def write_shard(path: Path, packed: np.ndarray) -> str:
    """Write packed haplotypes uint8 [N, bytes] as a gzipped FAISS index; gives its SHA-256."""
    rows, width = packed.shape
    head = FLAT_INDEX.pack(FLAT_WORD, 8 * width, width, rows, True, METRIC, rows * width)
    data = gzip.compress(head + np.ascontiguousarray(packed).tobytes(), GZIP_LEVEL, mtime=0)
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=64)
def read_shard(path: Path, sha256: str) -> np.ndarray:
    """Read packed haplotypes uint8 [N, bytes].

    Raises InputError where the bytes are not those that were written. The last few are kept in
    memory: the windows of one stretch of a chromosome see the same shards.
    """
    try:
        data = read_bytes(path)
    except InputError as error:
        raise InputError(f"{error}; or remove its folder and run again") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(
            f"{path}: damaged, its checksum is not the one written with it; "
            "remove its folder and run again"
        )
    try:
        size = LENGTH.unpack(data[-LENGTH.size :])[0]
        whole = deflate.gzip_decompress(data, size) if size <= MOST_PACKING * len(data) else b""
        word, _, width, rows, *_ = FLAT_INDEX.unpack_from(whole)
    except (deflate.DeflateError, ValueError, struct.error) as error:
        raise InputError(
            f"{path}: not a gzipped index ({error}); remove its folder and run again"
        ) from error
    fits = min(rows, width) >= 0 and len(whole) == FLAT_INDEX.size + rows * width
    if word != FLAT_WORD or not fits:
        raise InputError(f"{path}: not a flat binary index; remove its folder and run again")
    return np.frombuffer(whole, np.uint8, offset=FLAT_INDEX.size).reshape(rows, width)
