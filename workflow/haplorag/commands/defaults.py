"""The configuration that comes with haplorag: where it lies, its values, what it says of them."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haplorag.errors import InputError

if TYPE_CHECKING:
    from haplorag.settings import Settings

PACKAGE = Path(__file__).resolve().parent.parent
# A section; a key with its value, and the comment beside it or on the lines below.
SECTION = re.compile(r"(?P<name>\w+): *(?:#.*)?")
KEY = re.compile(r" {2}(?P<name>\w+): *(?P<value>[^#]*?) *(?:# *(?P<comment>.*))?")
COMMENT = re.compile(r" +# *(?P<comment>.*)")


def find_workflow() -> Path:
    """The folder of config, envs, profiles and workflow: one in the package that was installed, or
    that of the checkout.
    """
    installed = PACKAGE / "checkout"
    return installed if installed.is_dir() else PACKAGE.parent.parent


def default_of(key: str) -> str:
    """The value of a key such as `imputation.batch_people` in `config.yaml`, as it stands there."""
    return _describe_keys()[key][0]


def meaning_of(key: str) -> str:
    """Meaning and unit of a key such as `imputation.batch_people`, as `config.yaml` has them."""
    return _describe_keys()[key][1]


@lru_cache
def _describe_keys() -> dict[str, tuple[str, str]]:
    """Value and comment of every key of a section, from the text: reading YAML loses comments."""
    found: dict[str, tuple[str, str]] = {}
    section = last = ""
    for line in (find_workflow() / "config/config.yaml").read_text().splitlines():
        if head := SECTION.fullmatch(line):
            section = head["name"]
        elif (more := COMMENT.fullmatch(line)) and last:
            value, meaning = found[last]
            found[last] = value, f"{meaning} {more['comment']}"
        elif key := KEY.fullmatch(line):
            last = f"{section}.{key['name']}"
            found[last] = key["value"], key["comment"] or ""
        else:
            last = ""
    return found


def load_settings(
    overlays: list[Path], pairs: list[str], laid_over: dict[str, Any] | None = None
) -> Settings:
    """The configuration with files laid over it, then KEY=VALUE pairs, then a mapping; checked.

    A KEY names its sections before it: `imputation.batch_people=16`. Raises InputError with a line
    for every key that is wrong.
    """
    from haplorag.configuration import lay_over, merge, read_settings, read_yaml

    given: dict[str, Any] = {}
    for path in overlays:
        merge(given, read_yaml(path))
    merge(given, merge_pairs(pairs))
    merge(given, laid_over or {})
    merged = read_yaml(find_workflow() / "config/config.yaml")
    lay_over(merged, given)
    sources = [*map(str, overlays), *(["--set"] if pairs else [])]
    return read_settings(merged, " + ".join(sources) or "command line")


def merge_pairs(pairs: list[str]) -> dict[str, Any]:
    """KEY=VALUE pairs as one mapping of mappings; later ones win.

    Raises InputError where one is no such pair.
    """
    from haplorag.configuration import merge

    merged: dict[str, Any] = {}
    for pair in pairs:
        merge(merged, _read_pair(pair))
    return merged


def _read_pair(pair: str) -> dict[str, Any]:
    from haplorag.configuration import parse_yaml

    key, equals, text = pair.partition("=")
    if not equals:
        raise InputError(f"--set {pair}: has no value; write it as KEY=VALUE")
    value = parse_yaml(text, f"--set {key}")
    for part in reversed(key.split(".")):
        value = {part: value}
    return value
