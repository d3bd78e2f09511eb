"""Runs programs that are not ours."""

from __future__ import annotations

import logging
import shlex
import subprocess

from haplorag.errors import InputError

log = logging.getLogger(__name__)
# How much of what a failed program said is passed on, in characters.
LAST_WORDS = 2000


def run_program(words: list[str], remedy: str) -> str:
    """Run a program; gives what it said. Raises InputError with `remedy` where it fails."""
    log.info("%s", shlex.join(words))
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise InputError(
            f"{words[0]}: failed with exit status {done.returncode}; {remedy}; "
            f"it said: {done.stdout[-LAST_WORDS:]}"
        )
    return done.stdout
