"""What a file was made from: written into it, compared where several files are read together."""

from __future__ import annotations

import json
from pathlib import Path

from haplorag.errors import InputError
from haplorag.io.checksums import checksum, read_seal
from haplorag.io.hdf5 import opening_arrays
from haplorag.io.metadata import read_facts


def describe_provenance(*files: tuple[str, Path]) -> str:
    """What `check_provenance` gives, as text for a file that is made from these."""
    return json.dumps(check_provenance(*files), sort_keys=True)


def check_provenance(*files: tuple[str, Path]) -> dict[str, str]:
    """Digests of files, each given with its stage, and of all that they were made from, by stage.

    Raises InputError where two of them come from different samples, genotypes, windows and so on:
    from two runs.
    """
    witnesses: dict[str, tuple[str, Path]] = {}
    for stage, path in files:
        # Methods' predictions stand side by side, and nothing is made from one of them alone.
        own = {} if stage == "predictions" else {stage: _identify(path)}
        for source, digest in (_read_sources(stage, path) | own).items():
            first, witness = witnesses.setdefault(source, (digest, path))
            if first != digest:
                raise InputError(
                    f"{path}: comes from other {source} than {witness}; "
                    "remove the older of the two and run again"
                )
    return {source: digest for source, (digest, _) in witnesses.items()}


def _identify(path: Path) -> str:
    """What changes whenever a file's content does: the seal of an HDF5 file, else a checksum."""
    if path.suffix == ".h5":
        return read_seal(path)
    return checksum(path / "shards.json" if path.is_dir() else path)


def _read_sources(stage: str, path: Path) -> dict[str, str]:
    if stage == "samples":
        return {}
    if stage == "shards":
        return read_facts(path / "shards.json", "shards")["sources"]
    with opening_arrays(path, stage) as file:
        sources = file.attrs.get("sources")
    if sources is None:
        raise InputError(f"{path}: does not say what it was made from; remove it and run again")
    return json.loads(sources)
