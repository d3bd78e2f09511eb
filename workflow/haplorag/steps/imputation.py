"""Imputes a phased target VCF from an imputer's folder, and explains the fate of each of its sites."""

from __future__ import annotations

import logging
import time
from collections import deque
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.errors import InputError
from haplorag.imputation.engine import (
    Engine,
    build_panel_engine,
    count_windows_together,
    impute_windows,
)
from haplorag.imputation.imputer import (
    Imputer,
    PanelChromosome,
    open_imputer,
    open_panel_chromosome,
)
from haplorag.imputation.site_matching import FATES, USED
from haplorag.imputation.target import Target, read_target
from haplorag.io.atomic import borrowing_folder
from haplorag.io.tables import write_table
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.pipeline.logs import show_progress
from haplorag.qc.duplicates import DuplicateFinder
from haplorag.settings import ImputationSettings
from haplorag.vcf.chromosomes import match_chromosome
from haplorag.vcf.reader import find_chromosomes, read_vcf_header
from haplorag.vcf.writer import ImputedWriter, Site, writing_imputed

log = logging.getLogger(__name__)
FEW_TYPED = 20


def imputation(
    imputer: Path,
    target: Path,
    output: Path,
    sites: Path,
    *,
    settings: ImputationSettings,
    threads: int = 1,
    gpus: int = 0,
) -> None:
    """Write the imputed VCF or BCF with its index, and a table of all target sites with their fate.

    Every site of the imputer's panel comes out, those of the target with their known genotypes as they were. Raises
    InputError where the target is unphased or shares no chromosome with the imputer.
    """
    threads = count_threads(threads)
    opened = open_imputer(imputer)
    impute = _choose(opened, settings, threads, gpus)
    header = read_vcf_header(target)
    people, named = header.samples, find_chromosomes(target, header)
    matched = {chromosome: match_chromosome(chromosome, named) for chromosome in opened.chromosomes}
    here = {chromosome: name for chromosome, name in matched.items() if name}
    if not people:
        raise InputError(f"{target}: has no samples; give a VCF with genotypes")
    if not here:
        raise InputError(
            f"{target}: has none of the imputer's chromosomes {', '.join(matched)}; fix its names or its build"
        )
    if lacking := [chromosome for chromosome in matched if chromosome not in here]:
        log.warning("chromosomes that are not in the target are left out: %s", ", ".join(lacking))
    output.parent.mkdir(parents=True, exist_ok=True)
    fates: list[pd.DataFrame] = []
    started, written = time.perf_counter(), 0
    with (
        borrowing_folder(output) as scratch,
        writing_imputed(
            output, {name: header.lengths.get(name, 0) for name in here.values()}, people
        ) as writer,
    ):
        for chromosome, name in here.items():
            panel = open_panel_chromosome(opened, chromosome)
            read = read_target(
                target, chromosome, people, panel, settings.max_unphased, scratch / "target.h5"
            )
            fates.append(read.fates.assign(chromosome=name))
            written += _impute_chromosome(impute, panel, read, name, writer, settings)
    table = pd.concat(fates, ignore_index=True)
    write_table(sites, table[["chromosome", "position", "ref", "alt", "fate", "explanation"]])
    for fate, count in table["fate"].value_counts().items():
        log.info(
            "%d target sites %s: %s",
            count,
            fate,
            FATES.get(str(fate), "left out by the reader; not used"),
        )
    pace = written * len(people) / (time.perf_counter() - started)
    log.info("%d sites of %d people written, %.0f genotypes/s", written, len(people), pace)


def _choose(imputer: Imputer, settings: ImputationSettings, threads: int, gpus: int) -> Engine:
    """The network, or the model it starts from."""
    if settings.network == "copying_only":
        return build_panel_engine(imputer, threads)
    # Loading torch takes seconds, and only the network asks for it.
    from haplorag.imputation.network_engine import build_network_engine

    return build_network_engine(imputer, threads, gpus)


def _impute_chromosome(
    impute: Engine,
    panel: PanelChromosome,
    target: Target,
    name: str,
    writer: ImputedWriter,
    settings: ImputationSettings,
) -> int:
    """Write a chromosome, window by window, the target's unused sites in between; gives the number of sites written."""
    typed = target.record >= 0
    weak, written, twins = (
        0,
        0,
        DuplicateFinder(panel.shards.reference_haplotypes // 2 + target.people),
    )
    rest = deque(target.unused())
    together = (
        count_windows_together(panel, target.people) if settings.network == "copying_only" else 1
    )
    imputed = impute_windows(
        impute, panel, target.read_haplotypes, typed, settings.batch_people, together
    )
    for window, known, probability in show_progress(
        imputed, f"chromosome {name}, windows", len(panel.windows)
    ):
        start, stop = panel.windows.cores[window]
        weak += int(typed[start:stop].sum()) < FEW_TYPED
        here = np.flatnonzero(typed[start:stop])
        both = np.concatenate([panel.shards.by_site(start + here), known[:, here].T], axis=1)
        twins.add(both.reshape(len(here), both.shape[1] // 2, 2))
        probability = np.where(known >= 0, known, probability).T.reshape(stop - start, -1, 2)
        sites = [_describe(panel, site) for site in range(start, stop)]
        for site, line in zip(
            sites, writer.format_imputed(name, sites, probability, typed[start:stop]), strict=True
        ):
            while rest and rest[0][0] < site.position:
                writer.write_untouched(name, *target.read_unused(rest.popleft()[1]))
            writer.write(line)
        written += stop - start
    for _, record in rest:
        writer.write_untouched(name, *target.read_unused(record))
    if weak:
        log.warning(
            "windows_without_typed_sites=%d: of %d windows so many have fewer than %d typed sites, and R2 says how little they "
            "know; use a denser file", weak, len(panel.windows), FEW_TYPED,
        )  # fmt: skip
    known_people = {
        later
        for first, later in twins.find_pairs()
        if first < panel.shards.reference_haplotypes // 2 <= later
    }
    if known_people:
        log.warning(
            "target_in_training=%d people are in the imputer's reference: nothing measured in them tells how good it is; use "
            "other people to judge it", len(known_people),
        )  # fmt: skip
    used = target.fates["fate"].isin(USED).sum()
    log.info(
        "chromosome %s: %d of %d target sites used, %d sites written",
        name,
        used,
        len(target.fates),
        written,
    )
    return written


def _describe(panel: PanelChromosome, site: int) -> Site:
    return Site(int(panel.position[site]), panel.name[site], panel.ref[site], panel.alt[site])


if __name__ == "__main__":
    run_step(imputation)
