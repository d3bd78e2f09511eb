"""Writes the panel in the form that Minimac4 reads, for all masks."""

from __future__ import annotations

import logging
from pathlib import Path

from haplorag.evaluation.other_tools import compress_reference
from haplorag.io.atomic import replacing
from haplorag.pipeline.cli import run_step

log = logging.getLogger(__name__)


def compression(reference: Path, output: Path) -> None:
    """Write the phased VCF of the reference in Minimac4's own form.

    Minimac4 puts a random number into it, so that its bytes differ each time. Raises InputError
    where Minimac4 is not installed or fails.
    """
    with replacing(output) as temporary:
        compress_reference(reference, temporary)
    log.info("%s: %.1f MB", output, output.stat().st_size / 1e6)


if __name__ == "__main__":
    run_step(compression)
