"""Phases a target VCF against an imputer's panel, and writes it for who wants to look at it."""

from __future__ import annotations

import logging
from pathlib import Path

from haplorag.errors import InputError
from haplorag.imputation.imputer import open_imputer
from haplorag.imputation.target import read_target
from haplorag.imputation.target_phasing import TargetPhaser, may_phase
from haplorag.io.atomic import borrowing_folder, refuse_overwriting
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.pipeline.logs import show_progress
from haplorag.settings import PhasingSettings
from haplorag.vcf.reader import read_vcf_header
from haplorag.vcf.writer import write_genotypes

log = logging.getLogger(__name__)


def phasing(
    imputer: Path, target: Path, output: Path, *, settings: PhasingSettings, threads: int = 1
) -> None:
    """Write the genotypes of a target as a bgzipped, indexed VCF, phased against the panel.

    The step `imputation` phases in the same way for itself. Every record that can be read comes
    out, split by ALT, in the order and with the alleles of the target; sites that are not the
    panel's keep the phase they have. Raises InputError where nothing of the target can be used.
    """
    refuse_overwriting(target, output)
    opened = open_imputer(imputer)
    header = read_vcf_header(target)
    if not header.samples:
        raise InputError(f"{target}: has no samples; give a VCF with genotypes")
    output.parent.mkdir(parents=True, exist_ok=True)
    with borrowing_folder(output) as scratch:
        read = read_target(target, header, opened, scratch, may_phase(settings))
        people, threads = header.samples, count_threads(threads)
        phaser = TargetPhaser(opened, settings, people, threads, show_progress)
        phased, told = phaser.phase(read)
        if not told.people:
            log.info("nothing is left to phase: genotypes are written as they are")
        records = {part.name: part.iterate_records() for part in phased.chromosomes}
        write_genotypes(output, records, people, told.format_header())


if __name__ == "__main__":
    run_step(phasing)
