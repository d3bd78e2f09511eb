"""Simulates the default panel: three human populations, an out-of-Africa history, and a target with few sites typed."""

from __future__ import annotations

import logging
from pathlib import Path

import msprime
import numpy as np
import pysam

from haplorag.pipeline import cli as command
from haplorag.io import hdf5 as store
from haplorag.masking import COMMON_MAF, seed_of
from haplorag.settings import Demo

log = logging.getLogger(__name__)
POPULATIONS = {"YRI": "AFR", "CEU": "EUR", "CHB": "EAS"}
SEXES = ("male", "female")


def demo(panel: Path, target: Path, truth: Path, *, vcf: list[Path], chromosomes: list[str], settings: Demo, seed: int) -> None:
    """Simulate a phased panel (one VCF a chromosome), its panel file, a target VCF with few sites, and the target's truth.

    The target's people come from the same populations and stand in no panel file. Everything is a function of the seed.
    """
    names = [f"{name}{number:04d}" for name in POPULATIONS for number in range(settings.people_per_population)]
    guests = [f"target{number:04d}" for number in range(settings.target_people)]
    truths, targets = {}, {}
    for path, chromosome in zip(vcf, chromosomes, strict=True):
        positions, alleles, members, strangers = _simulate(settings, seed_of(seed, "demo", chromosome))
        write_vcf(path, names, {chromosome: (positions, alleles, members)})
        truths[chromosome] = positions, alleles, strangers
        typed = _choose_typed(members, settings.target_typed)
        targets[chromosome] = positions[typed], alleles[typed], strangers[typed]
        log.info(
            "chromosome %s: %d sites of %d people, %d typed in the target", chromosome, len(positions), len(names), len(typed)
        )
    write_vcf(truth, guests, truths)
    write_vcf(target, guests, targets)
    rows = (f"{name}\t{name[:3]}\t{POPULATIONS[name[:3]]}\t{SEXES[number % 2]}\n" for number, name in enumerate(names))
    with store.replacing(panel) as temporary:
        temporary.write_text("sample\tpop\tsuper_pop\tgender\n" + "".join(rows))


def write_vcf(path: Path, people: list[str], regions: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """Write positions int [S], REF and ALT [S, 2] and haplotypes 0/1 [S, n, 2] of each chromosome as bgzipped, indexed VCF."""
    calls = np.array(["0|0", "0|1", "1|0", "1|1"])
    with store.replacing(path) as temporary:
        with pysam.BGZFile(str(temporary), "wb") as file:
            contigs = "".join(f"##contig=<ID={chromosome}>\n" for chromosome in regions)
            file.write(
                f"##fileformat=VCFv4.2\n{contigs}"
                '##FORMAT=<ID=GT,Number=1,Type=String,Description="Phased genotype">\n'
                "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{}\n".format("\t".join(people)).encode()
            )
            for chromosome, (positions, alleles, haplotypes) in regions.items():
                genotypes = calls[haplotypes[..., 0] * 2 + haplotypes[..., 1]]
                for position, (ref, alt), row in zip(positions, alleles, genotypes, strict=True):
                    head = f"{chromosome}\t{position}\t{chromosome}:{position}:{ref}:{alt}\t{ref}\t{alt}\t.\tPASS\t.\tGT\t"
                    file.write((head + "\t".join(row) + "\n").encode())
        pysam.tabix_index(str(temporary), preset="vcf", force=True)
        temporary.with_name(temporary.name + ".tbi").replace(path.with_name(path.name + ".tbi"))


def _simulate(settings: Demo, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Positions int [S] from 1, REF and ALT [S, 2], panel haplotypes int8 [S, n, 2], the target's int8 [S, m, 2]."""
    extra = -(-settings.target_people // len(POPULATIONS))
    ancestry, mutation = np.random.default_rng(seed).integers(1, 2**31, size=2)
    trees = msprime.sim_ancestry(
        dict.fromkeys(POPULATIONS, settings.people_per_population + extra),
        demography=_describe_history(),
        sequence_length=settings.length_bp,
        recombination_rate=settings.recombination_rate,
        random_seed=ancestry,
    )
    trees = msprime.sim_mutations(trees, rate=settings.mutation_rate, random_seed=mutation)
    biallelic = [(v.site.position + 1, v.alleles, v.genotypes) for v in trees.variants(copy=True) if v.num_alleles == 2]
    positions = np.array([position for position, _, _ in biallelic], dtype=np.int64)
    alleles = np.array([pair for _, pair, _ in biallelic])
    haplotypes = np.array([row for _, _, row in biallelic], dtype=np.int8)
    haplotypes = haplotypes.reshape(len(positions), len(POPULATIONS), -1, 2)
    members = haplotypes[:, :, extra:].reshape(len(positions), -1, 2)
    strangers = haplotypes[:, :, :extra].swapaxes(1, 2).reshape(len(positions), -1, 2)[:, : settings.target_people]
    kept = _count_minor(members) >= settings.min_minor_count
    return positions[kept], alleles[kept], members[kept], strangers[kept]


def _count_minor(haplotypes: np.ndarray) -> np.ndarray:
    alternate = haplotypes.sum(axis=(1, 2), dtype=np.int64)
    return np.minimum(alternate, haplotypes[0].size - alternate)


def _choose_typed(haplotypes: np.ndarray, share: float) -> np.ndarray:
    """Rows of about evenly ranked common sites, as on a SNP array: int [share of all sites]."""
    common = np.flatnonzero(_count_minor(haplotypes) / haplotypes[0].size > COMMON_MAF)
    wanted = min(round(share * len(haplotypes)), len(common))
    return common[np.arange(wanted) * len(common) // max(wanted, 1)]


def _describe_history() -> msprime.Demography:
    """The out-of-Africa model of Gutenkunst et al. 2009 (doi:10.1371/journal.pgen.1000695), 25 years a generation."""
    history = msprime.Demography()
    history.add_population(name="YRI", initial_size=12300)
    history.add_population(name="CEU", initial_size=1000 * np.exp(0.004 * 848), growth_rate=0.004)
    history.add_population(name="CHB", initial_size=510 * np.exp(0.0055 * 848), growth_rate=0.0055)
    history.add_population(name="OOA", initial_size=2100)
    history.add_population(name="AMH", initial_size=12300)
    history.add_population(name="ANC", initial_size=7300)
    history.set_symmetric_migration_rate(["CEU", "CHB"], 9.6e-5)
    history.set_symmetric_migration_rate(["YRI", "CHB"], 1.9e-5)
    history.set_symmetric_migration_rate(["YRI", "CEU"], 3e-5)
    history.add_population_split(time=848, derived=["CEU", "CHB"], ancestral="OOA")
    history.add_symmetric_migration_rate_change(848, ["YRI", "OOA"], rate=25e-5)
    history.add_population_split(time=5600, derived=["YRI", "OOA"], ancestral="AMH")
    history.add_population_split(time=8800, derived=["AMH"], ancestral="ANC")
    return history


if __name__ == "__main__":
    command.run(demo)
