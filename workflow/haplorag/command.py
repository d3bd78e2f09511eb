"""Turns a step function's signature into its command line and sets up logging and progress, here and nowhere else."""

from __future__ import annotations

import argparse
import inspect
import logging
import os
import sys
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from haplorag.errors import InputError

Item = TypeVar("Item")
REFUSED = 2


def run(step: Callable[..., None], arguments: list[str] | None = None) -> None:
    """Parse the command line `step` describes, call it, and turn an InputError into one clear line and exit status 2.

    Positional parameters become positional arguments, keyword-only parameters become flags. A pydantic section is
    given as JSON, a `list[...]` as any number of values, an optional value as one or none, a `bool` as a bare flag.
    """
    # Threads that spin while they wait make shared cores several times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    start_log()
    try:
        step(**_parse(step, arguments))
    except InputError as error:
        logging.getLogger("haplorag").error("%s", error)
        sys.exit(REFUSED)


def start_log() -> None:
    """Log to standard error: time, module, fact; what is not as usual says so."""
    logging.addLevelName(logging.INFO, "")
    logging.addLevelName(logging.WARNING, "warning: ")
    logging.addLevelName(logging.ERROR, "error: ")
    form = "%(asctime)s %(module)s: %(levelname)s%(message)s"
    logging.basicConfig(format=form, datefmt="%H:%M:%S", level=logging.WARNING)
    for ours in ("haplorag", "__main__"):
        logging.getLogger(ours).setLevel(logging.INFO)
    logging.captureWarnings(True)


def show_progress(items: Iterable[Item], what: str, total: int | None = None) -> Iterable[Item]:
    """Pass items on with a progress bar where standard error is a terminal."""
    from tqdm import tqdm

    return tqdm(items, desc=what, total=total, disable=None, mininterval=0.5)


def count_threads(asked: int) -> int:
    """The threads a step may use: those asked for, but never more than the machine lets it run on."""
    return max(1, min(asked, len(os.sched_getaffinity(0))))


def _parse(step: Callable[..., None], arguments: list[str] | None) -> dict[str, Any]:
    summary = (inspect.getdoc(step) or "").partition("\n\n")[0]
    module = sys.modules[step.__module__].__spec__
    parser = argparse.ArgumentParser(prog=f"python -m {module.name if module else step.__module__}", description=summary)
    hints = typing.get_type_hints(step)
    for name, parameter in inspect.signature(step).parameters.items():
        _add_argument(parser, name, parameter, hints[name])
    return vars(parser.parse_args(arguments))


def _add_argument(parser: argparse.ArgumentParser, name: str, parameter: inspect.Parameter, hint: Any) -> None:
    optional = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    if optional:
        hint = next(kind for kind in typing.get_args(hint) if kind is not type(None))
    several = typing.get_origin(hint) is list
    kind = typing.get_args(hint)[0] if several else hint
    options: dict[str, Any] = {"type": _parse_section(kind) if hasattr(kind, "model_validate_json") else kind}
    if several:
        options["nargs"] = "*"
    elif optional:
        options["nargs"] = "?"
    if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
        parser.add_argument(name, metavar=name.upper(), **options)
        return
    if hint is bool:
        options = {"action": "store_true"}
    required = parameter.default is inspect.Parameter.empty and hint is not bool
    parser.add_argument(
        "--" + name.replace("_", "-"), dest=name, required=required, default=None if required else parameter.default, **options
    )


def _parse_section(section: Any) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        return section.model_validate_json(Path(text[1:]).read_text() if text.startswith("@") else text)

    parse.__name__ = section.__name__
    return parse
