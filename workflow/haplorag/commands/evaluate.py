"""`haplorag evaluate`: an imputed VCF beside the true genotypes of the same people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from haplorag.commands.defaults import load_settings
from haplorag.commands.flags import Config, Pairs, Verbose
from haplorag.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from haplorag.settings import Settings
    from haplorag.vcf.imputed import SiteKey

EXAMPLES = """Example:

    haplorag evaluate imputed.vcf.gz --truth sequenced.vcf.gz --imputer kgp -o accuracy.tsv
"""


def evaluate(
    imputed: Annotated[
        Path, Argument(metavar="IMPUTED", help="Imputed VCF or BCF with DS, of haplorag or others.")
    ],
    truth: Annotated[
        Path, Option(help="VCF or BCF with the true genotypes of IMPUTED's people, or more people.")
    ],
    output: Annotated[Path, Option("--output", "-o", help="Table to write, .tsv.")],
    imputer: Annotated[
        Path | None,
        Option(
            help="Imputer whose frequencies say which sites are rare; without one, those of the "
            "people in TRUTH who are judged."
        ),
    ] = None,
    config: Config = [],
    pairs: Pairs = [],
    verbose: Verbose = False,
) -> None:
    """Say how accurate imputed genotypes are, by minor allele frequency (MAF).

    Sites that were imputed are judged where TRUTH has them; typed ones are left out, as far as
    IMPUTED marks them. The table has mean r2, r2 over all genotypes and concordance with 95 %
    intervals over people; bins of MAF and resamplings are those of the section `evaluation`.
    """
    from haplorag.commands.session import summarising

    with summarising(verbose) as summary:
        from haplorag.io.tables import write_table

        table = _judge(imputed, truth, imputer, load_settings(config, pairs))
        write_table(output, table)
        everything = table[table["group"] == "all"].iloc[0]
        summary.sentence = f"Judged {everything['sites']:,} imputed sites of {imputed}"
        summary.outputs[output] = "accuracy by MAF"
        summary.figures = _describe(table)


def _judge(imputed: Path, truth: Path, imputer: Path | None, settings: Settings) -> pd.DataFrame:
    """The table of accuracy. Raises InputError where the truth has none of the imputed sites."""
    from haplorag.evaluation.genotypes import GenotypeAccuracy
    from haplorag.pipeline.logs import show_progress
    from haplorag.vcf.imputed import iterate_dosages, read_truth
    from haplorag.vcf.reader import read_vcf_header

    header = read_vcf_header(imputed)
    people, names = header.samples, list(header.lengths)
    known = read_truth(truth, people, names)
    frequency = _read_frequencies(imputer, names) if imputer else {}
    accuracy = GenotypeAccuracy(len(people), settings.evaluation, settings.seed)
    for key, dosage in show_progress(iterate_dosages(imputed), "sites"):
        if key in known:
            accuracy.add(frequency.get(key), dosage, known[key])
    table = accuracy.tabulate()
    if not table["sites"].any():
        raise InputError(
            f"{truth}: has none of the sites that {imputed} imputes; use files of the same build "
            "and chromosomes"
        )
    return table


def _read_frequencies(imputer: Path, others: list[str]) -> dict[SiteKey, float]:
    """Frequency of ALT in an imputer's panel, by site, with the names of a file's chromosomes."""
    from haplorag.imputation.imputer import open_imputer, open_panel_chromosome
    from haplorag.vcf.chromosomes import call_alike

    opened = open_imputer(imputer)
    found: dict[SiteKey, float] = {}
    for chromosome in opened.chromosomes:
        panel = open_panel_chromosome(opened, chromosome)
        name = call_alike(chromosome, opened.chromosomes, others)
        names = [name] * len(panel.position)
        keys = zip(names, panel.position.tolist(), panel.ref, panel.alt, strict=True)
        found.update(zip(keys, panel.frequencies.frequency.tolist(), strict=True))
    return found


def _describe(table: pd.DataFrame) -> list[str]:
    """Lines of mean r2 by MAF bin, with their intervals."""
    r2 = table[(table["metric"] == "r2") & (table["scored_sites"] > 0)]
    return [
        f"r2 {row.value:.4f} ({row.low:.4f}-{row.high:.4f})  MAF {row.group}, "
        f"{row.scored_sites:,} of {row.sites:,} sites vary"
        for row in r2.itertuples()
    ]
