"""Simulates the default panel.

Three human populations, an out-of-Africa history, and a target with few sites typed. Both are read
with errors, as real ones are.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from haplorag.io.atomic import replacing
from haplorag.panel.simulation import (
    POPULATIONS,
    choose_array_sites,
    misphase,
    misread,
    simulate_chromosome,
)
from haplorag.pipeline.cli import run_step
from haplorag.seeding import seed_of
from haplorag.settings import DemoSettings
from haplorag.vcf.writer import write_vcf

log = logging.getLogger(__name__)
SEXES = ("male", "female")


def demo(
    panel: Path,
    target: Path,
    truth: Path,
    *,
    vcf: list[Path],
    chromosomes: list[str],
    settings: DemoSettings,
    seed: int,
) -> None:
    """Simulate a phased panel (one VCF a chromosome), its panel file, a target VCF with few sites,
    and the target's truth.

    The target's people come from the same populations and stand in no panel file. Alleles of the
    panel and of the target are misread, and the panel is phased wrongly, as often as the settings
    say; the truth is free of errors. Everything is a function of the seed.
    """
    numbers = range(settings.people_per_population)
    names = [f"{population}{number:04d}" for population in POPULATIONS for number in numbers]
    guests = [f"target{number:04d}" for number in range(settings.target_people)]
    truths = {}
    targets = {}
    for path, chromosome in zip(vcf, chromosomes, strict=True):
        chromosome_seed = seed_of(seed, "demo", chromosome)
        positions, alleles, members, strangers = simulate_chromosome(settings, chromosome_seed)
        typed = choose_array_sites(members, settings.target_typed)
        generator = np.random.default_rng(seed_of(seed, "demo", chromosome, "errors"))
        read = misread(members, settings.panel_errors, generator)
        phased = misphase(read, settings.panel_switches, generator)
        write_vcf(path, names, {chromosome: (positions, alleles, phased)})
        truths[chromosome] = positions, alleles, strangers
        guessed = misread(strangers[typed], settings.target_errors, generator)
        targets[chromosome] = positions[typed], alleles[typed], guessed
        log.info(
            "chromosome %s: %d sites of %d people, %d typed in the target",
            chromosome,
            len(positions),
            len(names),
            len(typed),
        )
    write_vcf(truth, guests, truths)
    write_vcf(target, guests, targets)
    _write_panel_file(panel, names)


def _write_panel_file(path: Path, names: list[str]) -> None:
    """Write sample, population, super-population and sex of people, who are named by population."""
    lines = ["sample\tpop\tsuper_pop\tgender\n"]
    for number, name in enumerate(names):
        population = name[:3]
        sex = SEXES[number % 2]
        lines.append(f"{name}\t{population}\t{POPULATIONS[population]}\t{sex}\n")
    with replacing(path) as temporary:
        temporary.write_text("".join(lines))


if __name__ == "__main__":
    run_step(demo)
