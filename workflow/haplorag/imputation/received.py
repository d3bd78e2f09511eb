"""Checks what an imputer's files say before anything believes them: the folder may be anybody's."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from haplorag.errors import InputError
from haplorag.io.metadata import read_facts
from haplorag.io.text import shorten
from haplorag.panel.haplotypes import MOST_PACKING
from haplorag.panel.windows import WindowSet
from haplorag.settings import (
    Chromosome,
    LiStephensSettings,
    NeighbourSettings,
    NetworkSettings,
    Section,
)

REMEDY = "copy the whole folder again, or have it made again"
FARTHEST_BP, FARTHEST_CM = 2**31 - 1, 1e6
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Contents = TypeVar("Contents", bound=BaseModel)


class ImputerContents(Section):
    """What imputer.json says: settings, chromosomes and the checksum of each file."""

    version: str
    model: str
    chromosomes: list[Chromosome] = Field(min_length=1)
    network: NetworkSettings | None
    neighbours: NeighbourSettings
    li_stephens: LiStephensSettings
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    files: dict[str, Digest] = Field(min_length=1)


class ShardContents(Section):
    """A line of shards.json: the file of a window, and the sites that it holds."""

    file: Annotated[str, Field(pattern=r"^window_\d{4,9}\.faiss\.gz$")]
    first: Annotated[int, Field(ge=0)]
    sites: Annotated[int, Field(ge=1)]
    sha256: Digest


class StretchContents(Section):
    """A stretch of sites, by its first one: who of the people has one haplotype there."""

    first: Annotated[int, Field(ge=0)]
    haploid: list[int]


class ShardsContents(Section):
    """What shards.json says: people, their haplotypes, and the file of each window."""

    people: Annotated[int, Field(ge=2, lt=2**30)]
    reference_haplotypes: Annotated[int, Field(ge=2, lt=2**31)]
    stretches: list[StretchContents] = Field(min_length=1)
    sources: dict[str, str]
    windows: list[ShardContents] = Field(min_length=1)


def read_contents(path: Path, kind: type[Contents], facts: Any) -> Contents:
    """Facts of a file at `path` as a section. Raises InputError with the first that is wrong."""
    try:
        return kind.model_validate(facts)
    except ValidationError as error:
        problem = error.errors()[0]
        key = shorten(".".join(str(part) for part in problem["loc"]))
        raise InputError(f"{path}: {key}: {problem['msg'].lower()}; {REMEDY}") from error


def check_names(folder: Path, contents: ImputerContents) -> None:
    """Raise InputError where a file that is listed lies outside of the folder, or one is not listed
    that an imputer needs.
    """
    path = folder / "imputer.json"
    if len(set(contents.chromosomes)) < len(contents.chromosomes):
        raise InputError(f"{path}: names a chromosome twice; {REMEDY}")
    parts = ("panel.h5", "windows.h5", "shards/shards.json")
    needed = {f"{chromosome}/{part}" for chromosome in contents.chromosomes for part in parts}
    needed |= {"weights.safetensors"} if contents.network else set()
    if missing := sorted(needed - set(contents.files)):
        raise InputError(f"{path}: lists no checksum of {shorten(missing[0])}; {REMEDY}")
    for name in contents.files:
        plain = PurePosixPath(name)
        if plain.is_absolute() or ".." in plain.parts or name != str(plain) or "\0" in name:
            raise InputError(f"{path}: {shorten(name)} leads out of the folder; {REMEDY}")
        refuse_link(folder, name)


def refuse_link(folder: Path, name: str) -> None:
    """Raise InputError where a file of a folder is, by a link, a file from somewhere else."""
    try:
        place = (folder / name).resolve()
    except (OSError, RuntimeError) as error:
        raise InputError(f"{folder / name}: not readable ({error}); {REMEDY}") from error
    if not place.is_relative_to(folder.resolve()):
        raise InputError(
            f"{folder / name}: is a link out of the folder; copy the files themselves (cp -L)"
        )


def check_panel(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Raise InputError where sites, alleles and frequencies of a panel do not fit together."""
    position = arrays["variants/POS"]
    sites = position.size
    _require(path, "variants/POS", _is_whole(position, (sites,)) and sites > 0)
    rises = (np.diff(position.astype(np.int64)) >= 0).all()
    inside = position.min() >= 1 and position.max() <= FARTHEST_BP
    _require(path, "variants/POS", bool(rises and inside))
    for name, pattern in (("REF", r"[ACGT]+"), ("ALT", r"[ACGT]+"), ("ID", r"[^\s\x00-\x1f\x7f]+")):
        words = arrays[f"variants/{name}"]
        _require(path, f"variants/{name}", words.shape == (sites,) and words.dtype == object)
        _require(path, f"variants/{name}", _all_match(words.tolist(), pattern))
    _require(path, "frequency", _are_shares(arrays["frequency"], (sites,)))
    shares = arrays["genotype_frequency"]
    _require(path, "genotype_frequency", _are_shares(shares, (sites, 3)))


def check_windows(path: Path, windows: WindowSet, sites: int) -> None:
    """Raise InputError where windows do not tile so many sites, or see others than there are."""
    cores, seen, offset = windows.cores, windows.sites, windows.offset
    count = len(cores) if cores.ndim else 0
    _require(path, "core", count > 0 and _is_whole(cores, (count, 2)))
    edges = np.append(cores[:, 0], cores[-1, 1]).astype(np.int64)
    tiles = edges[0] == 0 and edges[-1] == sites and (cores[:-1, 1] == cores[1:, 0]).all()
    _require(path, "core", bool(tiles and (np.diff(edges) > 0).all()))
    _require(path, "offset", _is_whole(offset, (count + 1,)))
    _require(path, "context", _is_whole(seen, seen.shape[:1]))
    bounded = offset[0] == 0 and offset[-1] == len(seen) and (np.diff(offset) >= 0).all()
    _require(path, "offset", bool(bounded))
    _require(path, "context", len(seen) > 0 and seen.min() >= 0 and seen.max() < sites)
    _require(path, "context", all(_sees_core(windows, window) for window in range(count)))
    places = windows.centimorgan
    _require(path, "centimorgan", places.shape == (sites,) and places.dtype.kind == "f")
    finite = np.isfinite(places).all() and np.abs(places).max() <= FARTHEST_CM
    _require(path, "centimorgan", bool(finite and (np.diff(places) >= 0).all()))


def check_shards(folder: Path, windows: WindowSet) -> None:
    """Raise InputError where the shards that are listed are not those of the windows, or people
    and their haplotypes cannot be theirs.
    """
    path = folder / "shards.json"
    facts = read_facts(path, "shards")
    del facts["format"]
    contents = read_contents(path, ShardsContents, facts)
    if len(contents.windows) != len(windows):
        raise InputError(
            f"{path}: lists {len(contents.windows)} files for {len(windows)} windows; {REMEDY}"
        )
    for shard, (start, stop) in zip(contents.windows, windows.cores.tolist(), strict=True):
        if (shard.first, shard.sites) != (start, stop - start):
            raise InputError(f"{path}: {shard.file} has other sites than its window; {REMEDY}")
        refuse_link(folder, shard.file)
    _check_people(path, contents)
    _check_stretches(path, contents.stretches, windows)


def _check_people(path: Path, contents: ShardsContents) -> None:
    """Everybody has a row in the first shard, whose packed bytes bound how many there are."""
    first = path.parent / contents.windows[0].file
    if not first.is_file() or contents.people > MOST_PACKING * first.stat().st_size:
        raise InputError(
            f"{first}: missing or damaged, it cannot hold the {contents.people} people of "
            f"{path.name}; {REMEDY}"
        )
    for stretch in contents.stretches:
        haploid = np.array(stretch.haploid, dtype=np.int64)
        inside = not len(haploid) or (haploid[0] >= 0 and haploid[-1] < contents.people)
        if not inside or (np.diff(haploid) <= 0).any():
            raise InputError(f"{path}: haploid: names others than its people; {REMEDY}")


def _check_stretches(path: Path, stretches: list[StretchContents], windows: WindowSet) -> None:
    """Stretches begin where windows do, and no window sees more than one."""
    first = np.array([stretch.first for stretch in stretches])
    begins = first[0] == 0 and (np.diff(first) > 0).all() and np.isin(first, windows.cores[:, 0])
    if not np.all(begins):
        raise InputError(f"{path}: stretches: do not begin where windows do; {REMEDY}")
    stretch = np.searchsorted(first, windows.sites, side="right") - 1
    starts = windows.offset[:-1]
    if (np.maximum.reduceat(stretch, starts) != np.minimum.reduceat(stretch, starts)).any():
        raise InputError(f"{path}: stretches: a window sees two of them; {REMEDY}")


def _require(path: Path, name: str, holds: bool) -> None:
    if not holds:
        raise InputError(f"{path}: {name} does not hold what an imputer's does; {REMEDY}")


def _is_whole(values: np.ndarray, shape: tuple[int, ...]) -> bool:
    return values.shape == shape and values.dtype.kind in "iu"


def _are_shares(values: np.ndarray, shape: tuple[int, ...]) -> bool:
    if values.shape != shape or values.dtype.kind != "f":
        return False
    # Rounding may leave a share a little beyond its bounds.
    return bool(((values >= -1e-3) & (values <= 1 + 1e-3)).all())


def _all_match(words: list[str], pattern: str) -> bool:
    """Whether all words match a pattern that no line break is part of: sought in all at once."""
    try:
        lines = "\n".join(words)
    except TypeError:
        return False
    odd = re.compile(rf"^(?!{pattern}$)", re.MULTILINE)
    return lines.count("\n") == len(words) - 1 and odd.search(lines) is None


def _sees_core(windows: WindowSet, window: int) -> bool:
    """Whether a window sees its core's sites, all of them in order, and each site once."""
    seen = windows.context(window)
    start, stop = windows.cores[window]
    first, last = np.searchsorted(seen, (start, stop))
    return bool((np.diff(seen.astype(np.int64)) > 0).all() and last - first == stop - start)
