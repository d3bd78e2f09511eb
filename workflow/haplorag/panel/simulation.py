"""Simulates three human populations with an out-of-Africa history."""

from __future__ import annotations

import msprime
import numpy as np

from haplorag.panel.frequencies import COMMON_MAF
from haplorag.settings import DemoSettings

POPULATIONS = {"YRI": "AFR", "CEU": "EUR", "CHB": "EAS"}


def simulate_chromosome(
    settings: DemoSettings, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Positions int [S] from 1, REF and ALT [S, 2], panel haplotypes int8 [S, n, 2], the target's
    int8 [S, m, 2].
    """
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
    people = settings.people_per_population + extra
    positions, alleles, members, strangers = [], [], [], []
    for variant in trees.variants(copy=False):
        if variant.num_alleles != 2:
            continue
        # Of a large panel most sites are too rare, and all at once would not fit.
        row = variant.genotypes.astype(np.int8).reshape(len(POPULATIONS), people, 2)
        inside = row[:, extra:].reshape(-1, 2)
        if _count_minor(inside[None])[0] >= settings.min_minor_count:
            outside = row[:, :extra].swapaxes(0, 1).reshape(-1, 2)
            positions.append(variant.site.position + 1)
            alleles.append(variant.alleles)
            members.append(inside)
            strangers.append(outside[: settings.target_people])
    return (
        np.array(positions, dtype=np.int64),
        np.array(alleles),
        np.array(members, dtype=np.int8),
        np.array(strangers, dtype=np.int8),
    )


def misread(haplotypes: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Haplotypes int8 [S, n, 2] as somebody reads them who errs at a share of all alleles: one
    drawn by the site's frequency stands for the true one, which it may happen to be.
    """
    frequency = haplotypes.mean(axis=(1, 2), dtype=np.float64)[:, None, None]
    wrong = generator.random(haplotypes.shape) < share
    drawn = generator.random(haplotypes.shape) < frequency
    return np.where(wrong, drawn, haplotypes).astype(np.int8)


def misphase(haplotypes: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Haplotypes int8 [S, n, 2] whose phase turns at a share of all heterozygotes, each time for
    all sites from there on.
    """
    heterozygous = haplotypes[:, :, 0] != haplotypes[:, :, 1]
    turns = heterozygous & (generator.random(heterozygous.shape) < share)
    turned = np.cumsum(turns, axis=0) % 2 == 1
    return np.where(turned[:, :, None], haplotypes[:, :, ::-1], haplotypes)


def choose_array_sites(haplotypes: np.ndarray, share: float) -> np.ndarray:
    """Rows of about evenly ranked common sites, as on a SNP array: int [share of all sites]."""
    common = np.flatnonzero(_count_minor(haplotypes) / haplotypes[0].size > COMMON_MAF)
    wanted = min(round(share * len(haplotypes)), len(common))
    return common[np.arange(wanted) * len(common) // max(wanted, 1)]


def _count_minor(haplotypes: np.ndarray) -> np.ndarray:
    alternate = haplotypes.sum(axis=(1, 2), dtype=np.int64)
    return np.minimum(alternate, haplotypes[0].size - alternate)


def _describe_history() -> msprime.Demography:
    """The out-of-Africa model, 25 years a generation.

    After Gutenkunst et al. 2009 (doi:10.1371/journal.pgen.1000695).
    """
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
