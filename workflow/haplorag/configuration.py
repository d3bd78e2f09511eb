"""Reads configuration files and checks them: one line for every key that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from haplorag.errors import InputError
from haplorag.io.text import is_plain, read_text, shorten
from haplorag.settings import Settings

# Bytes of a configuration file, and values in it once each alias is written out: some hundred times
# what the longest needs.
MOST_BYTES, MOST_VALUES = 2**20, 100_000
LONGEST_NUMBER = 64
MERGE = "tag:yaml.org,2002:merge"
YTE = "__use_yte__"


def read_settings(config: dict[str, Any], source: str = "config") -> Settings:
    """Check a configuration read from YAML; `source` names it in messages.

    Raises InputError with one line for every key that is wrong: the key, what was expected, what
    was found, the remedy.
    """
    problems = [
        f"{key}: holds control characters or half a character; write plain text"
        for key in _find_odd_text(config)
    ]
    if not problems:
        try:
            return Settings.model_validate(config)
        except ValidationError as error:
            problems = [_explain(problem) for problem in error.errors()]
    raise InputError("\n".join(f"{source}: {problem}" for problem in problems))


def lay_over(complete: dict[str, Any], given: dict[str, Any]) -> None:
    """Lay what is given over a configuration, and between the two the files its `overlay` names.

    Raises InputError where such a file is not a plain configuration (see `read_yaml`).
    """
    named = given.get("overlay") or []
    for path in [named] if isinstance(named, str) else named:
        merge(complete, read_yaml(Path(str(path))))
    merge(complete, given)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a configuration file, building nothing but plain values and evaluating nothing.

    Raises InputError where it is not a mapping, gives a key twice, grows beyond all measure by its
    aliases, or asks Snakemake to evaluate it.
    """
    text = read_text(path, "write it as UTF-8", MOST_BYTES)
    found = parse_yaml(text, str(path))
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds no keys; use config/config.yaml as a model")
    if YTE in found:
        raise InputError(
            f"{path}: {YTE}: makes the file a program, which Snakemake runs as soon as it is named "
            "by --configfile; write plain values, and look at what else the file says"
        )
    return found


def parse_yaml(text: str, source: str) -> Any:
    """Plain values that a text in YAML says; `source` names it in messages.

    Raises InputError as `read_yaml` does.
    """
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _count_values(node, {})
        return loader.construct_document(node)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, AttributeError) as error:
        said = shorten(" ".join(str(error).split()))
        raise InputError(f"{source}: not readable as YAML ({said}); fix the file") from error


def _count_values(node: yaml.Node, counted: dict[int, int]) -> int:
    """Values of a part of a document with every alias written out; `counted` has those known.

    Raises InputError where they are too many or without end, and where a key is given twice.
    """
    known = counted.get(id(node))
    if known == 0:
        raise InputError(f"line {node.start_mark.line + 1} is an alias within itself; write it out")
    if known is not None:
        return known
    counted[id(node)] = 0
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        _refuse_repeats(node)
        children = [child for pair in node.value for child in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    total = 1 + sum(_count_values(child, counted) for child in children)
    if total > MOST_VALUES:
        raise InputError(
            f"line {node.start_mark.line + 1} stands for more than {MOST_VALUES} values, its "
            "aliases written out; write out what is meant"
        )
    counted[id(node)] = total
    return total


def _refuse_repeats(node: yaml.MappingNode) -> None:
    first: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE:
            continue
        name, line = (key.tag, key.value), key.start_mark.line + 1
        if name in first:
            raise InputError(
                f"line {line} gives the key {shorten(key.value)} again, after line {first[name]}; "
                "remove one of them"
            )
        first[name] = line


def _find_odd_text(config: dict[str, Any]) -> Iterator[str]:
    """Keys, parted by dots, whose text no file name and no command line can hold."""
    pending: list[tuple[str, Any]] = [("", config)]
    seen: set[int] = set()
    while pending:
        key, value = pending.pop()
        if isinstance(value, str) and not is_plain(value):
            yield key
        if not isinstance(value, dict | list) or id(value) in seen:
            continue
        seen.add(id(value))
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for name, entry in entries:
            if not is_plain(str(name)):
                yield ascii(name)
            pending.append((f"{key}.{name}".lstrip("."), entry))


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
    return f"{key}: {message}, found {_show(problem['input'])}; fix this key"


def _show(value: Any) -> str:
    """A value as a message shows it: never longer than a line, whatever it holds."""
    if isinstance(value, dict):
        return f"a mapping of {len(value)} keys"
    if isinstance(value, list):
        return f"a list of {len(value)} entries"
    if isinstance(value, int) and value.bit_length() > LONGEST_NUMBER:
        return f"a number of {value.bit_length()} bits"
    return shorten(repr(value))


def _list_keys(section: Any, path: list[Any]) -> list[str]:
    for part in path:
        field = section.model_fields.get(part) if hasattr(section, "model_fields") else None
        kinds = (
            [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        )
        section = next((kind for kind in kinds if hasattr(kind, "model_fields")), section)
    return list(section.model_fields)
