"""Flags that several commands take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from typer import Option

CORES = len(os.sched_getaffinity(0))

Config = Annotated[
    list[Path], Option("--config", help="YAML file laid over the configuration; may be repeated.")
]
Pairs = Annotated[
    list[str],
    Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any value of the configuration, such as imputation.min_overlap=0.3; may be repeated.",
    ),
]
Threads = Annotated[int, Option(min=1, help="Processor cores to use at most.")]
Verbose = Annotated[bool, Option("--verbose", help="Say what is done while it is done.")]
