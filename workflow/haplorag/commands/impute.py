"""`haplorag impute`: a target VCF and an imputer's folder become an imputed VCF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from haplorag.commands.defaults import default_of, load_settings, meaning_of
from haplorag.commands.flags import CORES, Config, Pairs, Threads, Verbose
from haplorag.errors import InputError

if TYPE_CHECKING:
    from haplorag.settings import Settings

EXAMPLES = """Examples:

    haplorag impute study.vcf.gz --imputer kgp -o imputed.vcf.gz

    haplorag impute 'study.{chromosome}.vcf.gz' --imputer kgp -o 'imputed.{chromosome}.bcf'

    haplorag impute study.vcf.gz --imputer kgp -o imputed.vcf.gz --region 20:1000000-2000000
"""
FORMATS = (".vcf.gz", ".bcf")
CHROMOSOME = "{chromosome}"
BATCH, PHASING, DRAWS = "imputation.batch_people", "phasing.method", "phasing.draws"
OVERRULE, REGION = "imputation.overrule", "imputation.region"
PEOPLE = "imputation.people"


def impute(
    target: Annotated[
        str,
        Argument(
            metavar="TARGET",
            help="VCF or BCF to impute; with {chromosome} in its name, a file for each.",
        ),
    ],
    imputer: Annotated[Path, Option(help="Folder of an imputer, as `haplorag panel` makes it.")],
    output: Annotated[
        str, Option("--output", "-o", help="File to write: .vcf.gz or .bcf, as its name ends.")
    ],
    sites: Annotated[
        str | None,
        Option(help="Table of what became of each site of TARGET; beside OUTPUT if not given."),
    ] = None,
    threads: Threads = CORES,
    gpus: Annotated[int, Option(min=0, max=1, help="1 imputes on a GPU, where there is one.")] = 0,
    batch_people: Annotated[
        int | None, Option(help=meaning_of(BATCH), show_default=default_of(BATCH))
    ] = None,
    phasing: Annotated[
        str | None, Option(help=meaning_of(PHASING), show_default=default_of(PHASING))
    ] = None,
    draws: Annotated[
        int | None, Option(help=meaning_of(DRAWS), show_default=default_of(DRAWS))
    ] = None,
    people: Annotated[Path | None, Option(help=meaning_of(PEOPLE))] = None,
    region: Annotated[
        str | None, Option(metavar="CHROM[:FROM-TO]", help=meaning_of(REGION))
    ] = None,
    overrule: Annotated[list[str], Option(metavar="REFUSAL", help=meaning_of(OVERRULE))] = [],
    config: Config = [],
    pairs: Pairs = [],
    verbose: Verbose = False,
) -> None:
    """Impute a VCF or BCF.

    Every site of the imputer's panel comes out, with GT, DS (expected ALT alleles), GP
    (probabilities of the genotypes) and HDS (of ALT on each haplotype) of each person, and AF, R2
    and IMP or TYPED of each site. The index, a table of what became of each site of TARGET and a
    page on its quality are written beside it. What is not phased in TARGET is phased first.
    """
    from haplorag.commands.session import summarising

    with summarising(verbose, "imputation") as summary:
        given = {BATCH: batch_people, PHASING: phasing, DRAWS: draws}
        pairs = [*pairs, *(f"{key}={value}" for key, value in given.items() if value is not None)]
        pairs += [f"{OVERRULE}=[{','.join(overrule)}]"] if overrule else []
        settings = _read_settings(output, config, pairs, region)
        if people is None and settings.imputation.people:
            people = Path(settings.fill(settings.imputation.people))
        paths = _pair_paths(imputer, target, output, sites, settings.imputation.region)
        # Loaded only now: it takes most of a second.
        from haplorag.steps.imputation import imputation

        written = []
        for source, result, table in paths:
            page = _name_page(result)
            count = imputation(
                imputer, source, result, table, settings=settings.imputation,
                phasing=settings.phasing, threads=threads, gpus=gpus,
                people=people, qc=page, refusal=page,
            )  # fmt: skip
            written.append(count)
            summary.outputs[result] = "imputed genotypes, with their index beside them"
            summary.outputs[table] = f"what became of each site of {source}"
            summary.outputs[page] = "strand, build, frequencies, samples and R2 at a glance"
            summary.outputs[page.with_suffix(".samples.tsv")] = "a row a sample"
            summary.outputs[page.with_suffix(".tsv")] = "the page's figures"
        typed, imputed = (sum(column) for column in list(zip(*written, strict=True))[1:])
        everything = written[0]._replace(typed=typed, imputed=imputed)
        summary.sentence = f"Imputed {target}: {everything.describe()},"


def _name_page(result: Path) -> Path:
    """The page on a target's quality, beside its imputed file."""
    return result.with_name(result.name.removesuffix(_find_ending(result.name)) + ".qc.html")


def _read_settings(
    output: str, config: list[Path], pairs: list[str], region: str | None
) -> Settings:
    laid_over = {"output": _find_ending(output).removeprefix(".")}
    if region is not None:
        laid_over["region"] = region
    return load_settings(config, pairs, {"imputation": laid_over})


def _find_ending(output: str) -> str:
    """The ending that says a file's format. Raises InputError where it has none."""
    for ending in FORMATS:
        if output.endswith(ending):
            return ending
    raise InputError(f"{output}: ends in neither {' nor '.join(FORMATS)}; name it so")


def _pair_paths(
    imputer: Path, target: str, output: str, sites: str | None, region: str | None
) -> list[tuple[Path, Path, Path]]:
    """Target, output and table of sites: one of each, or of each chromosome that has a file, or of
    the region's.

    Raises InputError where there is none, or where outputs would overwrite each other.
    """
    pattern = target, output, sites or output.removesuffix(_find_ending(output)) + ".sites.tsv"
    if CHROMOSOME not in target:
        return [(Path(target), Path(pattern[1]), Path(pattern[2]))]
    if not all(CHROMOSOME in path for path in pattern):
        raise InputError(
            f"{output}: has no {CHROMOSOME} in its name though {target} has; put it there"
        )
    from haplorag.imputation.imputer import open_imputer
    from haplorag.imputation.region import find_region

    opened = open_imputer(imputer)
    wanted = find_region(region, opened)
    names = opened.chromosomes if wanted is None else [wanted.chromosome]
    filled = [[Path(path.replace(CHROMOSOME, name)) for path in pattern] for name in names]
    found = [(source, result, table) for source, result, table in filled if source.exists()]
    if not found:
        raise InputError(
            f"{target}: no such file for any of the imputer's chromosomes {', '.join(names)}; fix "
            "its name"
        )
    return found
