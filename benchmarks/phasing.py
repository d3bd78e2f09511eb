"""How well is a target phased against the panel, beside Beagle, and what is the phase worth for
imputation?

    snakemake results/reference/imputer/li_stephens/imputer.json results/masks/test/array/1.h5
    PYTHONPATH=workflow python benchmarks/phasing.py --results results --chromosome 1

Takes people of a role with a test mask's sites removed as the target, forgets their phase, and
phases them in each way; the imputer must be that of the reference alone. A table with the CPU time
of phasing alone and of phasing and imputing (with reading and writing of the files), switch errors
a pair of neighbouring heterozygotes, and the mean dosage r2 by MAF bin of what is imputed, with the
true phase beside it; exits 1 where a goal is missed. `panel` imputes from several phases as it is
configured, `one phase` from the best one alone.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

from goals import ROOT, judge, measure
from haplorag.configuration import read_settings, read_yaml
from haplorag.errors import InputError
from haplorag.evaluation.metrics import dosage_r2_by_site, group_by_maf, is_maf_bin
from haplorag.io.hdf5 import opening_arrays, read_arrays
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.samples import find_samples, read_samples
from haplorag.settings import PANEL_ONLY
from haplorag.vcf.dosages import read_imputed
from haplorag.vcf.reader import read_records, read_vcf_header
from haplorag.vcf.writer import Site, write_genotypes

METHODS = ("panel", "beagle")
ONE = "one phase"
VARIANTS = ("variants/POS", "variants/ID", "variants/REF", "variants/ALT")


def main() -> None:
    """Measure, print the table and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="results folder of a run"
    )
    parser.add_argument("--chromosome", default="1")
    parser.add_argument("--mask", default="array", help="name of a test mask")
    parser.add_argument("--role", default="validation", help="whose phase is forgotten")
    parser.add_argument("--states", type=int, help="instead of the configured number")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    if not shutil.which("beagle"):
        parser.error("beagle is not installed; get it with: apt-get install beagle")
    try:
        case = read_case(given.results, given.chromosome, given.mask, given.role)
    except (InputError, OSError, ValueError) as error:
        parser.error(f"{error}; --results, --chromosome and --mask name a run that is complete")
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(given, case, Path(folder))
    print(
        f"{len(case['people'])} people ({given.role}), {len(case['typed']):,} of "
        f"{len(case['sites']):,} sites typed ({given.mask}), {given.threads} threads\n"
    )
    print(
        f"{'phase':10}{'CPU s':>8}{'in all':>8}{'switch errors':>15}  mean r2 by MAF bin "
        f"{case['edges']}"
    )
    for name, (cpu, whole, errors, *bins) in rows.items():
        shown = " ".join(f"{one:.4f}" for one in bins)
        print(f"{name:10}{cpu:8.1f}{whole:8.1f}{errors:15.4f}  {shown}")
    print()
    below = np.max(np.array(rows["beagle"][3:]) - rows["panel"][3:])
    cost = rows["panel"][0] / rows["beagle"][0]
    met = [
        judge("r2 of our phase below that of Beagle's, in the worst bin", below, "at most", 0.002),
        judge("CPU of our phasing beside Beagle's", cost, "at most", 1.5, "x"),
    ]
    sys.exit(0 if all(met) else 1)


def read_case(results: Path, chromosome: str, mask: str, role: str) -> dict:
    """People by row, their haplotypes int8 [2n, site], typed sites, frequencies and all sites."""
    people = find_samples(read_samples(results / "samples/samples.tsv"), role)
    drawn = read_arrays(results / f"masks/test/{mask}/{chromosome}.h5", "masks")
    path = results / f"genotypes/{chromosome}.h5"
    sites = list(
        map(Site, *(one.tolist() for one in read_arrays(path, "genotypes", *VARIANTS).values()))
    )
    with opening_arrays(path, "genotypes") as file:
        truth = read_haplotypes(file, np.arange(len(sites)), people)
    frequencies = read_arrays(results / f"frequencies/{chromosome}.h5", "frequencies", "frequency")
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())["evaluation"]
    return {
        "people": people,
        "truth": truth,
        "typed": np.flatnonzero(~drawn["hidden"][0]),
        "sites": sites,
        "frequency": frequencies["frequency"],
        "edges": settings["maf_bins"],
        "rare": settings["rare_maf"],
    }


def compare(given: argparse.Namespace, case: dict, folder: Path) -> dict[str, list[float]]:
    """CPU seconds of phasing and in all, switch errors, and r2 by bin, of the true phase and each
    way of phasing.
    """
    settings = read_settings(read_yaml(ROOT / "config/config.yaml"), "config.yaml")
    changes = {"states": given.states} if given.states else {}
    write_target(given, case, folder / "true.vcf.gz", phased=True)
    write_target(given, case, folder / "unphased.vcf.gz", phased=False)
    imputer = given.results / "reference/imputer" / PANEL_ONLY
    step = [sys.executable, "-m"]
    threads = ["--threads", str(given.threads)]
    costs = {"true": 0.0}
    for method in METHODS:
        chosen = settings.phasing.model_copy(update={"method": method, **changes})
        files = [imputer, folder / "unphased.vcf.gz", folder / f"{method}.vcf.gz"]
        words = [*step, "haplorag.steps.phasing", *map(str, files)]
        costs[method] = measure([*words, "--settings", chosen.model_dump_json(), *threads])[1]
    rows = {}
    section = settings.imputation.model_copy(update={"targets": {}}).model_dump_json()
    of_panel = settings.phasing.model_copy(update={"method": "panel", **changes}).model_dump_json()
    # What is imputed: phased by now, or phased on the way, from all the phases that are drawn.
    ways = {"true": "true", ONE: "panel", "panel": "unphased", "beagle": "beagle"}
    for name, source in ways.items():
        imputed = folder / f"{source}.imputed.vcf.gz"
        files = [imputer, folder / f"{source}.vcf.gz", imputed, folder / "sites.tsv"]
        words = [*step, "haplorag.steps.imputation", *map(str, files), "--phasing", of_panel]
        cost = measure([*words, "--settings", section, *threads])[1]
        method = "panel" if name == ONE else name
        before = 0.0 if name == "panel" else costs[method]
        errors = count_switches(case, folder / f"{method}.vcf.gz")
        rows[name] = [costs[method], before + cost, errors, *score(given, case, imputed)]
    return rows


def write_target(given: argparse.Namespace, case: dict, path: Path, phased: bool) -> None:
    """Write the typed sites, with their phase or without."""
    calls = case["truth"][:, case["typed"]].T.reshape(len(case["typed"]), -1, 2)
    nobody = None if phased else np.ones(calls.shape[1], dtype=bool)
    rows = [
        (case["sites"][site], call if phased else np.sort(call, axis=1), nobody)
        for site, call in zip(case["typed"], calls, strict=True)
    ]
    names = [f"p{person}" for person in case["people"]]
    write_genotypes(path, {given.chromosome: rows}, names)


def count_switches(case: dict, phased: Path) -> float:
    """Switch errors a pair of neighbouring heterozygotes of a person."""
    header = read_vcf_header(phased)
    found = np.stack([record.alleles for record in read_records(phased, header)])
    truth = case["truth"][:, case["typed"]].T.reshape(found.shape)
    errors = pairs = 0
    for mine, true in zip(found.swapaxes(0, 1), truth.swapaxes(0, 1), strict=True):
        if (np.sort(mine, axis=1) != np.sort(true, axis=1)).any():
            raise ValueError(f"{phased}: genotypes are not those of the target")
        sites = true[:, 0] != true[:, 1]
        turned = mine[sites, 0] != true[sites, 0]
        errors += np.count_nonzero(turned[1:] != turned[:-1])
        pairs += max(len(turned) - 1, 0)
    return errors / max(pairs, 1)


def score(given: argparse.Namespace, case: dict, imputed: Path) -> list[float]:
    """Mean dosage r2 of hidden sites by MAF bin."""
    keys = ((site.position, site.ref, site.alt) for site in case["sites"])
    rows = {key: row for row, key in enumerate(keys)}
    said = np.zeros((len(case["people"]), len(rows), 2))
    names = [f"p{person}" for person in case["people"]]
    read_imputed(imputed, given.chromosome, rows, names, said)
    hidden = np.ones(len(rows), dtype=bool)
    hidden[case["typed"]] = False
    truth = case["truth"].reshape(len(names), 2, -1).sum(axis=1)
    r2 = dosage_r2_by_site(said.sum(axis=2)[:, hidden], truth[:, hidden])
    labels, groups = group_by_maf(case["frequency"][hidden], case["edges"], case["rare"])
    return [
        float(np.nanmean(r2[members]))
        for label, members in zip(labels, groups, strict=True)
        if is_maf_bin(label)
    ]


if __name__ == "__main__":
    main()
