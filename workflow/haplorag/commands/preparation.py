"""Prepares a panel chromosome by chromosome, by the steps of the workflow, and gathers its imputer.

A chromosome that is done stays done: it is kept beside the output until all are, with what it was
made from.
"""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from haplorag.errors import InputError
from haplorag.io.checksums import checksum, quick_digest
from haplorag.io.metadata import read_facts, write_facts
from haplorag.panel.haplotypes import open_shards
from haplorag.pipeline.locking import holding_folder
from haplorag.pipeline.logs import catching_warnings, configure_logging
from haplorag.settings import PANEL_ONLY, GenotypeSettings, Settings, WindowSettings
from haplorag.steps.frequencies import frequencies
from haplorag.steps.genotypes import genotypes
from haplorag.steps.imputer import imputer
from haplorag.steps.samples import samples
from haplorag.steps.shards import shards
from haplorag.steps.windows import windows

log = logging.getLogger(__name__)
STAGES = ("genotypes", "frequencies", "windows", "shards")
# How often it is looked how far the processes are.
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Sources:
    """What a panel is made of: the VCF of each chromosome, and files that go with them.

    `genetic_map` may have {chromosome} in it.
    """

    vcfs: dict[str, Path]
    people: Path | None
    genetic_map: str | None

    def find_map(self, chromosome: str) -> Path | None:
        """The genetic map of a chromosome, if there are maps.

        Raises InputError where its file is missing.
        """
        if self.genetic_map is None:
            return None
        names = chromosome, re.sub("^chr", "", chromosome)
        paths = [Path(self.genetic_map.replace("{chromosome}", name)) for name in names]
        for path in paths:
            if path.is_file():
                return path
        raise InputError(f"{paths[0]}: no such file; fix --map")


@dataclass(frozen=True)
class ChromosomeJob:
    """One chromosome to prepare: what of, how, and the folder it goes to."""

    chromosome: str
    vcf: Path
    samples: Path
    genetic_map: Path | None
    genotypes: GenotypeSettings
    windows: WindowSettings
    folder: Path

    def path(self, stage: str) -> Path:
        """The file or folder that a stage makes."""
        return self.folder / (stage if stage == "shards" else f"{stage}.h5")

    def describe(self) -> str:
        """A digest of all that the result is a function of."""
        files = [quick_digest(self.vcf), checksum(self.samples)]
        files += [checksum(self.genetic_map)] if self.genetic_map else []
        sections = self.genotypes.model_dump_json(), self.windows.model_dump_json()
        text = json.dumps([version("haplorag"), self.chromosome, *files, *sections])
        return hashlib.sha256(text.encode()).hexdigest()


def prepare_panel(
    sources: Sources, settings: Settings, output: Path, threads: int
) -> tuple[int, int]:
    """Make the folder of an imputer of everybody; gives how many sites and haplotypes are in it.

    It appears when all is done. Raises InputError where it is there already, and where an input is
    refused.
    """
    if output.exists():
        raise InputError(f"{output}: is there already; remove it, or name another folder")
    work = output.with_name(f"{output.name}.unfinished")
    with holding_folder(work):
        jobs = _list_jobs(sources, settings, work)
        for warned in _run_jobs(jobs, threads):
            for text in warned:
                log.warning("%s", text)
        _gather(jobs, settings, work / "imputer")
        counts = _count(jobs)
        (work / "imputer").rename(output)
        shutil.rmtree(work)
    return counts


def _list_jobs(sources: Sources, settings: Settings, work: Path) -> list[ChromosomeJob]:
    """The jobs of all chromosomes; the table of people is written for them."""
    table = work / "samples.tsv"
    first = next(iter(sources.vcfs.values()))
    samples(first, table, settings=settings.samples, seed=settings.seed, people=sources.people)
    return [
        ChromosomeJob(
            name, vcf, table, sources.find_map(name), settings.genotypes, settings.windows,
            work / name,
        )
        for name, vcf in sources.vcfs.items()
    ]  # fmt: skip


def _gather(jobs: list[ChromosomeJob], settings: Settings, output: Path) -> None:
    """Gather the imputer of all chromosomes."""
    shutil.rmtree(output, ignore_errors=True)
    stored, counted, cut, packed = ([job.path(stage) for job in jobs] for stage in STAGES)
    imputer(
        output, genotypes=stored, frequencies=counted, windows=cut, shards=packed,
        chromosomes=[job.chromosome for job in jobs], model=PANEL_ONLY,
        neighbours=settings.neighbours, copying=settings.li_stephens, seed=settings.seed,
    )  # fmt: skip


def _count(jobs: list[ChromosomeJob]) -> tuple[int, int]:
    """Sites of all chromosomes, and haplotypes where there are most of them."""
    opened = [open_shards(job.path("shards")) for job in jobs]
    sites = sum(entry["sites"] for packed in opened for entry in packed.entries)
    return sites, max(packed.reference_haplotypes for packed in opened)


def _run_jobs(jobs: list[ChromosomeJob], threads: int) -> Iterator[list[str]]:
    """Prepare chromosomes, several at a time; gives what each warned of, in order.

    Of one at a time, the steps show their own progress.
    """
    workers = min(threads, len(jobs))
    if workers == 1:
        yield from (prepare_chromosome(job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_start_worker) as pool:
        running = {pool.submit(prepare_chromosome, job): job for job in jobs}
        try:
            _show_sizes(running)
            yield from (job.result() for job in running)
        except BrokenProcessPool as error:
            raise MemoryError("a process that prepared a chromosome was killed") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Log, and leave the terminal to the process that waits for all."""
    os.environ["TQDM_DISABLE"] = "1"
    configure_logging()


def _show_sizes(running: dict[Future, ChromosomeJob]) -> None:
    """Wait for jobs, with a bar of how much VCF is done where there is a terminal; a chromosome is
    done by as much as it has of its stages.
    """
    from tqdm import tqdm

    sizes = {future: job.vcf.stat().st_size for future, job in running.items()}
    total = sum(sizes.values())
    with tqdm(total=total, unit="B", unit_scale=True, desc="panel", disable=None) as bar:
        left = set(running)
        while left:
            done, left = wait(left, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            reached = sum(sizes[future] * _find_share(job) for future, job in running.items())
            bar.update(round(reached) - bar.n)


def _find_share(job: ChromosomeJob) -> float:
    """How much of a chromosome's work is done, by its stages."""
    return sum(job.path(stage).exists() for stage in STAGES) / len(STAGES)


def prepare_chromosome(job: ChromosomeJob) -> list[str]:
    """Carry a chromosome from its VCF to its shards, unless that is done; gives what was warned of.

    Raises InputError where an input is refused.
    """
    mark = job.folder / "done.json"
    made_of = job.describe()
    if mark.exists():
        facts = read_facts(mark, "done")
        if facts["made_of"] == made_of:
            return facts["warnings"]
    shutil.rmtree(job.folder, ignore_errors=True)
    with catching_warnings(shown=False) as collector:
        _run_steps(job)
    warned = [text for _, text in collector.rows]
    write_facts(mark, "done", {"made_of": made_of, "warnings": warned})
    return warned


def _run_steps(job: ChromosomeJob) -> None:
    stored, counted, cut, packed = (job.path(stage) for stage in STAGES)
    name = job.chromosome
    genotypes(
        job.vcf, job.samples, stored, job.folder / "tally.tsv", settings=job.genotypes,
        chromosome=name,
    )  # fmt: skip
    frequencies(stored, job.samples, counted)
    windows(
        counted, cut, job.folder / "windows.tsv", settings=job.windows, chromosome=name,
        genetic_map=job.genetic_map,
    )  # fmt: skip
    shards(stored, job.samples, cut, packed)
