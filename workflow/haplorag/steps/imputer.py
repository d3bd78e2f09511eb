"""Gathers all that imputation needs into one folder that can be copied to another machine."""

from __future__ import annotations

import logging
import shutil
from importlib.metadata import version
from pathlib import Path

from haplorag.imputation.imputer import checksum_files
from haplorag.io.checksums import check_checksum, check_seal
from haplorag.io.hdf5 import read_arrays, write_arrays
from haplorag.io.metadata import read_facts, write_facts
from haplorag.io.provenance import check_provenance
from haplorag.pipeline.cli import run_step
from haplorag.settings import NeighbourSettings, NetworkSettings

log = logging.getLogger(__name__)
VARIANTS = ("variants/POS", "variants/REF", "variants/ALT", "variants/ID")
CARD = """# An imputer made by haplorag {version}

Model `{model}`: {parameters} trained numbers, best after epoch {best_epoch} of {epochs}.
Reference: {haplotypes} haplotypes, chromosomes {chromosomes}, {sites} sites.

## Accuracy on validation people, by hidden sites

| mask | mean r2, MAF below 0.5 % | 0.5-1 % | 1-5 % | 5-50 % |
|---|---|---|---|---|
{rows}

These people took no part in training or in the reference, but training stopped where it served them best. The report of the
run has the figures on test people, beside other methods.

## Use

    python -m haplorag.steps.imputation FOLDER TARGET.vcf.gz OUTPUT.vcf.gz SITES.tsv --settings JSON

## Limits

It imputes the sites above and no others, from phased targets on the same genome build, and it is no better than its reference
is near to the people imputed. `shards/` and `weights.safetensors` carry genotypes of the reference people: guard this folder
as you guard the panel.
"""


def imputer(
    weights: Path,
    history: Path,
    output: Path,
    *,
    genotypes: list[Path],
    frequencies: list[Path],
    windows: list[Path],
    shards: list[Path],
    chromosomes: list[str],
    network: NetworkSettings,
    neighbours: NeighbourSettings,
) -> None:
    """Write weights.safetensors, imputer.json (settings, checksums), README.md, and by chromosome sites, windows, shards."""
    facts = read_facts(history, "history")
    check_checksum(weights, facts["files"][weights.name], "remove its folder and run again")
    sites = 0
    for chromosome, stored, known, cut, packed in zip(
        chromosomes, genotypes, frequencies, windows, shards, strict=True
    ):
        check_provenance(
            ("genotypes", stored), ("frequencies", known), ("windows", cut), ("shards", packed)
        )
        folder = output / chromosome
        arrays = read_arrays(stored, "genotypes", *VARIANTS)
        arrays |= read_arrays(known, "frequencies", "frequency", "genotype_frequency")
        write_arrays(folder / "panel.h5", "panel", arrays, chromosome=chromosome)
        check_seal(cut)
        shutil.copyfile(cut, folder / "windows.h5")
        contents = read_facts(packed / "shards.json", "shards")
        for entry in contents["windows"]:
            check_checksum(
                packed / entry["file"], entry["sha256"], "remove its folder and run again"
            )
        shutil.copytree(
            packed, folder / "shards", ignore=shutil.ignore_patterns(".*"), dirs_exist_ok=True
        )
        haplotypes = contents["reference_haplotypes"]
        sites += len(arrays["frequency"])
    shutil.copyfile(weights, output / "weights.safetensors")
    card = {
        **facts,
        "version": version("haplorag"),
        "epochs": len(facts["epochs"]) - 1,
        "haplotypes": haplotypes,
        "chromosomes": ", ".join(chromosomes),
        "sites": sites,
        "rows": "\n".join(_list_rows(facts["epochs"][facts["best_epoch"]]["validation"])),
    }
    (output / "README.md").write_text(CARD.format(**card))
    described = {
        "version": version("haplorag"),
        "model": facts["model"],
        "chromosomes": chromosomes,
        "network": network.model_dump(mode="json"),
        "neighbours": neighbours.model_dump(mode="json"),
        "files": checksum_files(output),
    }
    write_facts(output / "imputer.json", "imputer", described)
    log.info(
        "%s: %d sites on %d chromosomes, best epoch %03d",
        facts["model"],
        sites,
        len(chromosomes),
        facts["best_epoch"],
    )


def _list_rows(validation: dict[str, dict[str, dict[str, float | None]]]) -> list[str]:
    rows = []
    for mask, judged in validation.items():
        figures = [scores["r2"] for name, scores in judged.items() if name[0].isdigit()]
        rows.append(
            f"| {mask} | " + " | ".join("-" if r2 is None else f"{r2:.3f}" for r2 in figures) + " |"
        )
    return rows


if __name__ == "__main__":
    run_step(imputer)
