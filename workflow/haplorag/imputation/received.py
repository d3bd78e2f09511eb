"""Checks what an imputer's files say before anything believes them: the folder may be anybody's."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from haplorag.errors import InputError
from haplorag.io.text import shorten
from haplorag.panel.haplotypes import ShardSet
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
        raise InputError(f"{path}: lists no checksum of {missing[0]}; {REMEDY}")
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


def check_shards(folder: Path, shards: ShardSet, windows: WindowSet) -> None:
    """Raise InputError where the shards that are listed are not those of the windows."""
    path = folder / "shards.json"
    count = shards.reference_haplotypes
    if not isinstance(count, int) or not 2 <= count < 2**31 or not isinstance(shards.entries, list):
        raise InputError(f"{path}: lists no haplotypes; {REMEDY}")
    if len(shards.entries) != len(windows):
        raise InputError(
            f"{path}: lists {len(shards.entries)} files for {len(windows)} windows; {REMEDY}"
        )
    for entry, (start, stop) in zip(shards.entries, windows.cores.tolist(), strict=True):
        shard = read_contents(path, ShardContents, entry)
        if (shard.first, shard.sites) != (start, stop - start):
            raise InputError(f"{path}: {shard.file} has other sites than its window; {REMEDY}")
        refuse_link(folder, shard.file)


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
    whole = re.compile(pattern)
    return all(isinstance(word, str) and whole.fullmatch(word) for word in words)


def _sees_core(windows: WindowSet, window: int) -> bool:
    """Whether a window sees its core's sites, all of them in order, and each site once."""
    seen = windows.context(window)
    start, stop = windows.cores[window]
    first, last = np.searchsorted(seen, (start, stop))
    return bool((np.diff(seen.astype(np.int64)) > 0).all() and last - first == stop - start)
