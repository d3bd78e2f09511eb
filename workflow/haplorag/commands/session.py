"""How every command runs: failures as one line, and a summary of what was made and warned of."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from haplorag.pipeline.cli import explaining_failures, prepare_process
from haplorag.pipeline.logs import catching_warnings

MINUTE, HOUR = 60, 3600


@dataclass
class Summary:
    """What a command says at its end: a sentence, the files it made, figures, warnings."""

    sentence: str = ""
    # What each file or folder holds, by its path.
    outputs: dict[Path, str] = field(default_factory=dict)
    figures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def write(self, seconds: float) -> str:
        """The summary as text; a warning says itself what to do about it."""
        lines = [f"{self.sentence} in {format_time(seconds)}."]
        width = max((len(str(path)) for path in self.outputs), default=0)
        lines += [f"  {path!s:<{width}}  {what}" for path, what in self.outputs.items()]
        lines += [f"  {text}" for text in self.figures]
        warnings = list(dict.fromkeys(self.warnings))
        if warnings:
            lines.append(f"{len(warnings)} warning{'s' if len(warnings) > 1 else ''}:")
        return "\n".join([*lines, *(f"  - {text}" for text in warnings)])


@contextmanager
def summarising(verbose: bool, step: str = "") -> Iterator[Summary]:
    """Give a summary to fill in, and print it on standard output where the block ends well.

    What is warned of goes into it; on standard error it is shown as it happens where `verbose`, and
    where the block fails. Ends the process as steps do: 2 where an input is refused, 3 where the
    machine could not. `step` names the one whose setting is to be lowered where memory is short.
    """
    prepare_process()
    summary = Summary()
    if not verbose:
        _show_errors_only()
    started = time.perf_counter()
    with explaining_failures(step), catching_warnings() as collector:
        try:
            yield summary
        except BaseException:
            if not verbose:
                sys.stderr.writelines(f"haplorag: warning: {text}\n" for _, text in collector.rows)
            raise
    summary.warnings += [text for _, text in collector.rows]
    print(summary.write(time.perf_counter() - started))


def _show_errors_only() -> None:
    """Show no more than errors on standard error, without the time and the place they come from."""
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setLevel(logging.ERROR)
            handler.setFormatter(logging.Formatter("haplorag: %(levelname)s%(message)s"))


def format_time(seconds: float) -> str:
    """A duration as people say it: 8.2 s, 3 min 20 s, 2 h 5 min."""
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
