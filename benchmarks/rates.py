"""Does one rate of switching, counted per cM, serve panels of every size?

    snakemake --configfile config/kgp.yaml --config data=FOLDER -- \
      results/kgp/shards/20 results/kgp/masks/test/array/20.h5
    PYTHONPATH=workflow python benchmarks/rates.py --results results/kgp --chromosome 20

Imputes people from panels of several sizes, each under several rates of switching: those of a run's
role `validation` from parts of its reference, at the sites that a test mask leaves typed, and
simulated people from parts of a simulated panel (out-of-Africa history, no errors). The rate is
taken as it is (0 rounds of estimation), and as what the estimation starts from (as configured). The
answer is the mean over the configured settings, so that no mixture evens out what a rate does.

A table with the mean dosage r2 by MAF bin, at sites where the part of the panel varies. The goal
is that no other rate is better than the configured one beyond what is called noise here: the lower
end of the 95 % interval of the difference, both judged in the same resampled people, is at most
0.002 in every bin. Among the rates is the earlier rule, 12,000 a cM over the panel's size. Exits 1
where a goal is missed.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from accuracy import average_r2
from goals import ROOT, judge
from haplorag.errors import InputError
from haplorag.evaluation.bootstrap import find_interval, resample_people
from haplorag.evaluation.metrics import group_by_maf, is_maf_bin
from haplorag.io.hdf5 import opening_arrays, read_arrays
from haplorag.li_stephens.estimation import estimate_model
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.passes import CorePasses
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.ploidy import assume_diploid
from haplorag.panel.samples import find_samples, read_samples
from haplorag.panel.simulation import choose_array_sites, simulate_chromosome
from haplorag.panel.windows import read_windows
from haplorag.seeding import seed_of
from haplorag.settings import DemoSettings, RateSettings

RATES = (1.5, 3.0, 6.0, 12.0, 24.0)
# Switches a cM as they once were, over the number of haplotypes.
ONCE = 12_000
NOISE, RESAMPLINGS, SEED = 0.002, 100, 1


class MemoryPanel:
    """Haplotypes 0/1 uint8 [site, 2n] in memory, read as a `ShardSet` is."""

    def __init__(self, alleles: np.ndarray) -> None:
        self.alleles = alleles
        self.ploidy = assume_diploid(alleles.shape[1] // 2)
        self.packed = np.ascontiguousarray(np.packbits(alleles, axis=0).T)

    def iterate_packed(self, sites: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Packed haplotypes uint8 [2n, bytes], and the columns of sorted sites."""
        yield self.packed, sites

    def of_people(self, sites: np.ndarray, people: np.ndarray) -> np.ndarray:
        """Haplotypes of some people at sorted sites, int8 [2n, S]."""
        columns = np.stack([2 * people, 2 * people + 1], axis=1).ravel()
        return self.alleles[np.ix_(sites, columns)].T.astype(np.int8)


@dataclass(frozen=True)
class Case:
    """A panel 0/1 uint8 [site, 2n], people to impute int8 [2m, site], which sites are typed,
    genetic positions, and MAF bins of the whole panel, bool [bin, site]."""

    name: str
    panel: np.ndarray
    people: np.ndarray
    typed: np.ndarray
    centimorgan: np.ndarray
    bins: np.ndarray

    def take(self, haplotypes: int) -> "Case":
        """The same with so many of the panel's haplotypes, at those sites where they vary.

        They are drawn by the seed, person by person; a smaller draw lies within a larger.
        """
        order = np.random.default_rng(SEED).permutation(self.panel.shape[1] // 2)[: haplotypes // 2]
        part = self.panel[:, np.stack([2 * order, 2 * order + 1], axis=1).ravel()]
        carriers = part.sum(axis=1, dtype=np.int64)
        varies = (carriers > 0) & (carriers < part.shape[1])
        kept = (part[varies], self.people[:, varies], self.typed[varies], self.centimorgan[varies])
        return Case(self.name, *kept, self.bins[:, varies])


def main() -> None:
    """Measure, print the table and the goals."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, help="results folder of a run; without: none")
    parser.add_argument("--chromosome", default="20")
    parser.add_argument("--mask", default="array", help="name of a test mask")
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 400, 1000, 4008])
    parser.add_argument("--simulated", type=int, nargs="*", default=[100, 1000, 6000])
    parser.add_argument("--megabases", type=float, default=1, help="of the simulated panel")
    parser.add_argument(
        "--typed", type=float, default=0.05, help="share of its sites that is typed"
    )
    parser.add_argument("--people", type=int, default=125, help="to impute, at the most")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    told = {key: value for key, value in config["li_stephens"].items() if key != "mixture"}
    configured = RateSettings.model_validate(told)
    met = []
    if given.results:
        try:
            real = read_case(given, config["evaluation"])
        except (InputError, OSError, ValueError) as error:
            parser.error(f"{error}; --results, --chromosome and --mask name a run that is complete")
        met += measure_case(real, given.sizes, configured, given.threads)
    if given.simulated:
        made = simulate_case(given, config["evaluation"])
        met += measure_case(made, given.simulated, configured, given.threads)
    sys.exit(0 if all(met) else 1)


def read_case(given: argparse.Namespace, evaluation: dict) -> Case:
    """The reference of a run, and its validation people."""
    results, chromosome = given.results, given.chromosome
    table = read_samples(results / "samples/samples.tsv")
    drawn = read_arrays(results / f"masks/test/{given.mask}/{chromosome}.h5", "masks")
    typed = ~drawn["hidden"][0]
    sites = np.arange(len(typed))
    with opening_arrays(results / f"genotypes/{chromosome}.h5", "genotypes") as file:
        panel = read_haplotypes(file, sites, find_samples(table, "reference"))
        people = find_samples(table, "validation")[: given.people]
        asked = read_haplotypes(file, sites, people)
    panel = np.ascontiguousarray((panel == 1).T.astype(np.uint8))
    name = f"chromosome {chromosome}, {given.mask}, {len(people)} people"
    centimorgan = read_windows(results / f"windows/{chromosome}.h5").centimorgan
    return Case(name, panel, asked, typed, centimorgan, find_bins(panel, evaluation))


def simulate_case(given: argparse.Namespace, evaluation: dict) -> Case:
    """A simulated panel as large as the largest part, and people of the same populations."""
    settings = DemoSettings(
        people_per_population=-(-max(given.simulated) // 6),
        length_bp=round(given.megabases * 1e6),
        recombination_rate=1e-8,
        mutation_rate=1.25e-8,
        min_minor_count=2,
        panel_errors=0,
        panel_switches=0,
        target_people=given.people,
        target_typed=given.typed,
        target_errors=0,
    )
    positions, _, panel, people = simulate_chromosome(settings, seed_of(SEED, "rates"))
    typed = np.zeros(len(positions), dtype=bool)
    typed[choose_array_sites(panel, given.typed)] = True
    panel = panel.reshape(len(positions), -1).view(np.uint8)
    asked = people.reshape(len(positions), -1).T
    name = f"simulated, {given.megabases:g} Mb, array, {given.people} people"
    return Case(name, panel, asked, typed, positions * 1e-6, find_bins(panel, evaluation))


def find_bins(panel: np.ndarray, evaluation: dict) -> np.ndarray:
    """MAF bins of a panel 0/1 uint8 [site, 2n], bool [bin, site]."""
    labels, members = group_by_maf(
        panel.mean(axis=1), evaluation["maf_bins"], evaluation["rare_maf"]
    )
    return members[[is_maf_bin(label) for label in labels]]


def measure_case(
    whole: Case, sizes: list[int], configured: RateSettings, threads: int
) -> list[bool]:
    """Print the table of a panel and its goals; whether each is met."""
    print(f"\n{whole.name}\n{'haplotypes':>10}{'rounds':>8}{'a cM':>8}  mean r2 by MAF bin")
    goals = []
    for size in sizes:
        case = whole.take(size)
        haplotypes = case.panel.shape[1]
        rates = sorted({*RATES, configured.switches_per_cm, ONCE / haplotypes})
        for rounds in sorted({0, configured.estimation_rounds}):
            found = {}
            for rate in rates:
                changes = {"switches_per_cm": rate, "estimation_rounds": rounds}
                settings = configured.model_copy(update=changes)
                found[rate] = impute_case(case, settings, threads)
                bins = " ".join(f"{value:.4f}" for value in found[rate][0])
                once = "  (the earlier rule)" if rate == ONCE / haplotypes else ""
                print(f"{haplotypes:10,}{rounds:8}{rate:8.3g}  {bins}{once}", flush=True)
            lead, beyond = compare_rates(found, configured.switches_per_cm)
            goals.append((f"{haplotypes:,} haplotypes, {rounds} rounds", lead, beyond))
    print()
    return [
        judge(f"{name}: lead of a better rate beyond its interval (it is {lead:.4f})", beyond,
              "at most", NOISE)
        for name, lead, beyond in goals
    ]  # fmt: skip


def compare_rates(found: dict[float, np.ndarray], ours: float) -> tuple[float, float]:
    """How much better the best other rate is than ours in the worst bin, and the lower end of the
    interval of such a lead; from mean r2 [1 + draw, bin] by rate."""
    differences = [values - found[ours] for rate, values in found.items() if rate != ours]
    leads = [np.nanmax(one[0]) for one in differences]
    return float(max(leads)), float(max(np.nanmax(find_interval(one)[0]) for one in differences))


def impute_case(case: Case, settings: RateSettings, threads: int) -> np.ndarray:
    """Mean dosage r2 by MAF bin at sites that are not typed, float64 [1 + draw, bin]: of all
    people, and of people resampled."""
    panel, passes = MemoryPanel(case.panel), CorePasses(threads)
    typed, core = np.flatnonzero(case.typed), np.flatnonzero(~case.typed)
    model = estimate_model(panel, typed, case.centimorgan, settings, SEED, passes.expect_events)
    opened = passes.open_panel(panel, typed, core, slice(0, len(core)), model)
    queries = Queries(np.ascontiguousarray(case.people[:, typed]), np.full(len(case.people), -1))
    said = np.concatenate([told.alternate.mean(axis=1) for _, told in opened.trace(queries)])
    dosage = said.reshape(-1, 2, len(core)).sum(axis=1)
    truth = case.people[:, core].reshape(-1, 2, len(core)).sum(axis=1)
    weights = resample_people(len(truth), RESAMPLINGS, SEED)
    return average_r2(dosage, truth, case.bins[:, core], weights)


if __name__ == "__main__":
    main()
