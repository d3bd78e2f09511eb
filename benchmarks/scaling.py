"""How do time, memory and disk of each stage grow with sites, people, neighbours and the size of a
window?

    PYTHONPATH=workflow python benchmarks/scaling.py
    PYTHONPATH=workflow python benchmarks/scaling.py --vcf FILE

where FILE has 16,000 sites and 2,000 people or more; without it they are simulated.

Runs every stage at four sizes, each in a process of its own and on one thread, and fits exponents
by least squares of the logarithms, with their standard errors. Time is the least CPU time of some
runs; memory is what a stage takes beyond the loaded program. Ten to fifteen minutes. Exits 1 where
a goal is missed.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from goals import fit_slope, judge
from haplorag.settings import DemoSettings
from haplorag.steps.demo import demo
from stages import SEED, take

os.environ["OMP_NUM_THREADS"] = "1"  # before libraries read it


SITES, FEW_PEOPLE = (2000, 4000, 8000, 16000), 250
PEOPLE, FEW_SITES = (250, 500, 1000, 2000), 2000
REFERENCE = (225, 450, 900, 1800)  # of the most people; the others stay in the store
COUNTS = (16, 32, 64, 128)
CORES = (64, 128, 256, 512)
TARGETS = (4, 8, 16, 32)
BY_WINDOW = "sites of a window"  # a figure of a haplotype in a window, not of all of them
KINDS = {"time": "cpu", "memory": "memory", "disk": "disk"}
DEMO = {
    "recombination_rate": 1e-8,
    "mutation_rate": 1.25e-8,
    "min_minor_count": 1,
    "panel_errors": 0,
    "panel_switches": 0,
    "target_people": 1,
    "target_typed": 0.1,
    "target_errors": 0,
}
MANY_SITES = {**DEMO, "people_per_population": 84, "length_bp": 3_800_000}
MANY_PEOPLE = {**DEMO, "people_per_population": 667, "length_bp": 300_000}
OVERLAY = {
    "genotypes": {"min_minor_count": 0},
    "masks": {"training": {"mixture": {"array": None, "af_guided": None, "random_90": None}}},
    "models": ["copying"],
}
# Where sites are few, what lies beside a window ends with the chromosome: a short reach keeps that
# from looking like growth.
SHORT_REACH = {"neighbours": {"reach_typed": 100}, "network": {"copying": {"panel_typed": 100}}}


def main() -> None:
    """Measure, print a table for each stage and size, and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vcf", type=Path, help="a phased VCF in place of the simulated ones")
    given = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure_all(Path(scratch), given.vcf)
    exponents = {case: show(*case, sizes) for case, sizes in found.items()}
    print(f"{time.perf_counter() - started:.0f} s in all\n")
    # What the code says of itself: a VCF is streamed, every window is on its own, a search looks at
    # every haplotype once, groups of equal haplotypes are followed as one, a training step does not
    # know how large the panel is.
    goals = [
        ("genotypes", "sites", "time", "below", 1.1),
        ("genotypes", "sites", "memory", "below", 0.1),
        ("genotypes", "people", "time", "below", 1.1),
        ("genotypes", "people", "memory", "below", 1.1),
        ("shards", "sites", "memory", "below", 0.1),
        ("shards", "haplotypes", "disk", "below", 1.05),
        ("masks", "sites", "time", "below", 1.1),
        ("neighbours", "sites", "time", "below", 1.1),
        ("neighbours", "haplotypes", "time", "below", 1.1),
        ("neighbours", "K", "time", "below", 1),
        ("tracing", "sites", "time", "below", 1.1),
        ("tracing", BY_WINDOW, "time", "below", 1.1),
        ("tracing", "haplotypes", "time", "below", 1),
        ("training step", "haplotypes", "time", "below", 0.1),
        ("training step", "K", "time", "below", 1.1),
        ("li_stephens", "sites", "time", "below", 1.1),
        ("li_stephens", "haplotypes", "time", "below", 1),
        ("network", "people", "time", "below", 1.1),
    ]
    met = [
        judge(f"{stage}, exponent of {kind} in {size}", exponents[stage, size][kind], words, bound)
        for stage, size, kind, words, bound in goals
    ]
    sys.exit(0 if all(met) else 1)


class Figures(dict):
    """Figures by (stage, name of the size) and size."""

    def note(self, folder: Path, size: str, value: int, *stages: str) -> None:
        """Measure stages in a folder."""
        for stage in stages:
            figures = self.setdefault((stage, size), {})[value] = call(stage, folder)
            print(f"{stage}, {value} {size}: {figures['cpu']:.2f} s", file=sys.stderr)


def measure_all(scratch: Path, vcf: Path | None) -> Figures:
    """Measure all stages by all sizes."""
    found = Figures()
    long, wide = (
        (vcf, vcf)
        if vcf
        else (simulate(scratch / "long", MANY_SITES), simulate(scratch / "wide", MANY_PEOPLE))
    )
    measure_by_sites(found, scratch, long)
    measure_by_count(found, scratch / f"sites_{SITES[1]}")
    measure_by_core(found, scratch / f"sites_{SITES[1]}")
    measure_by_people(found, scratch, wide)
    measure_by_haplotypes(found, scratch / f"people_{PEOPLE[-1]}")
    measure_by_targets(found, scratch / f"reference_{REFERENCE[-1]}")
    return found


def measure_by_sites(found: Figures, scratch: Path, vcf: Path) -> None:
    """The first sites of a VCF."""
    for sites in SITES:
        folder = lay_out(
            scratch / f"sites_{sites}",
            {"source": str(vcf), "sites": sites, "people": FEW_PEOPLE},
            SHORT_REACH,
        )
        prepare(folder, "cut", "samples")
        found.note(folder, "sites", sites, "genotypes")
        prepare(folder, "frequencies", "windows")
        found.note(folder, "sites", sites, "shards", "masks", "rates", "neighbours", "tracing")
        prepare(folder, "imputer", "panel imputer")
        found.note(folder, "sites", sites, "li_stephens", "network")


def measure_by_count(found: Figures, panel: Path) -> None:
    """More or fewer neighbours of the same panel, searched and read."""
    shared = ("samples", "genotypes", "frequencies", "windows", "shards", "masks", "rates")
    for count in COUNTS:
        settings = {"neighbours": {"count": count}, "network": {"copying": {"neighbours": count}}}
        folder = derive(panel, f"count_{count}", shared, {}, settings)
        found.note(folder, "K", count, "neighbours", "training step")
        prepare(folder, "imputer")
        found.note(folder, "K", count, "network")


def measure_by_core(found: Figures, panel: Path) -> None:
    """Longer or shorter windows of the same panel, and what is seen beside them in proportion."""
    for core in CORES:
        settings = {
            "windows": {"core_sites": core, "flank_sites": 8 * core},
            "neighbours": {"reach_typed": core},
        }
        settings["network"] = {"copying": {"panel_typed": core, "flank_typed": core}}
        folder = derive(
            panel, f"core_{core}", ("samples", "genotypes", "frequencies"), {}, settings
        )
        prepare(folder, "windows", "shards", "masks", "rates")
        found.note(folder, BY_WINDOW, core, "neighbours", "tracing", "training step")


def measure_by_people(found: Figures, scratch: Path, vcf: Path) -> None:
    """Some of the people of a VCF."""
    for people in PEOPLE:
        folder = lay_out(
            scratch / f"people_{people}", {"source": str(vcf), "sites": FEW_SITES, "people": people}
        )
        prepare(folder, "cut", "samples")
        found.note(folder, "people", people, "genotypes")


def measure_by_haplotypes(found: Figures, panel: Path) -> None:
    """Some of the people of a panel as the reference."""
    for reference in REFERENCE:
        folder = derive(panel, f"reference_{reference}", ("vcf",), {"reference": reference})
        prepare(folder, "samples", "genotypes", "frequencies", "windows", "masks")
        found.note(
            folder,
            "haplotypes",
            2 * reference,
            "shards",
            "rates",
            "neighbours",
            "tracing",
            "training step",
        )
        prepare(folder, "imputer", "panel imputer")
        found.note(folder, "haplotypes", 2 * reference, "li_stephens", "network")


def measure_by_targets(found: Figures, panel: Path) -> None:
    """More or fewer people to impute."""
    for people in TARGETS:
        folder = derive(
            panel, f"target_{people}", ("imputer", "samples", "genotypes"), {"target": people}
        )
        found.note(folder, "people", people, "li_stephens", "network")


def prepare(folder: Path, *stages: str) -> None:
    """Run stages that are not measured here."""
    for stage in stages:
        call(stage, folder)


def lay_out(folder: Path, case: dict, settings: dict | None = None) -> Path:
    """A folder for one size, with what is wanted of it and its overlay of the configuration."""
    folder.mkdir()
    (folder / "case.json").write_text(json.dumps(case))
    (folder / "overlay.yaml").write_text(json.dumps({**OVERLAY, **(settings or {})}))
    return folder


def derive(
    source: Path, name: str, shared: tuple[str, ...], case: dict, settings: dict | None = None
) -> Path:
    """A folder that shares some artifacts with another."""
    case = {**json.loads((source / "case.json").read_text()), **case}
    folder = lay_out(source.with_name(name), case, settings)
    for artifact in shared:
        shutil.copytree(source / artifact, folder / artifact, copy_function=os.link)
    return folder


def simulate(folder: Path, settings: dict) -> Path:
    """The simulated panel's VCF."""
    vcf, others = (
        folder / "1.vcf.gz",
        [folder / name for name in ("panel.tsv", "target.vcf.gz", "truth.vcf.gz")],
    )
    demo(*others, vcf=[vcf], chromosomes=["1"], settings=DemoSettings(**settings), seed=SEED)
    return vcf


def call(stage: str, folder: Path) -> dict:
    """Run a stage in a process of its own and give its figures."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(take, (stage, folder))


def show(stage: str, size: str, found: dict[int, dict]) -> dict[str, float]:
    """Print a stage's table and give its exponents of time, memory and disk."""
    unit = next(iter(found.values()))["unit"]
    print(
        f"{stage} by {size}\n{size:>18}{'CPU s':>10}{'memory MB':>11}{'disk MB':>10}    CPU us "
        f"and bytes a {unit}"
    )
    for value, row in found.items():
        each = f"{row['cpu'] / row['units'] * 1e6:14.4g}{row['disk'] / row['units']:11.4g}"
        print(
            f"{value:18,}{row['cpu']:10.3f}{row['memory'] / 1e6:11.1f}"
            f"{row['disk'] / 1e6:10.3f}{each}"
        )
    exponents, words = {}, []
    for kind, key in KINDS.items():
        if all(row[key] > 0 for row in found.values()):
            each = [
                row[key] / (row["units"] if kind != "memory" and size == BY_WINDOW else 1)
                for row in found.values()
            ]
            exponents[kind], error = fit_slope(np.log(list(found)), np.log(each))
            words.append(f"{kind} {exponents[kind]:.2f} +- {error:.2f}")
    print(f"   exponents: {', '.join(words)}\n", flush=True)
    return exponents


if __name__ == "__main__":
    main()
