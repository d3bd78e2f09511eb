"""Turns a step function's signature into its command line, and its failures into exit statuses."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import logging
import os
import resource
import signal
import sys
import traceback
import types
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from haplorag.errors import InputError
from haplorag.io.text import read_text
from haplorag.pipeline.failures import RUN_AGAIN, explain_failure
from haplorag.pipeline.logs import collecting_warnings, configure_logging, tell_console

log = logging.getLogger("haplorag")
# Exit statuses: input was refused, or the machine could not do what was asked of it.
EXIT_REFUSED, EXIT_UNABLE = 2, 3
EXIT_SIGNAL = 128
# Characters of what is said of a section that does not fit.
LONGEST_MESSAGE = 500


def run_step(step: Callable[..., object], arguments: list[str] | None = None) -> None:
    """Call `step` with what the command line says, and put what is no fault of ours in one line.

    Exit status 2 means that an input was refused (InputError), 3 that the machine could not: no
    space, no memory, no GPU. Positional parameters become positional arguments, keyword-only
    parameters become flags. A pydantic section is given as JSON, in one object or several, of which
    later ones replace keys of earlier ones; a `list[...]` as any number of values, an optional
    value as one or none, a `bool` as a bare flag. A frozen dataclass of paths is one argument for
    each of its fields, or one flag that bears the parameter's name before the field's. All steps
    take `--warnings`, a table of what they warn.
    """
    prepare_process()
    with explaining_failures(step.__name__):
        values = vars(_build_parser(step).parse_args(arguments))
        with collecting_warnings(values["warnings"]):
            step(**_take_values(step, values))
        _say_cost()


def _say_cost() -> None:
    """Say what this process and those it waited for took: Snakemake looks only now and then."""
    own, others = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    seconds = sum(usage.ru_utime + usage.ru_stime for usage in (own, others))
    megabytes = max(own.ru_maxrss, others.ru_maxrss) * 1024 / 1e6
    log.info("took %.1f CPU seconds, %.0f MB at the most", seconds, megabytes)


def prepare_process() -> None:
    """Set what holds for every process of ours: its log, and how it ends when asked to."""
    configure_logging()
    # As an exception, so that half-written files are removed.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(EXIT_SIGNAL + number))


@contextmanager
def explaining_failures(step: str) -> Iterator[None]:
    """End the process with one line and its exit status where the block fails through no fault of
    ours.
    """
    try:
        yield
    except InputError as error:
        log.error("%s", error)
        tell_console(step, str(error))
        sys.exit(EXIT_REFUSED)
    except KeyboardInterrupt:
        log.error("interrupted; %s to go on", RUN_AGAIN)
        sys.exit(EXIT_SIGNAL + signal.SIGINT)
    except Exception as error:
        explanation = explain_failure(error, step)
        if explanation is None:
            tell_console(step, "".join(traceback.format_exception(error)))
            raise
        tell_console(step, explanation)
        # What libraries have to say of it while they close their files helps nobody.
        sys.unraisablehook = lambda _: None
        log.error("%s", explanation)
        sys.exit(EXIT_UNABLE)


def count_threads(wanted: int) -> int:
    """The threads a step may use: those wanted, but never more than the machine lets it run on."""
    return max(1, min(wanted, len(os.sched_getaffinity(0))))


def _build_parser(step: Callable[..., object]) -> argparse.ArgumentParser:
    """The command line of `step`: its parameters, and the flag that all steps have."""
    summary = (inspect.getdoc(step) or "").partition("\n\n")[0]
    module = sys.modules[step.__module__].__spec__
    parser = argparse.ArgumentParser(
        prog=f"python -m {module.name if module else step.__module__}", description=summary
    )
    hints = typing.get_type_hints(step)
    for name, parameter in inspect.signature(step).parameters.items():
        is_flag = parameter.kind is inspect.Parameter.KEYWORD_ONLY
        if dataclasses.is_dataclass(hints[name]):
            _add_fields(parser, name, hints[name], is_flag)
        else:
            _add_argument(parser, name, hints[name], is_flag, parameter.default)
    parser.add_argument("--warnings", type=Path, help="table to write of what the step warns of")
    return parser


def _add_fields(parser: argparse.ArgumentParser, name: str, bundle: Any, is_flag: bool) -> None:
    """Add an argument for each field of a parameter that is a dataclass."""
    hints = typing.get_type_hints(bundle)
    for field in dataclasses.fields(bundle):
        required = field.default is dataclasses.MISSING
        default = inspect.Parameter.empty if required else field.default
        _add_argument(parser, _name_field(name, field), hints[field.name], is_flag, default)


def _name_field(parameter: str, field: dataclasses.Field) -> str:
    """The argument of a field: two parameters may be dataclasses of one type."""
    return f"{parameter}_{field.name}"


def _take_values(step: Callable[..., object], values: dict[str, Any]) -> dict[str, Any]:
    """The values by parameter of `step`, from those by argument: dataclasses are put together."""
    hints = typing.get_type_hints(step)
    taken = {}
    for name in inspect.signature(step).parameters:
        if dataclasses.is_dataclass(hints[name]):
            fields = dataclasses.fields(hints[name])
            by_field = {field.name: values[_name_field(name, field)] for field in fields}
            taken[name] = hints[name](**by_field)
        elif section := _find_section(hints[name]):
            taken[name] = _build_section(name, section, values[name])
        else:
            taken[name] = values[name]
    return taken


def _add_argument(
    parser: argparse.ArgumentParser, name: str, hint: Any, is_flag: bool, default: Any
) -> None:
    """Add a flag, or else a positional argument, for a value of type `hint`."""
    optional = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    if optional:
        hint = next(kind for kind in typing.get_args(hint) if kind is not type(None))
    several = typing.get_origin(hint) is list
    kind = typing.get_args(hint)[0] if several else hint
    is_section = _find_section(kind) is not None
    options: dict[str, Any] = {"type": _parse_object if is_section else kind}
    if several or is_section:
        options["nargs"] = "*"
    elif optional:
        options["nargs"] = "?"
    if not is_flag:
        parser.add_argument(name, metavar=name.upper(), **options)
        return
    if hint is bool:
        options = {"action": "store_true"}
    required = default is inspect.Parameter.empty and hint is not bool
    parser.add_argument(
        "--" + name.replace("_", "-"),
        dest=name,
        required=required,
        default=None if required else default,
        **options,
    )


def _find_section(hint: Any) -> Any:
    """The pydantic section that a type is, or may be; None where it is none."""
    kinds = [hint, *typing.get_args(hint)]
    return next((kind for kind in kinds if hasattr(kind, "model_validate")), None)


def _parse_object(text: str) -> dict[str, Any]:
    """A JSON object, or that of the file whose name stands after @."""
    try:
        if text.startswith("@"):
            text = read_text(Path(text[1:]), "write it as UTF-8")
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"not readable as JSON: {error}") from error
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError("no JSON object")
    return found


def _lay_over(below: dict[str, Any], above: dict[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _lay_over(below[key], value)
        else:
            below[key] = value


def _build_section(name: str, section: Any, objects: list[dict[str, Any]] | None) -> Any:
    """A section from JSON objects; what a later one holds replaces what an earlier one does.

    Raises InputError where they do not make one.
    """
    if not objects:
        return None
    merged: dict[str, Any] = {}
    for one in objects:
        _lay_over(merged, one)
    try:
        return section.model_validate_json(json.dumps(merged))
    except ValueError as error:
        said = " ".join(str(error).split())[:LONGEST_MESSAGE]
        raise InputError(f"--{name.replace('_', '-')}: {said}") from error
