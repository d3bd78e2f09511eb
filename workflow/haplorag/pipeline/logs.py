"""Log lines and progress bars."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")


def configure_logging() -> None:
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
