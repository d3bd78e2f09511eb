"""Log lines, progress bars, and what a job warned of as a table."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
# A step that is run as a program logs as `__main__`.
LOGGERS = ("haplorag", "__main__")
log = logging.getLogger(__name__)
SECONDS_PER_LINE = 10.0
# Variable that holds the number of the file that is the console of a run, for its jobs.
CONSOLE = "HAPLORAG_CONSOLE"


class WarningCollector(logging.Handler):
    """Keeps the module and the message of every warning, in order."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.rows: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, unless it is an error."""
        if record.levelno == logging.WARNING:
            self.rows.append((record.module, record.getMessage()))


def configure_logging() -> None:
    """Log to standard error: time, module, fact; what is not as usual says so."""
    logging.addLevelName(logging.INFO, "")
    logging.addLevelName(logging.WARNING, "warning: ")
    logging.addLevelName(logging.ERROR, "error: ")
    form = "%(asctime)s %(module)s: %(levelname)s%(message)s"
    logging.basicConfig(format=form, datefmt="%H:%M:%S", level=logging.WARNING)
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(True)


def tell_console(step: str, message: str) -> None:
    """Say why a job failed on the console of the run, too, and where its log is.

    The log may lie on a full disk, and Snakemake may be told to be quiet. Without a run there is no
    other console.
    """
    if CONSOLE not in os.environ or os.environ.get("RANK", "0") != "0":
        return
    with suppress(OSError, ValueError):
        where = Path("/proc/self/fd/2").readlink()
        text = f"{step}: {message.strip()}\n  its log: {where}\n"
        os.write(int(os.environ[CONSOLE]), text.encode("utf-8", "backslashreplace"))


@contextmanager
def collecting_warnings(path: Path | None) -> Iterator[None]:
    """Write what haplorag warns of in the block as a table, where a path is given.

    Columns are module and message. Where nothing is warned of, or the block fails, there is no
    table, nor that of an earlier run.
    """
    # Of several processes that do one job, the first one speaks for all.
    if path is None or os.environ.get("RANK", "0") != "0":
        yield
        return
    # Tables take most of a second to load, and `haplorag --help` shows none.
    import pandas as pd

    from haplorag.io.tables import remove_table, write_table

    remove_table(path)
    with catching_warnings() as collector:
        yield
    if collector.rows:
        write_table(path, pd.DataFrame(collector.rows, columns=["module", "message"]))


@contextmanager
def catching_warnings(shown: bool = True) -> Iterator[WarningCollector]:
    """Give what keeps all that haplorag warns of in the block; unless `shown`, no one else does."""
    collector = WarningCollector()
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addHandler(collector)
        logger.propagate = shown
    try:
        yield collector
    finally:
        for logger in loggers:
            logger.removeHandler(collector)
            logger.propagate = True


def show_progress(
    items: Iterable[Item],
    what: str,
    total: int | None = None,
    size: Callable[[Item], int] = lambda _: 1,
) -> Iterator[Item]:
    """Pass items on with a progress bar where standard error is a terminal, else with a line in the
    log every ten seconds; of `total` in all, of which each item is as many as its size.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if not sys.stderr.isatty():
        yield from _log_progress(items, what, total, size)
        return
    from tqdm import tqdm

    # Smoothing by all that was done: items are large, and few.
    with tqdm(desc=what, total=total, mininterval=0.5, smoothing=0) as bar:
        for item in items:
            yield item
            bar.update(size(item))


def _log_progress(
    items: Iterable[Item], what: str, total: int | None, size: Callable[[Item], int]
) -> Iterator[Item]:
    begun = said = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += size(item)
        now = time.monotonic()
        if now - said < SECONDS_PER_LINE:
            continue
        said = now
        pace = done / (now - begun)
        if total is None:
            log.info("%s: %d done, %.3g/s", what, done, pace)
        else:
            left = (total - done) / pace
            log.info("%s: %d of %d, %.3g/s, %.0f s left", what, done, total, pace, left)
