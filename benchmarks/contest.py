"""People are imputed from a panel by haplorag, Beagle and Minimac4, on one thread each."""

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from accuracy import average_r2, find_bins, find_lead, name_bins
from goals import count_bytes, measure
from haplorag.evaluation.bootstrap import resample_people
from haplorag.io.metadata import read_facts, write_facts
from haplorag.vcf.dosages import read_imputed
from haplorag.vcf.writer import write_vcf

RESAMPLINGS = 200
PEERS = "Minimac4", "Beagle"
HAPLORAG = [sys.executable, "-m", "haplorag.commands.main"]


class Case(NamedTuple):
    """A folder with `panel.vcf.gz`, `panel.tsv` and `target.vcf.gz` of a chromosome; and its
    genetic map in PLINK form, or None for 1 cM a Mb."""

    folder: Path
    chromosome: str
    map: Path | None = None


class Region(NamedTuple):
    """Sites of a chromosome: positions int64 [S], REF and ALT [S, 2], haplotypes 0/1 [S, person, 2]
    of the panel and of the people to impute, and which rows are typed, int [T]."""

    positions: np.ndarray
    alleles: np.ndarray
    members: np.ndarray
    target: np.ndarray
    typed: np.ndarray


def check_peers() -> None:
    """Exit with 2 where another tool is lacking."""
    for tool in ("beagle", "minimac4"):
        if not shutil.which(tool):
            print(f"{tool} is not installed; on Debian: apt-get install {tool}", file=sys.stderr)
            sys.exit(2)


def run_apart(do: Callable[..., Any], *arguments: object) -> Any:
    """Call a function in a process of its own: the peak memory of a command that is measured starts
    at that of the process that starts it, and this one is to stay small.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(do, *arguments).result()


def write_case(case: Case, region: Region) -> dict:
    """Write panel, people and target; gives what was hidden of the target."""
    positions, alleles, members, target, typed = region
    names = [f"p{row}" for row in range(members.shape[1])]
    guests = [f"t{row}" for row in range(target.shape[1])]
    folder = case.folder
    folder.mkdir(parents=True, exist_ok=True)
    write_vcf(folder / "panel.vcf.gz", names, {case.chromosome: (positions, alleles, members)})
    known = positions[typed], alleles[typed], target[typed]
    write_vcf(folder / "target.vcf.gz", guests, {case.chromosome: known})
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


def hold_contest(
    case: Case, truth: dict, seed: int, what: str
) -> tuple[dict[str, dict], dict[str, np.ndarray]]:
    """Run all tools on a case and print the tables; gives their rows, and the leads of ours."""
    rows = run_all(case, truth, seed)
    leads = find_leads(rows)
    show_rows(what, truth, rows)
    show_leads(leads)
    return rows, leads


def run_all(case: Case, truth: dict, seed: int) -> dict[str, dict]:
    """Costs of each tool, and its mean r2 [1 + draw, bin], of everybody and of people resampled."""
    imputer, folder = case.folder / "imputer", case.folder
    prepared = prepare(case)
    rows = {
        "plain": impute(make_plain(imputer), folder) | prepared,
        "mixture": impute(imputer, folder) | prepared,
        "Minimac4": run_minimac(case),
        "Beagle": run_beagle(case),
    }
    weights = resample_people(len(truth["people"]), RESAMPLINGS, seed)
    for row in rows.values():
        row["r2"] = score(row.pop("output"), case.chromosome, truth, weights)
    return rows


def prepare(case: Case) -> dict:
    """Make an imputer of the panel, anew."""
    folder = case.folder
    imputer = folder / "imputer"
    shutil.rmtree(imputer, ignore_errors=True)
    command = ["panel", str(folder / "panel.vcf.gz"), "--people", str(folder / "panel.tsv")]
    arguments = ["--chromosomes", case.chromosome, "--threads", "1", "--output", str(imputer)]
    by_map = ["--map", str(case.map)] if case.map else []
    _, cpu, peak = measure([*HAPLORAG, *command, *arguments, *by_map])
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


def run_minimac(case: Case) -> dict:
    """Impute with Minimac4, its panel prepared beforehand."""
    folder = case.folder
    panel, output = folder / "panel.msav", folder / "minimac4.vcf.gz"
    prepare = ["minimac4", "--compress-reference", str(folder / "panel.vcf.gz"), "-o", str(panel)]
    _, prepared, highest = measure(prepare)
    target = [str(panel), str(folder / "target.vcf.gz"), "-o", str(output)]
    by_map = ["--map", str(case.map)] if case.map else []
    _, cpu, peak = measure(["minimac4", "-t", "1", "-f", "GT,HDS,DS", *by_map, *target])
    disk = count_bytes(panel)
    costs = {"panel": prepared, "panel peak": highest, "impute": cpu, "peak": peak}
    return {**costs, "disk": disk, "output": output}


def run_beagle(case: Case) -> dict:
    """Impute with Beagle, which reads the panel each time."""
    folder = case.folder
    output = folder / "beagle"
    words = {"ref": folder / "panel.vcf.gz", "gt": folder / "target.vcf.gz", "out": output}
    words |= {"map": case.map} if case.map else {}
    arguments = [f"{name}={value}" for name, value in words.items()]
    _, cpu, peak = measure(["beagle", *arguments, "nthreads=1", "ap=true"])
    disk = count_bytes(folder / "panel.vcf.gz")
    made = output.with_name("beagle.vcf.gz")
    costs = {"panel": 0.0, "panel peak": 0, "impute": cpu, "peak": peak}
    return {**costs, "disk": disk, "output": made}


def score(output: Path, chromosome: str, truth: dict, weights: np.ndarray) -> np.ndarray:
    """Mean dosage r2 by MAF bin at hidden sites, float64 [draw, bin]; weights [draw, person] say
    how often each person counts.
    """
    hidden = truth["hidden"]
    found = np.zeros(truth["alleles"].shape)
    found[:] = truth["frequency"][:, None]
    read_imputed(output, chromosome, truth["sites"], truth["people"], found)
    dosage, alleles = (both.sum(axis=2)[:, hidden] for both in (found, truth["alleles"]))
    return average_r2(dosage, alleles, find_bins(truth["frequency"][hidden]), weights)


def find_leads(rows: dict[str, dict]) -> dict[str, np.ndarray]:
    """Lead of each of ours over the better peer, float64 [3, bin]: the difference of mean r2, and
    the ends of its interval.
    """
    peers = [rows[peer]["r2"] for peer in PEERS]
    return {tool: find_lead(row["r2"], peers) for tool, row in rows.items() if tool not in PEERS}


def show_rows(what: str, truth: dict, rows: dict[str, dict]) -> None:
    """Print what it is of, and the table of costs and of mean r2."""
    hidden = truth["hidden"]
    print(
        f"{truth['haplotypes']:,} haplotypes, {what}, {len(hidden):,} sites, "
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
