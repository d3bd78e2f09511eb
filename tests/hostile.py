"""Makes imputers whose files say what is not so, each with its checksums in order."""

import gzip
import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from safetensors.torch import load_file, save_file

from haplorag.io.checksums import checksum, seal_file
from haplorag.io.hdf5 import put_array, read_arrays
from haplorag.io.metadata import FORMAT_VERSION, read_facts, write_facts
from haplorag.network.weights import _digest
from haplorag.panel.haplotypes import FLAT_INDEX, FLAT_WORD, METRIC

WORDS = {"panel.h5": "panel", "windows.h5": "windows"}
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 7, 2**31, 2**63, 10**30, 0.5, 1e308, float("nan"), float("inf"), "", "a", "../../x", "/etc/passwd",
    "a" * 5000, "1", "\0", "\u2028", [], {}, [[]], [1, 2], ["1"] * 3, {"a": 1}, "shards/../../../y", "0" * 64,
)  # fmt: skip


def renew_checksums(folder: Path) -> None:
    """Put the checksums of an imputer's files in order, where it lists them as one does."""
    try:
        facts = read_facts(folder / "imputer.json", "imputer")
    except ValueError:
        return
    files = facts.get("files")
    if isinstance(files, dict):
        for name in files:
            path = folder / str(name)
            if (
                ".." not in name
                and not name.startswith("/")
                and "\0" not in name
                and path.is_file()
            ):
                files[name] = checksum(path)
    facts.pop("format", None)
    write_facts(folder / "imputer.json", "imputer", facts)


def write_any(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays of any kind, as they are, into a sealed file."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file.attrs["format"] = f"{WORDS[path.name]}/{FORMAT_VERSION}"
        for name, values in arrays.items():
            try:
                put_array(file, name, values)
            except (TypeError, ValueError, AttributeError):
                file[name] = values if values.dtype != object else values.astype(str).astype("S")
    seal_file(path)


def change_array(values: np.ndarray, generator: random.Random) -> Any:
    """An array made wrong: in its length, kind, order or values."""
    row = generator.randrange(max(1, len(values)))
    numbers = values.dtype.kind in "iuf"
    changes: list[Callable[[], Any]] = [
        lambda: values[:-1],
        lambda: values[:0],
        lambda: np.concatenate([values, values[-1:]]),
        lambda: values[::-1],
        lambda: values[None],
        lambda: values.T if values.ndim > 1 else values[:, None],
        lambda: np.zeros(values.shape, dtype=[("a", "i4"), ("b", "f8")]),
        lambda: np.zeros((), dtype=np.int64),
        lambda: np.array(["x"] * len(values), dtype=object),
        lambda: np.ones(values.shape, dtype=bool),
        lambda: np.zeros(values.shape, dtype=complex),
        lambda: np.full(values.shape, -1),
    ]
    if numbers:
        odd = (-1, 0, 2**31 - 1, 2**40, 5)
        floats = (float("nan"), float("inf"), -float("inf"), 1e300, -0.5, 2.0)
        changes += [
            lambda: replace_at(values.astype(np.int64), row, generator.choice(odd)),
            lambda: replace_at(values.astype(float), row, generator.choice(floats)),
            lambda: replace_at(values, row, values[generator.randrange(len(values))]),
            lambda: values.astype(float),
            lambda: values.astype(np.int64),
            lambda: (values * 0).astype(values.dtype),
            lambda: values.astype("f2"),
        ]
    else:
        odd_text = ("", "A\tB", "A\nC", "<DEL>", "*", "N", "a", "A" * 70_000, "\u2028", ";;", "A C")
        changes += [lambda: replace_at(values, row, generator.choice(odd_text))] * 6
    return generator.choice(changes)()


def replace_at(values: np.ndarray, row: int, value: Any) -> np.ndarray:
    """A copy with another value in a row."""
    other = values.copy()
    other[row] = value
    return other


def change_facts(facts: Any, generator: random.Random) -> None:
    """Replace, drop, double or add a value somewhere in what a JSON file says."""
    place, key = facts, None
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = generator.choice(keys)
        if not isinstance(place[key], dict | list) or not place[key] or generator.random() < 0.3:
            break
        place = place[key]
    change = generator.choice(("replace", "replace", "replace", "drop", "add"))
    if change == "replace" and key is not None:
        place[key] = generator.choice(VALUES)
    elif change == "drop" and key is not None:
        del place[key]
    elif isinstance(place, dict):
        place[generator.choice(("more", "../x", "/etc/passwd", "a\0b"))] = generator.choice(VALUES)
    else:
        place.append(generator.choice(VALUES))


def write_json(path: Path, word: str, facts: dict) -> None:
    """Write facts with their seal, numbers that JSON lacks included."""
    text = json.dumps({"format": f"{word}/{FORMAT_VERSION}", **facts}, indent=1).removesuffix("\n}")
    seal = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(f'{text},\n "sha256": "{seal}"\n}}\n')


def change_shard(path: Path, generator: random.Random) -> None:
    """Make one window's index say something else, and list it as it is."""
    data = gzip.decompress(path.read_bytes())
    word, bits, width, rows, *_ = FLAT_INDEX.unpack_from(data)
    huge = generator.choice((-1, 0, 1, 2**31 - 1, 2**40, 2**62))
    head = {
        "rows": (word, bits, width, huge, True, METRIC, rows * width),
        "width": (word, bits, max(min(huge, 2**31 - 1), -1), rows, True, METRIC, rows * width),
        "word": (b"IxF2", bits, width, rows, True, METRIC, rows * width),
    }
    kind = generator.choice((*head, "cut", "more", "bomb", "noise", "empty"))
    rest = data[FLAT_INDEX.size :]
    if kind in head:
        data = FLAT_INDEX.pack(*head[kind]) + rest
    elif kind == "cut":
        data = data[: generator.randrange(len(data))]
    elif kind == "more":
        data += b"\0" * 100
    elif kind == "bomb":
        data = FLAT_INDEX.pack(FLAT_WORD, bits, width, rows, True, METRIC, 0) + b"\0" * 200_000_000
    elif kind == "empty":
        data = b""
    packed = gzip.compress(data, 1, mtime=0)
    if kind == "noise":
        packed = packed[: len(packed) // 2] + bytes(generator.randrange(256) for _ in range(40))
    path.write_bytes(packed)
    contents = path.parent / "shards.json"
    facts = read_facts(contents, "shards")
    for entry in facts["windows"]:
        if entry["file"] == path.name:
            entry["sha256"] = checksum(path)
    facts.pop("format")
    write_facts(contents, "shards", facts)


def change_weights(path: Path, generator: random.Random) -> None:
    """Other shapes, names, kinds or values of weights, their checksum in order."""
    tensors = load_file(path)
    name = generator.choice(sorted(tensors))
    value = tensors[name]
    kind = generator.choice(("nan", "inf", "huge", "shape", "drop", "more", "half", "integers"))
    if kind in ("nan", "inf", "huge"):
        tensors[name] = torch.full_like(
            value, {"nan": torch.nan, "inf": torch.inf, "huge": 1e38}[kind]
        )
    elif kind == "shape":
        tensors[name] = value.flatten()[:-1].clone()
    elif kind == "drop":
        del tensors[name]
    elif kind == "more":
        tensors["more"] = value.clone()
    elif kind == "half":
        tensors[name] = value.half()
    else:
        tensors[name] = value.to(torch.int64)
    save_file(tensors, path, {"sha256": _digest(tensors)})


def change_bytes(path: Path, generator: random.Random) -> None:
    """Some bytes of a file of arrays, its structure included, with its seal in order."""
    data = bytearray(path.read_bytes())
    # Structure stands near the start, chunks of arrays behind.
    reach = generator.choice((4096, 16384, len(data)))
    for _ in range(generator.randint(1, 8)):
        data[generator.randrange(512, min(reach, len(data)))] = generator.randrange(256)
    path.write_bytes(data)
    seal_file(path)


def craft(imputer: Path, into: Path, seed: int) -> str:
    """Copy an imputer into a folder with one thing wrong in it; gives what was changed."""
    shutil.copytree(imputer, into)
    generator = random.Random(seed)
    network = (into / "weights.safetensors").exists()
    kinds = (
        ["array"] * 8 + ["imputer.json"] * 4 + ["shards.json"] * 3 + ["shard"] * 3 + ["bytes"] * 3
    )
    kind = generator.choice(kinds + ["weights"] * 4 * network)
    if kind == "imputer.json":
        facts = read_facts(into / "imputer.json", "imputer")
        facts.pop("format")
        change_facts(facts, generator)
        write_json(into / "imputer.json", "imputer", facts)
        return kind
    if kind == "array":
        path = into / "1" / generator.choice(list(WORDS))
        arrays: dict[str, Any] = read_arrays(path, WORDS[path.name])
        name = generator.choice(sorted(arrays))
        if generator.random() < 0.1:
            del arrays[name]
        else:
            arrays[name] = change_array(arrays[name], generator)
        write_any(path, arrays)
        kind = f"{path.name} {name}"
    elif kind == "shards.json":
        path = into / "1/shards/shards.json"
        facts = read_facts(path, "shards")
        facts.pop("format")
        change_facts(facts, generator)
        write_json(path, "shards", facts)
    elif kind == "shard":
        change_shard(generator.choice(sorted((into / "1/shards").glob("*.gz"))), generator)
    elif kind == "bytes":
        change_bytes(into / "1" / generator.choice(list(WORDS)), generator)
    else:
        change_weights(into / "weights.safetensors", generator)
    renew_checksums(into)
    return kind
