"""Finds all that is wrong with a configuration's inputs before any job runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import yaml

from haplorag.pipeline import cli as command
from haplorag.qc.preflight import find_problems
from haplorag.errors import InputError
from haplorag.settings import read_settings

log = logging.getLogger(__name__)


def preflight(config: list[Path], *, set_values: list[str] | None = None) -> None:
    """Check configuration files (later ones replace single keys of earlier ones) and all inputs they name.

    `set_values` are KEY=VALUE pairs as Snakemake's --config takes them. Raises InputError with every problem found.
    """
    merged: dict[str, Any] = {}
    for path in config:
        merge(merged, read_yaml(path))
    for pair in set_values or []:
        key, _, value = pair.partition("=")
        merge(merged, {key: yaml.safe_load(value)})
    settings = read_settings(merged, " + ".join(map(str, config)))
    if problems := find_problems(settings):
        raise InputError("\n".join(problems))
    log.info("%d chromosomes, %d models: nothing is wrong", len(settings.chromosomes), len(settings.models))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a configuration file, building nothing but plain values. Raises InputError where it is not a mapping."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path}: not readable as YAML ({' '.join(str(error).split())}); fix the file") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds no keys; use config/config.yaml as a model")
    return found


def merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    """Lay one configuration over another, key by key, as Snakemake does."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


if __name__ == "__main__":
    command.run(preflight)
