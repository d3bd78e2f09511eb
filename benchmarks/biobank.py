"""Is imputing from a panel of a biobank's size as good as with Beagle and Minimac4, and as cheap?

Simulates a panel (out-of-Africa history, no errors), leaves some people out, keeps a share of the
common sites of these, and imputes them with `imputation.model: li_stephens` as the pipeline does,
with Beagle and with Minimac4, on one thread. CPU seconds and peak memory are of whole processes;
what prepares the panel is told apart from imputing. Sizes are small unless `--haplotypes 100000` or
`--megabases 20` asks for more. Exits 1 where a goal is missed, 2 where something is lacking.
"""

import argparse
import json
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from goals import ROOT, count_bytes, judge, measure
from haplorag.evaluation.metrics import dosage_r2_by_site, group_by_maf, list_site_groups
from haplorag.panel.simulation import choose_array_sites, simulate_chromosome
from haplorag.seeding import seed_of
from haplorag.settings import DemoSettings
from haplorag.vcf.dosages import read_imputed
from haplorag.vcf.writer import write_vcf

EDGES = [0, 0.001, 0.005, 0.01, 0.05, 0.5]
CHROMOSOME = "1"
PREPARED = ("samples", "genotypes", "frequencies", "windows", "shards", "imputer")


def main() -> None:
    """Simulate, measure, print the table and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--haplotypes", type=int, default=6000)
    parser.add_argument("--megabases", type=float, default=1)
    parser.add_argument("--people", type=int, default=100, help="people to impute")
    parser.add_argument(
        "--typed", type=float, default=0.05, help="share of sites they are typed at"
    )
    parser.add_argument(
        "--least", type=int, default=4, help="minor alleles a site has at the least"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to keep what is made")
    given = parser.parse_args()
    for tool in ("beagle", "minimac4"):
        if not shutil.which(tool):
            print(f"{tool} is not installed; on Debian: apt-get install {tool}", file=sys.stderr)
            sys.exit(2)
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        # In a process of its own: a child's peak memory starts at that of the one that started it.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            truth = pool.submit(simulate, given, folder).result()
        rows = {
            "haplorag": impute(folder),
            "Minimac4": run_minimac(folder),
            "Beagle": run_beagle(folder),
        }
        for row in rows.values():
            row["r2"] = score(row.pop("output"), truth)
    show(given, truth, rows)
    sys.exit(0 if judge_all(rows) else 1)


def simulate(given: argparse.Namespace, folder: Path) -> dict:
    """Write panel, people and target; gives what was hidden of the target."""
    settings = DemoSettings(
        people_per_population=given.haplotypes // 6,
        length_bp=round(given.megabases * 1e6),
        recombination_rate=1e-8,
        mutation_rate=1.25e-8,
        min_minor_count=given.least,
        target_people=given.people,
        target_typed=given.typed,
    )
    made = simulate_chromosome(settings, seed_of(given.seed, "biobank"))
    positions, alleles, panel, target = made
    typed = choose_array_sites(panel, given.typed)
    names = [f"p{row}" for row in range(panel.shape[1])]
    guests = [f"t{row}" for row in range(given.people)]
    folder.mkdir(parents=True, exist_ok=True)
    write_vcf(folder / "panel.vcf.gz", names, {CHROMOSOME: (positions, alleles, panel)})
    region = positions[typed], alleles[typed], target[typed]
    write_vcf(folder / "target.vcf.gz", guests, {CHROMOSOME: region})
    people = pd.DataFrame({"sample": names, "pop": "A", "super_pop": "A"})
    people.to_csv(folder / "panel.tsv", sep="\t", index=False)
    hidden = np.ones(len(positions), dtype=bool)
    hidden[typed] = False
    keys = zip(positions.tolist(), *alleles.T.tolist(), strict=True)
    return {
        "people": guests,
        "hidden": hidden,
        "alleles": target.swapaxes(0, 1),
        "frequency": panel.mean(axis=(1, 2)),
        "sites": {key: row for row, key in enumerate(keys)},
    }


def impute(folder: Path) -> dict:
    """Impute with haplorag, stage by stage as the pipeline calls them."""
    overlay = {
        "chromosomes": [CHROMOSOME],
        "results": str(folder / "results"),
        "panel": {"vcf": str(folder / "panel.vcf.gz"), "people": str(folder / "panel.tsv")},
        "samples": {"validation": 0.0, "test": 0.0},
        "models": [],
        "target": str(folder / "target.vcf.gz"),
    }
    (folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    snakemake = ["snakemake", "--cores", "1", "--quiet", "all", "--directory", str(ROOT)]
    command = [*snakemake, "--configfile", str(folder / "overlay.yaml"), "--", "impute"]
    measure(command)
    jobs = read_jobs(folder / "results/benchmarks")
    return {
        "panel": sum(jobs[rule]["cpu_time"] for rule in PREPARED),
        "impute": jobs["imputation"]["cpu_time"],
        "peak": 1e6 * jobs["imputation"]["max_rss"],
        "disk": count_bytes(folder / "results/imputer/li_stephens"),
        "jobs": jobs,
        "output": folder / "results/imputation/target.vcf.gz",
    }


def read_jobs(folder: Path) -> dict[str, pd.Series]:
    """What Snakemake measured of the job of each rule."""
    return {
        path.relative_to(folder).parts[0]: pd.read_csv(path, sep="\t").iloc[0]
        for path in sorted(folder.rglob("*.tsv"))
    }


def run_minimac(folder: Path) -> dict:
    """Impute with Minimac4, its panel prepared beforehand."""
    panel, output = folder / "panel.msav", folder / "minimac4.vcf.gz"
    prepare = ["minimac4", "--compress-reference", str(folder / "panel.vcf.gz"), "-o", str(panel)]
    _, prepared, _ = measure(prepare)
    target = [str(panel), str(folder / "target.vcf.gz"), "-o", str(output)]
    _, cpu, peak = measure(["minimac4", "-t", "1", "-f", "GT,HDS,DS", *target])
    disk = count_bytes(panel)
    return {"panel": prepared, "impute": cpu, "peak": peak, "disk": disk, "output": output}


def run_beagle(folder: Path) -> dict:
    """Impute with Beagle, which reads the panel each time."""
    output = folder / "beagle"
    words = {"ref": folder / "panel.vcf.gz", "gt": folder / "target.vcf.gz", "out": output}
    arguments = [f"{name}={value}" for name, value in words.items()]
    _, cpu, peak = measure(["beagle", *arguments, "nthreads=1", "ap=true"])
    disk = count_bytes(folder / "panel.vcf.gz")
    made = output.with_name("beagle.vcf.gz")
    return {"panel": 0.0, "impute": cpu, "peak": peak, "disk": disk, "output": made}


def score(output: Path, truth: dict) -> list[float]:
    """Mean dosage r2 by MAF bin at hidden sites."""
    hidden = truth["hidden"]
    found = np.zeros(truth["alleles"].shape)
    found[:] = truth["frequency"][:, None]
    read_imputed(output, CHROMOSOME, truth["sites"], truth["people"], found)
    known = truth["alleles"][:, hidden].sum(axis=2)
    r2 = dosage_r2_by_site(found[:, hidden].sum(axis=2), known)
    _, members = group_by_maf(truth["frequency"][hidden], EDGES, 0.05)
    bins = len(EDGES) - 1
    return [float(np.nanmean(r2[group])) for group in members[:bins]]


def show(given: argparse.Namespace, truth: dict, rows: dict[str, dict]) -> None:
    """Print the table."""
    hidden = truth["hidden"]
    print(
        f"{given.haplotypes:,} haplotypes, {len(hidden):,} sites, {(~hidden).sum():,} typed, "
        f"{given.people} people"
    )
    names = [group.name for group in list_site_groups(EDGES)][: len(EDGES) - 1]
    heads = f"{'tool':10}{'panel s':>9}{'impute s':>10}{'peak MB':>9}{'disk MB':>9}"
    print(f"{heads}  r2 at {' '.join(names)}")
    for tool, row in rows.items():
        scores = " ".join(f"{value:.4f}" for value in row["r2"])
        print(
            f"{tool:10}{row['panel']:9.1f}{row['impute']:10.1f}{row['peak'] / 1e6:9.0f}"
            f"{row['disk'] / 1e6:9.1f}  {scores}"
        )
    jobs = rows["haplorag"]["jobs"]
    costs = {rule: [round(row["cpu_time"], 1), round(row["max_rss"])] for rule, row in jobs.items()}
    print("CPU seconds and peak MB of our jobs:", json.dumps(costs))


def judge_all(rows: dict[str, dict]) -> bool:
    """Print the goals; whether all are met."""
    ours, minimac, beagle = rows["haplorag"], rows["Minimac4"], rows["Beagle"]
    best = np.maximum(minimac["r2"], beagle["r2"])
    goals = [
        ("least r2 above the best peer's", min(np.array(ours["r2"]) - best), "at least", 0.0),
        ("imputing beside Minimac4", ours["impute"] / minimac["impute"], "at most", 1.5),
        ("imputing beside Beagle", ours["impute"] / beagle["impute"], "at most", 1.0),
        ("panel beside Minimac4's", ours["panel"] / minimac["panel"], "at most", 1.5),
        ("peak memory of imputing, MB", ours["peak"] / 1e6, "below", 1000),
        ("panel on disk beside Minimac4's", ours["disk"] / minimac["disk"], "at most", 2),
    ]
    met = [judge(name, figure, words, bound) for name, figure, words, bound in goals]
    return all(met)


if __name__ == "__main__":
    main()
