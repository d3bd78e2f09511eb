"""Gathers all that imputation needs into one folder that can be copied to another machine."""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path

from haplorag.evaluation.metrics import is_maf_bin
from haplorag.imputation.imputer import checksum_files
from haplorag.io.atomic import copy_whole, write_bytes
from haplorag.io.checksums import check_checksum, check_seal
from haplorag.io.hdf5 import read_arrays, write_arrays
from haplorag.io.metadata import read_facts, write_facts
from haplorag.io.provenance import check_provenance
from haplorag.pipeline.cli import run_step
from haplorag.settings import LiStephensSettings, NeighbourSettings, NetworkSettings
from haplorag.training.history import MaskScores, TrainingHistory, read_history

log = logging.getLogger(__name__)
VARIANTS = ("variants/POS", "variants/REF", "variants/ALT", "variants/ID")
CARD = """# An imputer made by haplorag {version}

Reference: {haplotypes} haplotypes, chromosomes {chromosomes}, {sites} sites.
{network}
## Use

With Python 3.11 or newer on Linux, and the wheel of haplorag {version} in this folder:

    pip install "$(ls haplorag-*.whl)[cpu]"
    haplorag impute target.vcf.gz --imputer . -o imputed.vcf.gz

Any VCF or BCF may stand in the place of `target.vcf.gz`. `imputed.sites.tsv` says what became of
each of its sites, and `haplorag impute --help` what else can be set.

## Accuracy

`ACCURACY.md`, if it lies here, says how accurate the imputer was on people held out to judge it.
Without it nobody has judged it; where true genotypes are known, this does:

    haplorag evaluate imputed.vcf.gz --truth truth.vcf.gz --imputer . -o accuracy.tsv

## Limits

It imputes the sites above and no others, in targets on the same genome build, and is no better than
its reference is near to the people imputed. It holds the genotypes of the reference people: guard
this folder as you guard the panel.
"""
NETWORK = """
Network `{model}`: {parameters} trained parameters, best after epoch {best_epoch} of {epochs}.

## Accuracy on validation people, by hidden sites

| mask | mean r2, MAF below 0.5 % | 0.5-1 % | 1-5 % | 5-50 % |
|---|---|---|---|---|
{rows}

These people took no part in training, but it stopped where it served them best.
"""


def imputer(
    output: Path,
    *,
    genotypes: list[Path],
    frequencies: list[Path],
    windows: list[Path],
    shards: list[Path],
    chromosomes: list[str],
    model: str,
    neighbours: NeighbourSettings,
    copying: LiStephensSettings,
    seed: int,
    network: NetworkSettings | None = None,
    weights: Path | None = None,
    history: Path | None = None,
) -> None:
    """Write imputer.json (settings, checksums), README.md, and by chromosome sites, windows and
    shards; with a network also weights.safetensors.

    Lists have one path a chromosome. Raises InputError where a file is damaged or comes from
    another run.
    """
    haplotypes = sites = 0
    by_chromosome = zip(chromosomes, genotypes, frequencies, windows, shards, strict=True)
    for chromosome, *paths in by_chromosome:
        here, more = _gather_chromosome(output / chromosome, chromosome, *paths)
        # On X there may be fewer.
        haplotypes, sites = max(haplotypes, here), sites + more
    learned = _copy_network(weights, history, output)
    card = _write_card(learned, chromosomes, haplotypes, sites)
    write_bytes(output / "README.md", card.encode())
    facts = {
        "version": version("haplorag"),
        "model": model,
        "chromosomes": chromosomes,
        "network": network and network.model_dump(mode="json"),
        "neighbours": neighbours.model_dump(mode="json"),
        "li_stephens": copying.model_dump(mode="json"),
        "seed": seed,
        "files": checksum_files(output),
    }
    write_facts(output / "imputer.json", "imputer", facts)
    log.info("%s: %d sites, chromosomes %s", model, sites, ", ".join(chromosomes))


def _copy_network(
    weights: Path | None, history: Path | None, output: Path
) -> TrainingHistory | None:
    """Copy a trained network, where there is one; gives what is known of it."""
    if weights is None or history is None:
        return None
    learned = read_history(history)
    check_checksum(weights, learned.files[weights.name], "remove its folder and run again")
    copy_whole(weights, output / "weights.safetensors")
    return learned


def _gather_chromosome(
    folder: Path, chromosome: str, genotypes: Path, frequencies: Path, windows: Path, shards: Path
) -> tuple[int, int]:
    """Write what imputation needs of a chromosome; gives how many reference haplotypes and sites.

    Raises InputError where a file is damaged or comes from another run.
    """
    check_provenance(
        ("genotypes", genotypes),
        ("frequencies", frequencies),
        ("windows", windows),
        ("shards", shards),
    )
    arrays = read_arrays(genotypes, "genotypes", *VARIANTS)
    arrays |= read_arrays(frequencies, "frequencies", "frequency", "genotype_frequency")
    write_arrays(folder / "panel.h5", "panel", arrays, chromosome=chromosome)
    check_seal(windows)
    copy_whole(windows, folder / "windows.h5")
    contents = read_facts(shards / "shards.json", "shards")
    for entry in contents["windows"]:
        path = shards / entry["file"]
        check_checksum(path, entry["sha256"], "remove its folder and run again")
        copy_whole(path, folder / "shards" / path.name)
    copy_whole(shards / "shards.json", folder / "shards/shards.json")
    return contents["reference_haplotypes"], len(arrays["frequency"])


def _write_card(
    history: TrainingHistory | None, chromosomes: list[str], haplotypes: int, sites: int
) -> str:
    """What people are told of an imputer."""
    return CARD.format(
        version=version("haplorag"),
        haplotypes=haplotypes,
        chromosomes=", ".join(chromosomes),
        sites=sites,
        network=_describe_network(history) if history else "",
    )


def _describe_network(history: TrainingHistory) -> str:
    return NETWORK.format(
        model=history.model,
        parameters=history.parameters,
        best_epoch=history.best_epoch,
        epochs=history.trained_epochs,
        rows="\n".join(_list_rows(history.epochs[history.best_epoch].validation)),
    )


def _list_rows(validation: dict[str, MaskScores]) -> list[str]:
    """Lines of r2 by MAF bin, one a mask."""
    rows = []
    for mask, scores in validation.items():
        bins = [values["r2"] for group, values in scores.groups.items() if is_maf_bin(group)]
        cells = ["-" if r2 is None else f"{r2:.3f}" for r2 in bins]
        rows.append(f"| {mask} | " + " | ".join(cells) + " |")
    return rows


if __name__ == "__main__":
    run_step(imputer)
