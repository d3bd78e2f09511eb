"""Runs one case of a corpus of bad inputs: contract.py FOLDER [VCF] [PANEL].

Panels and configurations go through preflight and the stages from samples to relatives, targets
through the imputation by the imputer that HAPLORAG_IMPUTER names, and artefacts take the place of
one of ours.

The corpus describes its cases in configuration files of its own shape; they are translated into
ours, key by key, so that a key given twice stays so and an unknown one stays unknown.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from haplorag.configuration import merge, read_settings, read_yaml
from haplorag.imputation.imputer import open_imputer, open_panel_chromosome
from haplorag.io.hdf5 import read_arrays
from haplorag.pipeline.cli import run_step
from haplorag.settings import Settings
from haplorag.steps.frequencies import frequencies
from haplorag.steps.genotypes import genotypes
from haplorag.steps.imputation import imputation
from haplorag.steps.preflight import preflight
from haplorag.steps.relatives import relatives
from haplorag.steps.samples import samples

ROOT = Path(__file__).parents[2]
SMALL = {"demo": None}


def translate(key: str, value: Any, people: int) -> dict[str, Any]:
    """One of the corpus's keys in our words; what we have no word for keeps its own."""
    if key == "reference":
        return {"panel": {"vcf": value["vcf"], "people": value["panel"]}}
    if key == "target":
        return {"imputation": {"targets": {**SMALL, "case": value["vcf"]}}}
    if key == "out":
        return {"results": value}
    if key == "contig":
        return {"chromosomes": [value]}
    if key == "windows":
        # Our windows overlap by their flanks, which have no bound; a core that is all overlap has
        # no site left.
        return {
            "windows": {
                "core_sites": min(value["max_sites"], value["max_sites"] - value["overlap"])
            }
        }
    if key == "split":
        # Ours is in shares, and the reference people are what the other two leave.
        test = value["test"] / people
        return {"samples": {"test": test, "validation": 1 - value["train"] / people - test}}
    if key == "train":
        words = {"batch": "batch_people"}
        training = {
            words.get(word, word): number
            for word, number in value.items()
            if word not in ("seed", "device")
        }
        return {"seed": value["seed"], "training": training}
    if key == "optim":
        return {"training": {"learning_rate": value["lr"], "clip_norm": value["clip"]}}
    if key == "impute":
        return {"imputation": {"output": value["out"]}}
    return {key: value}


def write_overlay(case: Path, overlay: Path, people: int) -> list[Path]:
    """The configuration files of a case: ours beneath, then the case's, translated where it can be
    read at all.
    """
    base, theirs = ROOT / "config/config.yaml", case / "config.yaml"
    try:
        node = yaml.compose(theirs.read_text(encoding="utf-8-sig"), yaml.SafeLoader)
        if not any(key.value == "windows" for key, _ in node.value):
            return [base, theirs]
        loader = yaml.SafeLoader("")
        pairs = [
            (key.value, loader.construct_object(value, deep=True)) for key, value in node.value
        ]
    except (ValueError, AttributeError, TypeError, yaml.YAMLError, RecursionError):
        return [base, theirs]
    if "reference" not in dict(pairs):
        cut = {key: value for key, value in read_yaml(base).items() if key != "panel"}
        base = overlay.with_name("base.yaml")
        base.write_text(yaml.safe_dump(cut))
    overlay.write_text(
        "".join(yaml.safe_dump(translate(key, value, people)) for key, value in pairs)
    )
    return [base, overlay]


def write_plain(case: Path, overlay: Path, vcf: str, panel: str, roles: Path | None) -> list[Path]:
    """Our configuration with the files of the case, and its lists of people where it has some."""
    contig = next(
        line.split()[1]
        for line in (case / "config.yaml").read_text().splitlines()
        if line.startswith("contig:")
    )
    ours: dict[str, Any] = {
        "results": "out",
        "chromosomes": [contig],
        "panel": {"vcf": vcf, "people": panel},
    }
    ours |= {"imputation": {"targets": {**SMALL, "case": "target.vcf.gz"}}}
    if roles:
        ours["samples"] = {"roles": str(roles)}
    overlay.write_text(yaml.safe_dump(ours))
    return [ROOT / "config/config.yaml", overlay]


def write_roles(case: Path, folder: Path) -> Path | None:
    """The case's lists of people as a role file; a person of two lists gets two lines."""
    if not (case / "split.json").exists():
        return None
    words = {"train": "training", "val": "validation", "test": "test", "reference": "reference"}
    split = json.loads((case / "split.json").read_text())
    if "reference" not in split:
        split["reference"] = split.pop("train")
    path = folder / "config.yaml.roles.tsv"
    lines = [f"{name}\t{words[part]}" for part, names in split.items() for name in names]
    path.write_text("\n".join(["sample\trole", *lines]) + "\n")
    return path


def run(settings: Settings, scratch: Path) -> None:
    """From samples to relatives, as the rules would run them."""
    people = ["--people", settings.fill(settings.panel.people)] if settings.panel.people else []
    table, out = scratch / "samples.tsv", Path(settings.results)
    for number, chromosome in enumerate(settings.chromosomes):
        vcf = settings.fill(settings.panel.vcf, chromosome=chromosome)
        if not number:
            roles = ["--roles", settings.samples.roles] if settings.samples.roles else []
            given = [
                "--settings",
                settings.samples.model_dump_json(),
                "--seed",
                str(settings.seed),
                *roles,
            ]
            run_step(samples, [*given, *people, "--", vcf, str(table)])
        given = ["--settings", settings.genotypes.model_dump_json(), "--chromosome", chromosome]
        outputs = [str(out / "genotypes" / f"{chromosome}{suffix}") for suffix in (".h5", ".tsv")]
        run_step(genotypes, [*given, "--", vcf, str(table), *outputs])
        run_step(frequencies, ["--", outputs[0], str(table), str(scratch / f"{chromosome}.h5")])
    stores = [str(out / "genotypes" / f"{chromosome}.h5") for chromosome in settings.chromosomes]
    known = [str(scratch / f"{chromosome}.h5") for chromosome in settings.chromosomes]
    run_step(
        relatives,
        [str(table), str(out / "relatives.tsv"), "--genotypes", *stores, "--frequencies", *known],
    )


def clear(folder: Path, before: set[Path]) -> None:
    """Remove what an accepted case wrote, which is whole: only what a refused one leaves behind is
    looked at.
    """
    for path in sorted(set(folder.rglob("*")) - before, reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def impute(case: Path, imputer: str) -> None:
    """Impute the case's target, as the rule would."""
    section = read_settings(read_yaml(ROOT / "config/config.yaml")).imputation
    out = Path("out")
    given = ["--settings", section.model_dump_json(), "--", imputer, str(case / "target.vcf.gz")]
    before = set(out.rglob("*"))
    run_step(imputation, [*given, str(out / "imputed.vcf.gz"), str(out / "sites.tsv")])
    clear(out, before)


def load(case: Path, scratch: Path) -> None:
    """Read the case's artefact as one of ours: a store of genotypes, or a file put in the place of
    one in an imputer.
    """
    beside = {"case.json", "mask.json", "w0.json", "secret.h5"}
    artefact = next(path for path in case.iterdir() if path.name not in beside)

    def read() -> None:
        """Read all of it."""
        if artefact.suffix == ".h5":
            read_arrays(artefact, "genotypes")
            return
        imputer = Path(shutil.copytree(os.environ["HAPLORAG_IMPUTER"], scratch / "imputer"))
        place = (
            next(imputer.rglob("*.faiss.gz"))
            if artefact.suffix == ".gz"
            else imputer / "weights.safetensors"
        )
        shutil.copyfile(artefact, place)
        opened = open_imputer(imputer)
        panel = open_panel_chromosome(opened, opened.chromosomes[0])
        panel.shards.by_site(np.arange(len(panel.position)))

    run_step(read, [])


def main(folder: str, vcf: str = "ref.vcf.gz", panel: str = "panel.tsv") -> None:
    """Run a case; exit status 2 where it is refused."""
    case = Path(folder)
    with tempfile.TemporaryDirectory() as scratch:
        overlay = Path(scratch) / "config.yaml"
        try:
            facts = json.loads((case / "case.json").read_text())
        except FileNotFoundError:
            facts = {"role": "ref", "stage": "preflight"}
        role, stage = facts["role"], facts["stage"]
        if stage == "load":
            load(Path(), Path(scratch))
            return
        if role == "target":
            impute(Path(), os.environ["HAPLORAG_IMPUTER"])
            return
        roles = write_roles(case, Path(scratch))
        # A case is about its configuration, or about one file that any configuration names.
        if role in ("config", "output") and not roles:
            configs = write_overlay(case, overlay, len((case / panel).read_text().splitlines()) - 1)
        else:
            configs = write_plain(case, overlay, vcf, panel, roles)
        run_step(preflight, ["--", *map(str, configs)])
        merged: dict[str, Any] = {}
        for path in configs:
            merge(merged, read_yaml(path))
        before = set(Path("out").rglob("*"))
        run(read_settings(merged), Path(scratch))
        clear(Path("out"), before)


if __name__ == "__main__":
    main(*sys.argv[1:])
