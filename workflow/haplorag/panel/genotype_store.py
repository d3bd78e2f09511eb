"""The store of a chromosome's phased genotypes, filled and read in blocks of sites."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from haplorag.io.hdf5 import _put_words, opening_arrays, put_array, read_rows
from haplorag.panel.ploidy import Ploidy, assume_diploid

# What is read of a store at a time: sites, and bytes of alleles.
BLOCK_SITES, BLOCK_BYTES = 2048, 2**26


class GenotypeAppender:
    """Appends blocks of sites to an open genotype store: calldata/GT and variants/*."""

    def __init__(self, file: h5py.File, calls: tuple[int, int]) -> None:
        # A chunk of about 1 MB holds some hundred sites of all people, as they are read window by
        # window.
        rows = max(1, 2**20 // max(1, calls[0] * calls[1]))
        # Level 2 takes half the time of level 4, and a third of it to unpack.
        packing = {"compression": "gzip", "compression_opts": 2, "fletcher32": True}
        options: dict[str, Any] = {
            "maxshape": (None, *calls),
            "chunks": (rows, *calls),
            "fillvalue": -1,
            **packing,
        }
        self._file = file
        self._calls = file.create_dataset("calldata/GT", (0, *calls), dtype=np.int8, **options)
        self._positions: list[np.ndarray] = []
        self._words: dict[str, list[str]] = {
            "variants/REF": [],
            "variants/ALT": [],
            "variants/ID": [],
        }

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
        for words, more in zip(
            self._words.values(), (block.refs, block.alts, block.ids), strict=True
        ):
            words.extend(more)

    def finish(self, samples: list[str], ploidy: Ploidy | None = None) -> None:
        """Write what is kept in memory until the end: the sites, the samples' names, and their
        ploidy, whose stretches begin at positions in bp; without one all are diploid.
        """
        position = np.concatenate([np.empty(0, dtype=np.int32), *self._positions])
        put_array(self._file, "variants/POS", position)
        found = (ploidy or assume_diploid(len(samples))).at_sites(position)
        put_array(self._file, "ploidy/first", found.first)
        put_array(self._file, "ploidy/people", found.people)
        for name, words in {**self._words, "samples": samples}.items():
            _put_words(self._file, name, words)


def read_ploidy(file: h5py.File) -> Ploidy:
    """Read who has one haplotype where from an open genotype store."""
    return Ploidy(file["ploidy/first"][:], file["ploidy/people"][:])


class PhaseAppender:
    """Appends the phase of genotypes to an open store, in blocks of sites, from the first block on
    in which it is not that all are phased with all others: calldata/phase int32 [S, n].
    """

    def __init__(self, file: h5py.File, people: int) -> None:
        self._file = file
        self._people = people
        self._sites = 0

    def append(self, phase: np.ndarray) -> None:
        """Append phases bool or int32 [S, n] as a VCF's records have them: 0 not phased, 1 phased,
        and higher the number of a phase set.
        """
        start, self._sites = self._sites, self._sites + len(phase)
        found = self._file.get("calldata/phase")
        if found is None and (phase == 1).all():
            return
        if found is None:
            found = self._create(start)
        found.resize(self._sites, axis=0)
        found[start:] = phase

    def _create(self, sites: int) -> h5py.Dataset:
        """The array, in which so many sites are phased."""
        rows = max(1, 2**18 // self._people)
        found = self._file.create_dataset(
            "calldata/phase", (sites, self._people), dtype=np.int32,
            maxshape=(None, self._people), chunks=(rows, self._people),
            compression="gzip", compression_opts=1, fletcher32=True,
        )  # fmt: skip
        # Rows that nobody writes take no room, and an array that is larger than its bytes can tell
        # is refused when it is read.
        for start in range(0, sites, rows):
            found[start : start + rows] = 1
        return found


def read_phases(file: h5py.File, sites: np.ndarray) -> np.ndarray | None:
    """Read phases int32 [S, n] at sorted sites from an open store; None where all genotypes are
    phased with all others.
    """
    return read_rows(file, "calldata/phase", sites) if "calldata/phase" in file else None


def iterate_phases(file: h5py.File, sites: np.ndarray, people: int) -> Iterator[np.ndarray]:
    """Phases int32 [n] of the genotypes of sorted sites, a few thousand sites at a time."""
    for block in _cut_blocks(sites, BLOCK_SITES):
        phases = read_phases(file, block)
        yield from np.ones((len(block), people), dtype=np.int32) if phases is None else phases


def read_vcf_source(path: Path) -> dict[str, str]:
    """What a genotype store was made from: chromosome, name of the VCF and its sha256."""
    with opening_arrays(path, "genotypes") as file:
        return {name: str(file.attrs[name]) for name in ("chromosome", "vcf", "sha256")}


def read_haplotypes(file: h5py.File, sites: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Read haplotypes int8 [2n, S] of some people at sorted sites from an open genotype store.

    Rows 2 i and 2 i + 1 are the i-th person's; ABSENT stands where there is no second.
    """
    calls = read_calls(file, sites, people)
    return np.ascontiguousarray(calls.transpose(1, 2, 0).reshape(2 * len(people), len(sites)))


def read_calls(file: h5py.File, sites: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Read alleles int8 [S, n, 2] of some people at sorted sites from an open genotype store.

    Beside them no more is in memory than `iterate_site_blocks` reads at a time.
    """
    everyone = np.array_equal(people, np.arange(file["calldata/GT"].shape[1]))
    blocks = (
        calls if everyone else _take_people(calls, people)
        for calls in iterate_site_blocks(file, sites)
    )
    first = next(blocks, np.empty((0, len(people), 2), dtype=np.int8))
    if len(first) == len(sites):
        return first
    found = np.empty((len(sites), len(people), 2), dtype=np.int8)
    found[: len(first)] = first
    start = len(first)
    for calls in blocks:
        found[start : start + len(calls)] = calls
        start += len(calls)
    return found


def _take_people(calls: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Alleles int8 [S, n, 2] of some people, in order in memory: genotypes are taken as one number
    each, in an eighth of the time.
    """
    return np.take(calls.view(np.int16), people, axis=1).view(np.int8)


def iterate_site_blocks(file: h5py.File, sites: np.ndarray) -> Iterator[np.ndarray]:
    """Read alleles int8 [S, n, 2] of everybody at sorted sites from an open genotype store.

    At most 2048 sites or 64 MB are in memory at a time.
    """
    yield from (read_rows(file, "calldata/GT", block) for block in cut_blocks(file, sites))


def cut_blocks(file: h5py.File, sites: np.ndarray) -> Iterator[np.ndarray]:
    """The sorted sites of the blocks that `iterate_site_blocks` reads of an open genotype store."""
    calls = file["calldata/GT"]
    length = max(1, min(BLOCK_SITES, BLOCK_BYTES // max(1, calls.shape[1] * calls.shape[2])))
    return _cut_blocks(sites, length)


def iterate_site_names(file: h5py.File, sites: np.ndarray) -> Iterator[str]:
    """Read the ids of sorted sites from an open genotype store, a few thousand at a time."""
    for block in _cut_blocks(sites, BLOCK_SITES):
        first = int(block[0])
        names = file["variants/ID"].asstr()[first : int(block[-1]) + 1]
        yield from names[block - first]


def _cut_blocks(sites: np.ndarray, length: int) -> Iterator[np.ndarray]:
    """Cut sorted sites where a multiple of `length` lies between them."""
    cuts = np.searchsorted(sites, np.arange(length, sites.max(initial=0) + 1, length))
    yield from (block for block in np.split(sites, cuts) if len(block))


def iterate_truth(path: Path, rows: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Stretches of sites, and alleles int8 [person, site, 2] there."""
    with opening_arrays(path, "genotypes") as file:
        start = 0
        for calls in iterate_site_blocks(file, np.arange(len(file["variants/POS"]))):
            yield slice(start, start + len(calls)), calls[:, rows].swapaxes(0, 1)
            start += len(calls)
