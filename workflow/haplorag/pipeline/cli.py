"""Turns a step function's signature into its command line and sets up logging and progress, here and nowhere else."""

from __future__ import annotations

import argparse
import inspect
import logging
import os
import signal
import sys
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from haplorag.errors import InputError
from haplorag.pipeline.failures import RUN_AGAIN, explain_failure
from haplorag.pipeline.logs import configure_logging

log = logging.getLogger(__name__)
# Exit statuses: input was refused, or the machine could not do what was asked of it.
EXIT_REFUSED, EXIT_UNABLE = 2, 3
EXIT_SIGNAL = 128


def run_step(step: Callable[..., None], arguments: list[str] | None = None) -> None:
    """Parse the command line `step` describes, call it, and turn what is no fault of the program into one clear line.

    Exit status 2 means that an input was refused (InputError), 3 that the machine could not: no space, no memory, no GPU.
    Positional parameters become positional arguments, keyword-only parameters become flags. A pydantic section is
    given as JSON, a `list[...]` as any number of values, an optional value as one or none, a `bool` as a bare flag.
    """
    # Threads that spin while they wait make shared cores several times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    configure_logging()
    log = logging.getLogger("haplorag")
    # As an exception, so that half-written files are removed.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(EXIT_SIGNAL + number))
    try:
        step(**_parse(step, arguments))
    except InputError as error:
        log.error("%s", error)
        sys.exit(EXIT_REFUSED)
    except KeyboardInterrupt:
        log.error("interrupted; %s to go on", RUN_AGAIN)
        sys.exit(EXIT_SIGNAL + signal.SIGINT)
    except Exception as error:
        said = explain_failure(error, step.__name__)
        if said is None:
            raise
        # What libraries have to say of it while they close their files helps nobody.
        sys.unraisablehook = lambda _: None
        log.error("%s", said)
        sys.exit(EXIT_UNABLE)


def count_threads(asked: int) -> int:
    """The threads a step may use: those asked for, but never more than the machine lets it run on."""
    return max(1, min(asked, len(os.sched_getaffinity(0))))


def _parse(step: Callable[..., None], arguments: list[str] | None) -> dict[str, Any]:
    summary = (inspect.getdoc(step) or "").partition("\n\n")[0]
    module = sys.modules[step.__module__].__spec__
    parser = argparse.ArgumentParser(
        prog=f"python -m {module.name if module else step.__module__}", description=summary
    )
    hints = typing.get_type_hints(step)
    for name, parameter in inspect.signature(step).parameters.items():
        _add_argument(parser, name, parameter, hints[name])
    return vars(parser.parse_args(arguments))


def _add_argument(
    parser: argparse.ArgumentParser, name: str, parameter: inspect.Parameter, hint: Any
) -> None:
    optional = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    if optional:
        hint = next(kind for kind in typing.get_args(hint) if kind is not type(None))
    several = typing.get_origin(hint) is list
    kind = typing.get_args(hint)[0] if several else hint
    options: dict[str, Any] = {
        "type": _parse_section(kind) if hasattr(kind, "model_validate_json") else kind
    }
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
        "--" + name.replace("_", "-"),
        dest=name,
        required=required,
        default=None if required else parameter.default,
        **options,
    )


def _parse_section(section: Any) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        return section.model_validate_json(
            Path(text[1:]).read_text() if text.startswith("@") else text
        )

    parse.__name__ = section.__name__
    return parse
