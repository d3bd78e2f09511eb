"""`haplorag panel`: phased VCFs become the folder of an imputer, chromosome by chromosome."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from haplorag.commands.defaults import load_settings
from haplorag.commands.flags import CORES, Config, Pairs, Threads, Verbose

EXAMPLES = """Examples:

    haplorag panel 'chr{chromosome}.vcf.gz' --people kgp.panel --map 'chr{chromosome}.map' -o kgp

    haplorag panel chr21.vcf.gz chr22.vcf.gz -o mine
"""
# Nobody is held out, and nothing is trained.
EVERYBODY = {"samples": {"validation": 0, "test": 0, "roles": None}, "models": []}


def panel(
    vcfs: Annotated[
        list[str],
        Argument(
            metavar="VCF...",
            help="Phased VCF or BCF of the panel: one of all chromosomes, one of each, or a name "
            "with {chromosome} in it.",
        ),
    ],
    output: Annotated[
        Path, Option("--output", "-o", help="Folder to make: an imputer, which can be copied.")
    ],
    people: Annotated[
        Path | None,
        Option(
            help="Panel file of 1000 Genomes form (sample pop super_pop gender); only the people "
            "in it are taken. Without one, everybody in the VCF."
        ),
    ] = None,
    genetic_map: Annotated[
        str | None,
        Option(
            "--map",
            help="Genetic map of any usual form (PLINK, HapMap, SHAPEIT and others); with "
            "{chromosome} in its name, a file for each. Without one 1 cM per Mb is taken.",
        ),
    ] = None,
    chromosomes: Annotated[
        str | None,
        Option(
            help="Chromosomes to take, with commas between: 20,22,X. Without it, "
            "all numbered ones and X; others, such as MT, have to be named."
        ),
    ] = None,
    threads: Threads = CORES,
    config: Config = [],
    pairs: Pairs = [],
    verbose: Verbose = False,
) -> None:
    """Make an imputer of a phased panel: everybody is in it, and nothing is trained.

    What takes long is kept beside OUTPUT until all is done: the same command, run again after an
    interruption, goes on with the chromosome it was at.
    """
    from haplorag.commands.session import summarising

    with summarising(verbose, "panel") as summary:
        # Loaded only now: they take most of a second.
        from haplorag.commands.preparation import Sources, prepare_panel
        from haplorag.commands.sources import find_vcfs

        found = find_vcfs(vcfs, chromosomes.split(",") if chromosomes else [])
        settings = load_settings(config, pairs, {**EVERYBODY, "chromosomes": list(found)})
        sources = Sources(found, people, genetic_map)
        sites, haplotypes = prepare_panel(sources, settings, output, threads)
        summary.sentence = (
            f"Made an imputer of {haplotypes:,} haplotypes at {sites:,} sites, chromosomes "
            f"{', '.join(found)},"
        )
        summary.outputs[output] = "the imputer; its README.md says how to use it"
