"""Gathers all that imputation needs into one folder that can be copied to another machine."""

from __future__ import annotations

import logging
import shutil
from importlib.metadata import version
from pathlib import Path

from haplorag.pipeline import cli as command
from haplorag.io import hdf5 as store
from haplorag.imputation.imputer import list_files
from haplorag.io.provenance import check_family
from haplorag.settings import Neighbours, Network

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
    network: Network,
    neighbours: Neighbours,
) -> None:
    """Write weights.safetensors, imputer.json (settings, checksums), README.md, and by chromosome sites, windows, shards."""
    facts = store.read_facts(history, "history")
    store.check(weights, facts["files"][weights.name], "remove its folder and run again")
    sites = 0
    for chromosome, stored, known, cut, packed in zip(chromosomes, genotypes, frequencies, windows, shards, strict=True):
        check_family(("genotypes", stored), ("frequencies", known), ("windows", cut), ("shards", packed))
        folder = output / chromosome
        arrays = store.read_arrays(stored, "genotypes", *VARIANTS)
        arrays |= store.read_arrays(known, "frequencies", "frequency", "genotype_frequency")
        store.write_arrays(folder / "panel.h5", "panel", arrays, chromosome=chromosome)
        store.check_seal(cut)
        shutil.copyfile(cut, folder / "windows.h5")
        contents = store.read_facts(packed / "shards.json", "shards")
        for entry in contents["windows"]:
            store.check(packed / entry["file"], entry["sha256"], "remove its folder and run again")
        shutil.copytree(packed, folder / "shards", ignore=shutil.ignore_patterns(".*"), dirs_exist_ok=True)
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
        "files": list_files(output),
    }
    store.write_facts(output / "imputer.json", "imputer", described)
    log.info("%s: %d sites on %d chromosomes, best epoch %03d", facts["model"], sites, len(chromosomes), facts["best_epoch"])


def _list_rows(validation: dict[str, dict[str, dict[str, float | None]]]) -> list[str]:
    rows = []
    for mask, judged in validation.items():
        figures = [scores["r2"] for name, scores in judged.items() if name[0].isdigit()]
        rows.append(f"| {mask} | " + " | ".join("-" if r2 is None else f"{r2:.3f}" for r2 in figures) + " |")
    return rows


if __name__ == "__main__":
    command.run(imputer)
