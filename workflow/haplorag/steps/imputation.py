"""Imputes a target VCF from an imputer's folder, and tells the fate of each of its sites."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from haplorag.errors import InputError
from haplorag.imputation.chromosome import impute_chromosome
from haplorag.imputation.diagnosis import check_diagnosis
from haplorag.imputation.engine import Engine, build_panel_engine
from haplorag.imputation.imputer import Imputer, open_imputer, open_panel_chromosome
from haplorag.imputation.region import find_region
from haplorag.imputation.target import Target, read_target
from haplorag.imputation.target_phasing import TargetPhaser, may_phase
from haplorag.imputation.target_qc import (
    ImputedQuality,
    TargetQuality,
    Written,
    count_written,
    list_figures,
)
from haplorag.io.atomic import borrowing_folder, refuse_overwriting
from haplorag.io.tables import write_table
from haplorag.li_stephens.passes import CorePasses
from haplorag.panel.samples import read_sexes
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.pipeline.logs import show_progress
from haplorag.settings import ImputationSettings, PhasingSettings
from haplorag.vcf.reader import read_vcf_header
from haplorag.vcf.writer import check_ending, writing_imputed

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
    people: Path | None = None,
    qc: Path | None = None,
    refusal: Path | None = None,
) -> Written:
    """Write the imputed VCF or BCF with its index, and a table of all target sites with their fate;
    gives how many of each there are.

    With `qc` (PAGE.html) a page on the target's quality, and beside it PAGE.tsv with its
    figures and PAGE.samples.tsv with a row a sample; where the target is refused for what it is
    like, the page goes to `refusal`.

    `people` is a file with the columns sample and gender, by which men are known and the sex that X
    tells is checked.

    Every site of the imputer's panel, or of the region that is set, comes out, those of the target
    with their known genotypes as they were. The target is read whole before anything is imputed,
    and then phased as `phasing` says where it is not; without `phasing` it must be. Raises
    InputError where it is unphased and not to be phased, or shares no chromosome with the imputer.
    """
    started = time.perf_counter()
    refuse_overwriting(target, output, sites)
    check_ending(output)
    opened = open_imputer(imputer)
    region = find_region(settings.region, opened)
    threads = count_threads(threads)
    engine = _build_engine(opened, settings, threads, gpus)
    header = read_vcf_header(target)
    names = header.samples
    if not names:
        raise InputError(f"{target}: has no samples; give a VCF with genotypes")
    output.parent.mkdir(parents=True, exist_ok=True)
    found: list[ImputedQuality] = []
    with borrowing_folder(output) as scratch:
        sexes = read_sexes(people) if people else {}
        read = read_target(target, header, opened, scratch, may_phase(phasing), region, sexes)
        _check_target(target, read, names, settings, refusal)
        phaser = TargetPhaser(opened, phasing, names, threads, show_progress)
        read, phased = phaser.phase(read)
        lengths, source = read.list_lengths(header), phased.format_header()
        with writing_imputed(output, lengths, names, read.last, threads, source) as writer:
            for part in read.chromosomes:
                panel = open_panel_chromosome(opened, part.chromosome)
                found.append(impute_chromosome(engine, panel, part, writer, show_progress))
    if qc:
        _write_qc(qc, target, read.judge(names, found, phased))
    _write_fates(sites, read)
    written = count_written(found, len(names))
    pace = written.genotypes / (time.perf_counter() - started)
    log.info("%s written, %.0f genotypes/s", written.describe(), pace)
    return written


def _build_engine(
    imputer: Imputer, settings: ImputationSettings, threads: int, gpus: int
) -> Engine:
    """The model over the panel, alone or under the network, on a GPU where one is given."""
    people = settings.batch_people
    if imputer.reads is None and not gpus:
        return build_panel_engine(imputer, people, CorePasses(threads))
    # Loading torch takes seconds, and only networks and GPUs ask for it.
    from haplorag.gpu.choice import choose_passes
    from haplorag.network.device import choose_device, configure_runtime

    device = choose_device(gpus)
    configure_runtime(device, threads)
    passes = choose_passes(device, threads, "imputation.batch_people", people)
    if imputer.reads is None:
        return build_panel_engine(imputer, people, passes)
    from haplorag.imputation.network_engine import build_network_engine

    return build_network_engine(imputer, people, passes, device, threads)


def _check_target(
    target: Path,
    read: Target,
    people: list[str],
    settings: ImputationSettings,
    refusal: Path | None,
) -> None:
    """Raise InputError where the target is most likely not what it is taken for, and show why."""
    try:
        check_diagnosis(target, read.diagnosis, settings)
    except InputError as error:
        if refusal is None:
            raise
        _write_page(refusal, target, read.judge(people, []), str(error))
        raise InputError(f"{error} ({refusal} shows its quality)") from error


def _write_qc(page: Path, target: Path, judged: TargetQuality) -> None:
    _write_page(page, target, judged)
    write_table(page.with_suffix(".tsv"), list_figures(judged))
    write_table(page.with_suffix(".samples.tsv"), judged.people)


def _write_page(
    page: Path, target: Path, judged: TargetQuality, refusal: str | None = None
) -> None:
    # Loading matplotlib takes a while, and only the page asks for it.
    from haplorag.report.qc_page import QualityContent, write_qc_page

    content = QualityContent(
        target.name, judged.explain(), judged.records, judged.fates,
        judged.gather("frequencies"), judged.gather("windows"), judged.people, judged.accuracy,
        refusal,
    )  # fmt: skip
    write_qc_page(page, content)


def _write_fates(path: Path, read: Target) -> None:
    """Write the table of all alleles of all records, and tell how many had each fate."""
    write_table(path, read.fates[COLUMNS])
    told = read.fates.groupby(["fate", "explanation"]).size().sort_values(ascending=False)
    for (fate, explanation), count in told.items():
        log.info("%d target sites %s: %s", count, fate, explanation)


if __name__ == "__main__":
    run_step(imputation)
