"""Turns a step function's signature into its command line and sets up logging and progress, here and nowhere else."""

from __future__ import annotations

import argparse
import errno
import inspect
import logging
import os
import signal
import sys
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from haplorag.errors import InputError

Item = TypeVar("Item")
# Exit statuses: input was refused, or the machine could not do what was asked of it.
REFUSED, UNABLE = 2, 3
STOPPED = 128
AGAIN = "run the same command again"
REMEDIES = {
    errno.ENOSPC: f"free some space, then {AGAIN}",
    errno.EDQUOT: f"free some of your quota, then {AGAIN}",
    errno.EFBIG: f"raise the largest file size (ulimit -f), then {AGAIN}",
    errno.EROFS: "set `results` to a folder that can be written",
    errno.EACCES: "set `results` to a folder that you may write, or ask for permission",
    errno.EMFILE: f"raise the number of open files (ulimit -n), then {AGAIN}",
    errno.ENOMEM: f"run fewer jobs at once (--cores), then {AGAIN}",
    errno.EIO: f"have the disk or the network file system looked at, then {AGAIN}",
    errno.ESTALE: f"the network file system has lost it; {AGAIN}",
}
# What libraries say that have no exception of their own for it.
NO_MEMORY = ("out of memory", "can't allocate memory", "bad_alloc", "can't start new thread", "not enough memory")
LOWER = {
    "training": "training.batch_people",
    "untrained": "training.batch_people",
    "predictions": "imputation.batch_people",
    "imputation": "imputation.batch_people",
}


def run(step: Callable[..., None], arguments: list[str] | None = None) -> None:
    """Parse the command line `step` describes, call it, and turn what is no fault of the program into one clear line.

    Exit status 2 means that an input was refused (InputError), 3 that the machine could not: no space, no memory, no GPU.
    Positional parameters become positional arguments, keyword-only parameters become flags. A pydantic section is
    given as JSON, a `list[...]` as any number of values, an optional value as one or none, a `bool` as a bare flag.
    """
    # Threads that spin while they wait make shared cores several times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    start_log()
    log = logging.getLogger("haplorag")
    # As an exception, so that half-written files are removed.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(STOPPED + number))
    try:
        step(**_parse(step, arguments))
    except InputError as error:
        log.error("%s", error)
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        log.error("interrupted; %s to go on", AGAIN)
        sys.exit(STOPPED + signal.SIGINT)
    except Exception as error:
        said = explain(error, step.__name__)
        if said is None:
            raise
        # What libraries have to say of it while they close their files helps nobody.
        sys.unraisablehook = lambda _: None
        log.error("%s", said)
        sys.exit(UNABLE)


def explain(error: Exception, step: str) -> str | None:
    """One line that says what a machine lacked and what to do, None where it is no such thing."""
    if isinstance(error, OSError) and error.errno in REMEDIES:
        return f"{error.filename or step}: {os.strerror(error.errno)}; {REMEDIES[error.errno]}"
    said = " ".join(str(error).split())[:300]
    if isinstance(error, OSError) and error.filename and error.errno is None:
        return f"{error.filename}: could not be written ({said}); free some space, then {AGAIN}"
    if isinstance(error, MemoryError) or any(words in said for words in NO_MEMORY):
        lower = f"lower {LOWER[step]}, " if step in LOWER else ""
        return f"{step}: out of memory ({said}); {lower}run fewer jobs at once (--cores), or use a larger machine"
    if type(error).__name__ == "AcceleratorError" or "CUDA error" in said:
        return f"{step}: the GPU failed ({said}); {AGAIN}, or without it: --resources gpu=0"
    return None


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
