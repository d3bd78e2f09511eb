"""Imputes a phased target VCF from an imputer's folder, and tells the fate of each of its sites."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from haplorag.errors import InputError
from haplorag.imputation.chromosome import impute_chromosome
from haplorag.imputation.diagnosis import check_diagnosis
from haplorag.imputation.engine import Engine, build_panel_engine
from haplorag.imputation.imputer import Imputer, open_imputer, open_panel_chromosome
from haplorag.imputation.target import Target, read_target
from haplorag.imputation.target_phasing import TargetPhaser, may_phase
from haplorag.io.atomic import borrowing_folder
from haplorag.io.tables import write_table
from haplorag.li_stephens.passes import CorePasses, Passes
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.pipeline.logs import show_progress
from haplorag.settings import ImputationSettings, PhasingSettings
from haplorag.vcf.header import Header
from haplorag.vcf.reader import read_vcf_header
from haplorag.vcf.writer import writing_imputed

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)
COLUMNS = ["chromosome", "position", "ref", "alt", "fate", "remarks", "explanation"]


def imputation(
    imputer: Path,
    target: Path,
    output: Path,
    sites: Path,
    *,
    settings: ImputationSettings,
    phasing: PhasingSettings | None = None,
    threads: int = 1,
    gpus: int = 0,
) -> None:
    """Write the imputed VCF or BCF with its index, and a table of all target sites with their fate.

    Every site of the imputer's panel comes out, those of the target with their known genotypes as
    they were. The target is read whole before anything is imputed, and then phased as `phasing`
    says where it is not; without `phasing` it must be. Raises InputError where it is unphased and
    not to be phased, or shares no chromosome with the imputer.
    """
    started = time.perf_counter()
    _check_paths(target, output, sites)
    opened = open_imputer(imputer)
    threads = count_threads(threads)
    engine = _build_engine(opened, settings, threads, gpus)
    header = read_vcf_header(target)
    people = header.samples
    if not people:
        raise InputError(f"{target}: has no samples; give a VCF with genotypes")
    output.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with borrowing_folder(output) as scratch:
        read = read_target(target, header, opened, scratch, may_phase(phasing))
        check_diagnosis(target, read.diagnosis, settings)
        phaser = TargetPhaser(opened, phasing, people, threads, show_progress)
        read, source = phaser.phase(read)
        last = max(part.last for part in read.chromosomes)
        lengths = _list_lengths(read, header)
        with writing_imputed(output, lengths, people, last, threads, source) as writer:
            for part in read.chromosomes:
                panel = open_panel_chromosome(opened, part.chromosome)
                impute_chromosome(engine, panel, part, writer, show_progress)
                written += len(panel.position)
    _write_fates(sites, read)
    pace = written * len(people) / (time.perf_counter() - started)
    log.info("%d sites of %d people written, %.0f genotypes/s", written, len(people), pace)


def _check_paths(target: Path, output: Path, sites: Path) -> None:
    """Raise InputError where an output would replace the target or the other, or its name lies."""
    if not output.name.endswith((".vcf.gz", ".bcf")):
        raise InputError(f"{output}: ends in neither .vcf.gz nor .bcf; name it so")
    places = [os.path.realpath(path) for path in (target, output, sites)]
    same = target.exists() and any(
        path.exists() and path.samefile(target) for path in (output, sites)
    )
    if len(set(places)) < len(places) or same:
        raise InputError(
            f"{output}: OUTPUT, TARGET and SITES are not three files, and one would be lost; give "
            "each a name of its own"
        )


def _build_engine(
    imputer: Imputer, settings: ImputationSettings, threads: int, gpus: int
) -> Engine:
    """The model over the panel, alone or under the network, on a GPU where one is given."""
    people = settings.batch_people
    if imputer.reads is None and not gpus:
        return build_panel_engine(imputer, people, CorePasses(threads))
    # Loading torch takes seconds, and only networks and GPUs ask for it.
    from haplorag.network.device import choose_device, configure_runtime

    device = choose_device(gpus)
    configure_runtime(device, threads)
    passes = _choose_passes(device, threads)
    if imputer.reads is None:
        return build_panel_engine(imputer, people, passes)
    from haplorag.imputation.network_engine import build_network_engine

    return build_network_engine(imputer, people, passes, device, threads)


def _choose_passes(device: torch.device, threads: int) -> Passes:
    if device.type == "cpu":
        return CorePasses(threads)
    from haplorag.gpu.passes import GpuPasses

    return GpuPasses(device)


def _list_lengths(read: Target, header: Header) -> dict[str, int]:
    """Lengths of chromosomes that the target declares, 0 for those that are longer in truth."""
    lengths = {}
    for part in read.chromosomes:
        declared = header.lengths.get(part.name, 0)
        lengths[part.name] = declared if part.last <= declared else 0
    return lengths


def _write_fates(path: Path, read: Target) -> None:
    """Write the table of all alleles of all records, and tell how many had each fate."""
    write_table(path, read.fates[COLUMNS])
    told = read.fates.groupby(["fate", "explanation"]).size().sort_values(ascending=False)
    for (fate, explanation), count in told.items():
        log.info("%d target sites %s: %s", count, fate, explanation)


if __name__ == "__main__":
    run_step(imputation)
