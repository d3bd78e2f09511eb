"""Simulates the default panel: three human populations, an out-of-Africa history, and a target with few sites typed."""

from __future__ import annotations

import logging
from pathlib import Path

from haplorag.io.atomic import replacing
from haplorag.panel.simulation import POPULATIONS, choose_array_sites, simulate_chromosome
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
    """Simulate a phased panel (one VCF a chromosome), its panel file, a target VCF with few sites, and the target's truth.

    The target's people come from the same populations and stand in no panel file. Everything is a function of the seed.
    """
    names = [
        f"{name}{number:04d}"
        for name in POPULATIONS
        for number in range(settings.people_per_population)
    ]
    guests = [f"target{number:04d}" for number in range(settings.target_people)]
    truths, targets = {}, {}
    for path, chromosome in zip(vcf, chromosomes, strict=True):
        positions, alleles, members, strangers = simulate_chromosome(
            settings, seed_of(seed, "demo", chromosome)
        )
        write_vcf(path, names, {chromosome: (positions, alleles, members)})
        truths[chromosome] = positions, alleles, strangers
        typed = choose_array_sites(members, settings.target_typed)
        targets[chromosome] = positions[typed], alleles[typed], strangers[typed]
        log.info(
            "chromosome %s: %d sites of %d people, %d typed in the target",
            chromosome,
            len(positions),
            len(names),
            len(typed),
        )
    write_vcf(truth, guests, truths)
    write_vcf(target, guests, targets)
    rows = (
        f"{name}\t{name[:3]}\t{POPULATIONS[name[:3]]}\t{SEXES[number % 2]}\n"
        for number, name in enumerate(names)
    )
    with replacing(panel) as temporary:
        temporary.write_text("sample\tpop\tsuper_pop\tgender\n" + "".join(rows))


if __name__ == "__main__":
    run_step(demo)
