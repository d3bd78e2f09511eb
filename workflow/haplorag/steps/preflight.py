"""Finds all that is wrong with a configuration's inputs before any job runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from haplorag.configuration import lay_over, merge, parse_yaml, read_settings, read_yaml
from haplorag.errors import InputError
from haplorag.pipeline.cli import run_step
from haplorag.qc.preflight import find_problems

log = logging.getLogger(__name__)


def preflight(config: list[Path], *, set_values: list[str] | None = None) -> None:
    """Check configuration files (later ones replace single keys of earlier ones) and all inputs
    they name.

    `set_values` are KEY=VALUE pairs as Snakemake's --config takes them. Raises InputError with
    every problem found.
    """
    first, *others = config
    given: dict[str, Any] = {}
    for path in others:
        merge(given, read_yaml(path))
    for pair in set_values or []:
        key, _, value = pair.partition("=")
        merge(given, {key: parse_yaml(value, f"--set-values {key}")})
    merged = read_yaml(first)
    lay_over(merged, given)
    settings = read_settings(merged, " + ".join(map(str, config)))
    if problems := find_problems(settings):
        raise InputError("\n".join(problems))
    log.info(
        "%d chromosomes, %d models: nothing is wrong",
        len(settings.chromosomes),
        len(settings.models),
    )


if __name__ == "__main__":
    run_step(preflight)
