"""Says how well a target was imputed, by frequency; beside the truth where it is known."""

from __future__ import annotations

import logging
from pathlib import Path

from haplorag.evaluation.targets import TargetAccuracy
from haplorag.io.hdf5 import read_arrays
from haplorag.io.tables import write_table
from haplorag.panel.frequencies import read_frequencies
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.logs import show_progress
from haplorag.settings import EvaluationSettings
from haplorag.vcf.chromosomes import call_alike
from haplorag.vcf.imputed import SiteKey, iterate_imputed, read_truth
from haplorag.vcf.reader import read_vcf_header

log = logging.getLogger(__name__)


def quality(
    imputed: Path,
    output: Path,
    *,
    genotypes: list[Path],
    frequencies: list[Path],
    chromosomes: list[str],
    truth: Path | None = None,
    settings: EvaluationSettings,
) -> None:
    """Write a table of the sites that were imputed, by MAF in the reference.

    Columns are `samples` and `typed_sites` of the file, and `phasing`, by what haplorag phased it,
    empty where it did not; group and kind of sites, their number, mean
    `R2`, and the share of those with an R2 of at least 0.8; where `truth` is given, how many sites
    vary in it, the mean dosage r2 there, and the r2 over all genotypes. The table lists what was
    imputed; typed sites count in none of its groups. `genotypes` and `frequencies` have a file for
    each of `chromosomes`.
    """
    header = read_vcf_header(imputed)
    people = header.samples
    names = list(header.lengths)
    known = read_truth(truth, people, names) if truth else {}
    called = [call_alike(chromosome, chromosomes, names) for chromosome in chromosomes]
    frequency = _join_frequencies(
        dict(zip(called, zip(genotypes, frequencies, strict=True), strict=True))
    )
    accuracy = TargetAccuracy()
    typed = 0
    for site in show_progress(iterate_imputed(imputed, bool(known)), "sites"):
        if site.typed:
            typed += 1
        elif site.key in frequency:
            accuracy.add(frequency[site.key], site.r2, site.dosage, known.get(site.key))
    table = accuracy.tabulate(settings)
    table.insert(0, "samples", len(people))
    table.insert(1, "typed_sites", typed)
    table.insert(2, "phasing", "; ".join(line.partition("=")[2] for line in header.phasing))
    write_table(output, table)
    everything = table[table["kind"] == "all"].iloc[0]
    log.info(
        "%d samples, %d sites typed, %d imputed: mean R2 %.4f%s",
        len(people), typed, everything["sites"], everything["mean_R2"],
        f", r2 {everything['r2']:.4f} with the truth" if known else "",
    )  # fmt: skip


def _join_frequencies(paths: dict[str, tuple[Path, Path]]) -> dict[SiteKey, float]:
    """Frequency of ALT in the reference by site, over chromosomes."""
    found: dict[SiteKey, float] = {}
    for chromosome, (genotypes, frequencies) in paths.items():
        sites = read_arrays(genotypes, "genotypes", "variants/POS", "variants/REF", "variants/ALT")
        values = read_frequencies(frequencies).frequency.tolist()
        columns = (sites[f"variants/{name}"].tolist() for name in ("POS", "REF", "ALT"))
        for position, ref, alt, value in zip(*columns, values, strict=True):
            found[chromosome, position, ref, alt] = value
    return found


if __name__ == "__main__":
    run_step(quality)
