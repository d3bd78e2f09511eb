"""Reads configuration files and checks them: one line for every key that is wrong."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from haplorag.errors import InputError
from haplorag.settings import Settings


def read_settings(config: dict[str, Any], source: str = "config") -> Settings:
    """Check a configuration read from YAML; `source` names it in messages.

    Raises InputError with one line for every key that is wrong: the key, what was expected, what
    was found, the remedy.
    """
    try:
        return Settings.model_validate(config)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
    raise InputError("\n".join(f"{source}: {problem}" for problem in problems))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a configuration file, building nothing but plain values.

    Raises InputError where it is not a mapping.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InputError(
            f"{path}: not readable as YAML ({' '.join(str(error).split())}); fix the file"
        ) from error
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


def _explain(problem: Any) -> str:
    *parents, last = problem["loc"] or ("",)
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(last), _list_keys(Settings, parents), n=1)
        return f"{key}: no such key; " + (f"use `{close[0]}`" if close else "remove it")
    if problem["type"] == "missing":
        return f"{key}: missing; set it as in config/config.yaml"
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}" if key else str(problem["ctx"]["error"])
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{key}: {message}, found {problem['input']!r}; fix this key"


def _list_keys(section: Any, path: list[Any]) -> list[str]:
    for part in path:
        field = section.model_fields.get(part) if hasattr(section, "model_fields") else None
        kinds = (
            [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        )
        section = next((kind for kind in kinds if hasattr(kind, "model_fields")), section)
    return list(section.model_fields)
