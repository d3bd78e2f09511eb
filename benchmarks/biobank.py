"""Is imputing from a large panel as good as with Beagle and Minimac4, and as cheap?

Simulates two panels (out-of-Africa history, no errors): 20 Mb of 5,008 haplotypes, and 1 Mb of
100,000. Leaves some people out, keeps some of their common sites, and imputes them with haplorag as
it comes and with one setting and nothing learned, with Beagle and with Minimac4, on one thread.
CPU seconds and peak memory are of whole commands; what prepares the panel is told apart from
imputing. How much higher r2 is than the best peer's is told with its interval, both judged in the
same resampled people; a goal is that no interval lies below 0. `--quick` takes small panels. Exits
1 where a goal is missed, 2 where something is lacking.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from accuracy import average_r2, find_bins, find_lead, name_bins
from goals import count_bytes, judge, measure
from haplorag.evaluation.bootstrap import resample_people
from haplorag.io.metadata import read_facts, write_facts
from haplorag.panel.simulation import choose_array_sites, simulate_chromosome
from haplorag.seeding import seed_of
from haplorag.settings import DemoSettings
from haplorag.vcf.dosages import read_imputed
from haplorag.vcf.writer import write_vcf

CHROMOSOME, RESAMPLINGS = "1", 200
PEERS = "Minimac4", "Beagle"
HAPLORAG = [sys.executable, "-m", "haplorag.commands.main"]


class Panel(NamedTuple):
    """A panel to simulate, the share of its sites that is typed, the minor alleles a site has at
    the least, and the goals: the most that is allowed beside Minimac4 and Beagle.
    """

    haplotypes: int
    megabases: float
    typed: float
    least: int
    plain: float
    mixture: float
    prepared: float


PANELS = {
    "chromosome": Panel(5_008, 20, 0.03, 2, plain=1.0, mixture=0.5, prepared=2.0),
    "biobank": Panel(100_000, 1, 0.0225, 10, plain=1.5, mixture=1.0, prepared=1.5),
}
QUICK = {
    "chromosome": PANELS["chromosome"]._replace(haplotypes=1_002, megabases=2),
    "biobank": PANELS["biobank"]._replace(haplotypes=6_000, megabases=0.5, typed=0.05, least=4),
}


def main() -> None:
    """Simulate, measure, print the tables and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--panel", choices=PANELS, help="one of the two; without it both")
    parser.add_argument("--quick", action="store_true", help="small panels")
    parser.add_argument("--people", type=int, default=100, help="people to impute")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to keep what is made")
    given = parser.parse_args()
    for tool in ("beagle", "minimac4"):
        if not shutil.which(tool):
            print(f"{tool} is not installed; on Debian: apt-get install {tool}", file=sys.stderr)
            sys.exit(2)
    sizes = QUICK if given.quick else PANELS
    met = []
    for name in [given.panel] if given.panel else PANELS:
        with tempfile.TemporaryDirectory() as scratch:
            folder = (given.folder or Path(scratch)) / name
            met.append(run_apart(compare, sizes[name], given, folder))
    sys.exit(0 if all(met) else 1)


def run_apart(do: Callable[..., Any], *arguments: object) -> Any:
    """Call a function in a process of its own: the peak memory of a command that is measured starts
    at that of the process that starts it, and this one is to stay small.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(do, *arguments).result()


def compare(panel: Panel, given: argparse.Namespace, folder: Path) -> bool:
    """Measure all tools with one panel; whether its goals are met."""
    truth = run_apart(simulate, panel, given, folder)
    prepared = prepare(folder)
    rows = {
        "plain": impute(make_plain(folder / "imputer"), folder) | prepared,
        "mixture": impute(folder / "imputer", folder) | prepared,
        "Minimac4": run_minimac(folder),
        "Beagle": run_beagle(folder),
    }
    weights = resample_people(given.people, RESAMPLINGS, seed_of(given.seed, "resampling"))
    for row in rows.values():
        row["r2"] = score(row.pop("output"), truth, weights)
    leads = find_leads(rows)
    show(panel, truth, rows)
    show_leads(leads)
    return judge_all(panel, rows, leads["mixture"])


def simulate(panel: Panel, given: argparse.Namespace, folder: Path) -> dict:
    """Write panel, people and target; gives what was hidden of the target."""
    settings = DemoSettings(
        people_per_population=-(-panel.haplotypes // 6),
        length_bp=round(panel.megabases * 1e6),
        recombination_rate=1e-8,
        mutation_rate=1.25e-8,
        min_minor_count=panel.least,
        panel_errors=0,
        panel_switches=0,
        target_people=given.people,
        target_typed=panel.typed,
        target_errors=0,
    )
    made = simulate_chromosome(settings, seed_of(given.seed, "biobank"))
    positions, alleles, members, target = made
    typed = choose_array_sites(members, panel.typed)
    names = [f"p{row}" for row in range(members.shape[1])]
    guests = [f"t{row}" for row in range(given.people)]
    folder.mkdir(parents=True, exist_ok=True)
    write_vcf(folder / "panel.vcf.gz", names, {CHROMOSOME: (positions, alleles, members)})
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
        "frequency": members.mean(axis=(1, 2)),
        "sites": {key: row for row, key in enumerate(keys)},
        "haplotypes": 2 * len(names),
    }


def prepare(folder: Path) -> dict:
    """Make an imputer of the panel, anew."""
    imputer = folder / "imputer"
    shutil.rmtree(imputer, ignore_errors=True)
    command = ["panel", str(folder / "panel.vcf.gz"), "--people", str(folder / "panel.tsv")]
    arguments = ["--chromosomes", CHROMOSOME, "--threads", "1", "--output", str(imputer)]
    _, cpu, peak = measure([*HAPLORAG, *command, *arguments])
    return {"panel": cpu, "panel peak": peak, "disk": count_bytes(imputer)}


def make_plain(imputer: Path) -> Path:
    """A copy of an imputer with one setting and nothing learned: what Minimac4 does."""
    plain = imputer.with_name("plain")
    shutil.rmtree(plain, ignore_errors=True)
    shutil.copytree(imputer, plain)
    facts = read_facts(imputer / "imputer.json", "imputer")
    del facts["format"]
    facts["li_stephens"]["settings"] = [{"switching": 1.0, "mismatch": 1.0}]
    facts["li_stephens"]["mixture"] |= {"people": 0, "evident": 0}
    write_facts(plain / "imputer.json", "imputer", facts)
    return plain


def impute(imputer: Path, folder: Path) -> dict:
    """Impute with haplorag."""
    output = folder / f"{imputer.name}.imputed.vcf.gz"
    command = ["impute", str(folder / "target.vcf.gz"), "--imputer", str(imputer)]
    _, cpu, peak = measure([*HAPLORAG, *command, "--threads", "1", "--output", str(output)])
    return {"impute": cpu, "peak": peak, "output": output}


def run_minimac(folder: Path) -> dict:
    """Impute with Minimac4, its panel prepared beforehand."""
    panel, output = folder / "panel.msav", folder / "minimac4.vcf.gz"
    prepare = ["minimac4", "--compress-reference", str(folder / "panel.vcf.gz"), "-o", str(panel)]
    _, prepared, highest = measure(prepare)
    target = [str(panel), str(folder / "target.vcf.gz"), "-o", str(output)]
    _, cpu, peak = measure(["minimac4", "-t", "1", "-f", "GT,HDS,DS", *target])
    disk = count_bytes(panel)
    costs = {"panel": prepared, "panel peak": highest, "impute": cpu, "peak": peak}
    return {**costs, "disk": disk, "output": output}


def run_beagle(folder: Path) -> dict:
    """Impute with Beagle, which reads the panel each time."""
    output = folder / "beagle"
    words = {"ref": folder / "panel.vcf.gz", "gt": folder / "target.vcf.gz", "out": output}
    arguments = [f"{name}={value}" for name, value in words.items()]
    _, cpu, peak = measure(["beagle", *arguments, "nthreads=1", "ap=true"])
    disk = count_bytes(folder / "panel.vcf.gz")
    made = output.with_name("beagle.vcf.gz")
    costs = {"panel": 0.0, "panel peak": 0, "impute": cpu, "peak": peak}
    return {**costs, "disk": disk, "output": made}


def score(output: Path, truth: dict, weights: np.ndarray) -> np.ndarray:
    """Mean dosage r2 by MAF bin at hidden sites, float64 [draw, bin]; weights [draw, person] say
    how often each person counts.
    """
    hidden = truth["hidden"]
    found = np.zeros(truth["alleles"].shape)
    found[:] = truth["frequency"][:, None]
    read_imputed(output, CHROMOSOME, truth["sites"], truth["people"], found)
    dosage, alleles = (both.sum(axis=2)[:, hidden] for both in (found, truth["alleles"]))
    return average_r2(dosage, alleles, find_bins(truth["frequency"][hidden]), weights)


def find_leads(rows: dict[str, dict]) -> dict[str, np.ndarray]:
    """Lead of each of ours over the better peer, float64 [3, bin]: the difference of mean r2, and
    the ends of its interval.
    """
    peers = [rows[peer]["r2"] for peer in PEERS]
    return {tool: find_lead(row["r2"], peers) for tool, row in rows.items() if tool not in PEERS}


def show(panel: Panel, truth: dict, rows: dict[str, dict]) -> None:
    """Print the table."""
    hidden = truth["hidden"]
    print(
        f"{truth['haplotypes']:,} haplotypes, {panel.megabases:g} Mb, {len(hidden):,} sites, "
        f"{(~hidden).sum():,} typed, {len(truth['people'])} people"
    )
    heads = f"{'tool':10}{'panel s':>9}{'peak MB':>9}{'impute s':>10}{'peak MB':>9}{'disk MB':>9}"
    print(f"{heads}  r2 at {' '.join(name_bins())}")
    for tool, row in rows.items():
        scores = " ".join(f"{value:.4f}" for value in row["r2"][0])
        print(
            f"{tool:10}{row['panel']:9.1f}{row['panel peak'] / 1e6:9.0f}{row['impute']:10.1f}"
            f"{row['peak'] / 1e6:9.0f}{row['disk'] / 1e6:9.1f}  {scores}",
            flush=True,
        )


def show_leads(leads: dict[str, np.ndarray]) -> None:
    """Print the table of differences."""
    print("r2 above the best peer's, and the 95 % interval over people, in units of 0.0001")
    print(f"{'tool':10}" + "".join(f"{name:>24}" for name in name_bins()))
    for tool, lead in leads.items():
        cells = (f"{value:z.1f} ({low:z.1f} to {high:z.1f})" for value, low, high in 1e4 * lead.T)
        print(f"{tool:10}" + "".join(f"{cell:>24}" for cell in cells), flush=True)


def judge_all(panel: Panel, rows: dict[str, dict], lead: np.ndarray) -> bool:
    """Print the goals, with the lead of the mixture; whether all are met."""
    plain, mixture, minimac, beagle = rows.values()
    # In a small panel the rarest bin has no site.
    worst, _, highest = np.nanmin(lead, axis=1)
    goals = [
        ("least r2 above the best peer's, mixture", worst, "at least", 0.0),
        ("least upper end of its intervals, mixture", highest, "at least", 0.0),
        ("plain beside Minimac4", plain["impute"] / minimac["impute"], "at most", panel.plain),
        ("mixture beside Beagle", mixture["impute"] / beagle["impute"], "at most", panel.mixture),
        ("panel beside Minimac4's", plain["panel"] / minimac["panel"], "at most", panel.prepared),
        ("peak memory of imputing, MB", mixture["peak"] / 1e6, "below", 1000),
        ("panel on disk beside Minimac4's", plain["disk"] / minimac["disk"], "at most", 2),
    ]
    met = [judge(name, figure, words, bound) for name, figure, words, bound in goals]
    return all(met)


if __name__ == "__main__":
    main()
