"""The stages that scaling.py measures, each at one size, and how their cost is taken; no benchmark
of its own.
"""

import argparse
import ctypes
import gc
import gzip
import json
import logging
import resource
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import torch

import training
from goals import count_bytes
from haplorag.dataset.chromosome import open_chromosome
from haplorag.io.checksums import checksum
from haplorag.io.hdf5 import opening_arrays, read_arrays
from haplorag.io.tables import write_table
from haplorag.li_stephens.passes import CorePasses, trace_window
from haplorag.li_stephens.segments import _cut_segments
from haplorag.network.model import build_network, count_parameters
from haplorag.network.weights import save_weights
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.haplotypes import read_shard
from haplorag.panel.samples import find_samples, read_samples
from haplorag.settings import PANEL_ONLY, Settings
from haplorag.steps.frequencies import frequencies as count_frequencies
from haplorag.steps.genotypes import genotypes as convert
from haplorag.steps.imputation import imputation
from haplorag.steps.imputer import imputer as gather
from haplorag.steps.masks import masks as hide
from haplorag.steps.neighbours import neighbours as retrieve
from haplorag.steps.rates import rates as estimate
from haplorag.steps.shards import shards as pack
from haplorag.steps.windows import windows as lay
from haplorag.training.history import EpochRecord, begin_history, write_history
from haplorag.vcf.writer import Site, write_phased

CHROMOSOME, EPOCH, MODEL, SEED = "1", "001", "copying", 17
# A stage is timed so many times, or until so many CPU seconds are spent: a short one is disturbed
# most by what else runs.
MOST_RUNS, ENOUGH_SECONDS = 7, 4.0
# People kept out of the reference, and how many sites of a target are typed: one of so many.
TESTED, TRAINED, TARGET, TYPED_EVERY = 32, 40, 8, 10


@dataclass(frozen=True)
class Case:
    """One size: its folder, what is wanted, settings, and the paths of artifacts."""

    folder: Path
    wanted: dict
    settings: Settings

    def path(self, stage: str) -> Path:
        """Where a stage's artifact lies."""
        names = {
            "samples": "samples.tsv",
            "shards": CHROMOSOME,
            "imputer": "",
            "target": "target.vcf.gz",
        }
        draw = EPOCH if stage in ("masks", "neighbours") else ""
        return self.folder / stage / draw / names.get(stage, f"{CHROMOSOME}.h5")

    def paths(self, *stages: str) -> list[Path]:
        """Where the artifacts of several stages lie."""
        return [self.path(stage) for stage in stages]


@dataclass(frozen=True)
class Job:
    """What to run, what its units are called, how many they were, and what it leaves."""

    run: Callable[[], object]
    unit: str
    count: Callable[[], int]
    output: Path | None = None


def take(stage: str, folder: Path) -> dict:
    """Run a stage to load what it needs, then for its CPU seconds, then for its memory; with units
    and bytes on disk.

    Time is the least of some runs. Memory is the peak of the last above what the process held
    before it, what was freed given back.
    """
    case = Case(
        folder,
        json.loads((folder / "case.json").read_text()),
        training.read(folder / "overlay.yaml"),
    )
    job = STAGES[stage](case)
    # Parts of a panel are odd in ways that matter to nobody here.
    logging.disable(logging.WARNING)
    job.run()
    times: list[float] = []
    while len(times) < MOST_RUNS and sum(times) < ENOUGH_SECONDS:
        forget()
        spent = cpu_seconds()
        job.run()
        times.append(cpu_seconds() - spent)
    forget()
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    # Linux forgets the peak so far; see proc(5).
    Path("/proc/self/clear_refs").write_text("5")
    held = read_status("VmRSS")
    job.run()
    memory = read_status("VmHWM") - held
    disk = count_bytes(job.output) if job.output else 0
    return {
        "cpu": min(times),
        "memory": memory,
        "disk": disk,
        "unit": job.unit,
        "units": job.count(),
    }


def forget() -> None:
    """Empty what is kept of the run before."""
    for kept in (read_shard, _cut_segments):
        kept.cache_clear()


def read_status(name: str) -> int:
    """A figure of this process in bytes: VmRSS is the memory it holds, VmHWM the most it held."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)
    )
    return int(line.split()[1]) * 1024


def cpu_seconds() -> float:
    """CPU time of this process and of those it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def cut(case: Case) -> Job:
    """The first sites of some people, evenly spread, of a VCF, as chromosome 1."""
    source, wanted, people = (
        Path(case.wanted["source"]),
        case.wanted["sites"],
        case.wanted["people"],
    )
    path = case.folder / "vcf" / f"{CHROMOSOME}.vcf.gz"
    path.parent.mkdir(exist_ok=True)

    def run() -> None:
        with gzip.open(source, "rt") as lines, pysam.BGZFile(str(path), "wb") as file:
            header = (
                next(line for line in lines if line.startswith("#CHROM")).rstrip("\n").split("\t")
            )
            columns = 9 + np.arange(people) * (len(header) - 9) // people
            genotype = '##FORMAT=<ID=GT,Number=1,Type=String,Description="Phased genotype">'
            names = "\t".join(header[:9] + [f"p{number}" for number in range(people)])
            file.write(
                f"##fileformat=VCFv4.2\n##contig=<ID={CHROMOSOME}>\n{genotype}\n{names}\n".encode()
            )
            for _, line in zip(range(wanted), lines, strict=False):
                cells = line.rstrip("\n").split("\t")
                kept = [CHROMOSOME, *cells[1:7], ".", "GT", *(cells[column] for column in columns)]
                file.write(("\t".join(kept) + "\n").encode())
        pysam.tabix_index(str(path), preset="vcf", force=True)

    return Job(run, "genotype", lambda: wanted * people, path)


def samples(case: Case) -> Job:
    """The table of samples: some to test and to train on, as many reference people as are wanted,
    evenly spread.
    """
    people = case.wanted["people"]
    roles = np.full(people, "validation", dtype=object)
    roles[np.arange(TESTED + TRAINED) * people // (TESTED + TRAINED)] = ["test"] * TESTED + [
        "training"
    ] * TRAINED
    free = np.flatnonzero(roles == "validation")
    reference = case.wanted.get("reference", len(free))
    roles[free[np.arange(reference) * len(free) // reference]] = "reference"
    names = [f"p{number}" for number in range(people)]
    table = pd.DataFrame(
        {"sample": names, "population": "all", "super_population": "all", "role": roles}
    )
    return Job(
        lambda: write_table(case.path("samples"), table),
        "person",
        lambda: people,
        case.path("samples"),
    )


def genotypes(case: Case) -> Job:
    """Conversion of the VCF; a unit is a genotype of a site and a person."""
    vcf, output = case.folder / "vcf" / f"{CHROMOSOME}.vcf.gz", case.path("genotypes")
    tally = output.with_suffix(".tally.tsv")

    def run() -> None:
        convert(
            vcf,
            case.path("samples"),
            output,
            tally,
            settings=case.settings.genotypes,
            chromosome=CHROMOSOME,
        )

    return Job(run, "genotype", lambda: count_sites(case) * case.wanted["people"], output)


def frequencies(case: Case) -> Job:
    """Allele frequencies."""
    paths = case.paths("genotypes", "samples", "frequencies")
    return Job(lambda: count_frequencies(*paths), "site", lambda: count_sites(case), paths[-1])


def windows(case: Case) -> Job:
    """Windows."""
    inputs, output = case.path("frequencies"), case.path("windows")

    def run() -> None:
        lay(
            inputs,
            output,
            output.with_suffix(".tsv"),
            settings=case.settings.windows,
            chromosome=CHROMOSOME,
        )

    return Job(run, "site", lambda: count_sites(case), output)


def shards(case: Case) -> Job:
    """Packed reference haplotypes; a unit is an allele of a site and a haplotype."""
    paths = case.paths("genotypes", "samples", "windows", "shards")
    return Job(
        lambda: pack(*paths),
        "allele",
        lambda: count_sites(case) * 2 * len(reference(case)),
        paths[-1],
    )


def masks(case: Case) -> Job:
    """The masks of an epoch, one hiding at random half of the sites; a unit is a site."""
    output = case.path("masks")
    inputs = (*case.paths("frequencies", "windows"), output, output.with_suffix(".tsv"))
    where = {
        "draw": EPOCH,
        "chromosome": CHROMOSOME,
        "seed": SEED,
        "curriculum": case.settings.masks.training,
    }
    return Job(lambda: hide(*inputs, **where), "site", lambda: count_sites(case), output)


def neighbours(case: Case) -> Job:
    """The neighbours of an epoch; a unit is a haplotype in a window."""
    paths = case.paths("genotypes", "samples", "windows", "masks", "shards", "neighbours")
    where = {
        "draw": EPOCH,
        "chromosome": CHROMOSOME,
        "seed": SEED,
        "curriculum": case.settings.masks.training,
    }
    count = lambda: 2 * len(read_arrays(paths[-1], "neighbours", "person")["person"])  # noqa: E731
    return Job(
        lambda: retrieve(*paths, settings=case.settings.neighbours, **where),
        "haplotype and window",
        count,
        paths[-1],
    )


def tracing(case: Case) -> Job:
    """The haplotypes of an epoch traced through the panel; a unit is a haplotype in a window."""
    order = ("genotypes", "frequencies", "windows", "shards", "masks", "neighbours", "rates")
    chromosome = open_chromosome(case.path("samples"), *case.paths(*order))
    found, typed = chromosome.retrieved, case.settings.network[MODEL].panel_typed

    def run() -> None:
        for items in found.group():
            owner = chromosome.owner[found.person[items]].repeat(2)
            nobody = np.empty((2 * len(items), 0), dtype=np.int32)
            window, haplotypes = (
                chromosome.view(items, typed),
                chromosome.read(items, typed).haplotypes,
            )
            copying = chromosome.copying[found.mask[items[0]]]
            trace_window(CorePasses(1), copying, window, haplotypes, nobody, owner, typed)

    return Job(run, "haplotype and window", lambda: 2 * len(found.person))


def step(case: Case) -> Job:
    """A batch forward, backward and a step of the optimiser, its data ready; a unit is a haplotype
    in a window.
    """
    known = argparse.Namespace(results=case.folder, chromosome=CHROMOSOME, model=MODEL, threads=1)
    made = training.Case(case.settings, known)
    batch, labels = made.cut()

    def run() -> None:
        made.loss(made.network, batch, labels).backward()
        made.optimiser.step()
        made.optimiser.zero_grad(set_to_none=True)

    return Job(run, "haplotype and window", lambda: len(labels))


def rates(case: Case) -> Job:
    """How haplotypes copy, by all masks; a unit is a typed site of a mask."""
    inputs = case.paths("windows", "masks", "shards")
    settings = case.settings.li_stephens

    def run() -> None:
        estimate(*inputs, case.path("rates"), settings=settings, chromosome=CHROMOSOME, seed=SEED)

    def count() -> int:
        return int((~read_arrays(case.path("masks"), "masks", "hidden")["hidden"]).sum())

    return Job(run, "typed site", count, case.path("rates"))


def panel_imputer(case: Case) -> Job:
    """An imputer without a network."""
    output = case.folder / "imputer/li_stephens"
    common = gather_from(case)

    def run() -> None:
        shutil.rmtree(output, ignore_errors=True)
        gather(output, model=PANEL_ONLY, **common)

    return Job(run, "site", lambda: count_sites(case), output)


def gather_from(case: Case) -> dict:
    """What every imputer is gathered from."""
    stages = ("genotypes", "frequencies", "windows", "shards")
    return {
        **{stage: [case.path(stage)] for stage in stages},
        "chromosomes": [CHROMOSOME],
        "neighbours": case.settings.neighbours,
        "copying": case.settings.li_stephens,
        "seed": SEED,
    }


def imputer(case: Case) -> Job:
    """An imputer with untrained weights."""
    torch.manual_seed(SEED)
    reads, folder = case.settings.network[MODEL], case.folder / "training"
    network = build_network(reads)
    weights = folder / "weights.safetensors"
    save_weights(weights, network)
    record = EpochRecord(0, {}, 0.0)
    files = {weights.name: checksum(weights)}
    history = begin_history(MODEL, count_parameters(network), record, files)
    write_history(folder / "history.json", history)
    output = case.path("imputer")
    common = gather_from(case)

    def run() -> None:
        shutil.rmtree(output, ignore_errors=True)
        trained = {"network": reads, "weights": weights, "history": folder / "history.json"}
        gather(output, model=MODEL, **trained, **common)

    return Job(run, "site", lambda: count_sites(case), output)


def impute(case: Case, name: str, imputer: Path) -> Job:
    """Imputation of test people of whom one site of ten is typed; a unit is a genotype that comes
    out.
    """
    people = find_samples(read_samples(case.path("samples")), "test")[
        : case.wanted.get("target", TARGET)
    ]
    names = [f"variants/{name}" for name in ("POS", "ID", "REF", "ALT")]
    sites = list(map(Site, *read_arrays(case.path("genotypes"), "genotypes", *names).values()))
    typed = np.arange(0, len(sites), TYPED_EVERY)
    with opening_arrays(case.path("genotypes"), "genotypes") as file:
        calls = read_haplotypes(file, typed, people).reshape(len(people), 2, -1).transpose(2, 0, 1)
    target, output = case.path("target"), case.folder / f"{name}.vcf.gz"
    write_phased(
        target, CHROMOSOME, [sites[site] for site in typed], calls, [f"t{row}" for row in people]
    )
    settings = case.settings.imputation

    def run() -> None:
        imputation(imputer, target, output, case.folder / "sites.tsv", settings=settings)

    return Job(run, "genotype", lambda: len(sites) * len(people), output)


def reference(case: Case) -> np.ndarray:
    """Rows of the reference people."""
    return find_samples(read_samples(case.path("samples")), "reference")


def count_sites(case: Case) -> int:
    """Sites of the store."""
    return len(read_arrays(case.path("genotypes"), "genotypes", "variants/POS")["variants/POS"])


STAGES = {
    "cut": cut,
    "samples": samples,
    "genotypes": genotypes,
    "frequencies": frequencies,
    "windows": windows,
    "shards": shards,
    "masks": masks,
    "neighbours": neighbours,
    "tracing": tracing,
    "training step": step,
    "imputer": imputer,
    "rates": rates,
    "panel imputer": panel_imputer,
    "li_stephens": lambda case: impute(case, "li_stephens", case.folder / "imputer/li_stephens"),
    "network": lambda case: impute(case, "network", case.path("imputer")),
}
