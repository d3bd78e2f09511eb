"""How does the cost of following a haplotype grow with the panel?

    PYTHONPATH=workflow python benchmarks/growth.py

Simulates one large panel (out-of-Africa history, no errors) and takes smaller ones from it, each
within the next, at the same typed sites. For each, CPU seconds on one thread: of cutting the panel
into blocks, once; of the passes over the panel, a haplotype; and of all that a further haplotype
costs but reading and writing, which is the passes and the weighing of the settings. Of several
runs the quickest counts.

The exponent of a cost in the panel's size is the slope of a line through the logarithms, with its
standard error. The passes are said to be exact: at the smallest size the r2 of some haplotypes is
set beside that of the plain model, which follows single haplotypes in float64. `--quick` takes
small panels. Exits 1 where a goal is missed.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import yaml

from accuracy import average_r2, find_bins, name_bins
from goals import ROOT, fit_slope, judge
from haplorag.imputation.mixing import learn_mixture
from haplorag.li_stephens.carriers import find_carriers
from haplorag.li_stephens.estimation import estimate_model
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.mixture import Mixture
from haplorag.li_stephens.model import answer
from haplorag.li_stephens.parameters import CopyingModel, chance_of_mismatch
from haplorag.li_stephens.passes import CorePasses, OpenedPanel
from haplorag.li_stephens.reference import weigh_haplotypes
from haplorag.li_stephens.segments import Segment, cut_segments
from haplorag.panel.ploidy import assume_diploid
from haplorag.panel.simulation import choose_array_sites, simulate_chromosome
from haplorag.seeding import seed_of
from haplorag.settings import DemoSettings, LiStephensSettings

SIZES, QUICK = (5_008, 20_000, 50_000, 100_000, 200_000), (1_000, 2_000, 4_000)
SEED, RUNS = 1, 3
# Haplotypes that the plain model follows at the smallest size.
PLAINLY = 20


class PackedPanel:
    """Haplotypes of a panel in memory, packed as shards are, and read as a `ShardSet` is."""

    def __init__(self, packed: np.ndarray, sites: int) -> None:
        self.packed, self.sites = packed, sites
        self.ploidy = assume_diploid(len(packed) // 2)

    def iterate_packed(self, sites: np.ndarray) -> Any:
        """Packed haplotypes uint8 [2n, bytes], and the columns of sorted sites."""
        yield self.packed, sites

    def of_people(self, sites: np.ndarray, people: np.ndarray) -> np.ndarray:
        """Haplotypes of some people at sorted sites, int8 [2n, S]."""
        rows = np.stack([2 * people, 2 * people + 1], axis=1).ravel()
        alleles = np.unpackbits(self.packed[rows], axis=1, count=self.sites)
        return alleles[:, sites].astype(np.int8)

    def take(self, haplotypes: int) -> "PackedPanel":
        """The same with so many haplotypes, drawn person by person; a smaller draw lies within a
        larger.
        """
        order = np.random.default_rng(SEED).permutation(len(self.packed) // 2)[: haplotypes // 2]
        rows = np.sort(np.stack([2 * order, 2 * order + 1], axis=1).ravel())
        return PackedPanel(self.packed[rows], self.sites)


class Simulated(NamedTuple):
    """A panel, haplotypes int8 [Q, S] that are not in it, which sites are typed, genetic positions,
    and frequencies in the whole panel."""

    panel: PackedPanel
    people: np.ndarray
    typed: np.ndarray
    centimorgan: np.ndarray
    frequency: np.ndarray


class Opened(NamedTuple):
    """A panel that is ready for haplotypes at its core sites int [L]; how they copy, and how the
    settings are weighed."""

    panel: OpenedPanel
    core: np.ndarray
    queries: Queries
    model: CopyingModel
    mixture: Mixture | None


def main() -> None:
    """Measure, print the table and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small panels")
    parser.add_argument("--sizes", type=int, nargs="*", help="of the panel, in haplotypes")
    parser.add_argument("--megabases", type=float, default=0.5)
    parser.add_argument("--people", type=int, default=50, help="to impute")
    given = parser.parse_args()
    sizes = sorted(given.sizes or (QUICK if given.quick else SIZES))
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())["li_stephens"]
    settings = LiStephensSettings.model_validate(config)
    made = simulate(sizes[-1], given.megabases, given.people)
    print(
        f"{given.megabases:g} Mb, {len(made.people)} haplotypes, {len(made.typed)} typed sites, "
        f"{len(settings.settings)} settings; CPU s of cutting, CPU ms a haplotype\n"
        f"{'haplotypes':>10}{'sites':>8}{'blocks':>8}{'groups':>8}{'strands':>9}{'cutting':>9}"
        f"{'passes':>8}{'in all':>8}  mean r2 at {' '.join(name_bins())}",
        flush=True,
    )
    rows = [measure_size(made, size, settings) for size in sizes]
    slopes = [fit_slope(np.log(sizes), np.log(costs)) for costs in zip(*rows, strict=True)]
    names = "the passes", "a further haplotype in all", "cutting"
    for name, (slope, error) in zip(names, slopes, strict=True):
        print(f"exponent of {name}: {slope:.2f} +- {error:.2f}")
    met = [
        judge(f"exponent of {name}", slope, "at most", 0.4)
        for name, (slope, _) in zip(names[:2], slopes[:2], strict=True)
    ]
    worst = compare_with_plain(made, sizes[0], settings)
    met.append(judge("r2 beside the plain model's, worst bin", worst, "at most", 0.0005))
    sys.exit(0 if all(met) else 1)


def simulate(haplotypes: int, megabases: float, people: int) -> Simulated:
    """A panel of so many haplotypes, some of whose common sites are typed."""
    settings = DemoSettings(
        people_per_population=-(-haplotypes // 6),
        length_bp=round(megabases * 1e6),
        recombination_rate=1e-8,
        mutation_rate=1.25e-8,
        min_minor_count=max(2, haplotypes // 10_000),
        panel_errors=0,
        panel_switches=0,
        target_people=people,
        target_typed=0.0225,
        target_errors=0,
    )
    positions, _, members, target = simulate_chromosome(settings, seed_of(SEED, "growth"))
    typed = choose_array_sites(members, settings.target_typed)
    alleles = members.reshape(len(positions), -1)
    packed = np.zeros((alleles.shape[1], -(-len(alleles) // 8)), dtype=np.uint8)
    for byte in range(packed.shape[1]):
        packed[:, byte] = np.packbits(alleles[8 * byte : 8 * byte + 8], axis=0)[0]
    followed = np.ascontiguousarray(target.reshape(len(positions), -1).T)
    frequency = alleles.mean(axis=1)
    return Simulated(
        PackedPanel(packed, len(positions)), followed, typed, positions * 1e-6, frequency
    )


def measure_size(
    made: Simulated, size: int, settings: LiStephensSettings
) -> tuple[float, float, float]:
    """Print the row of one size; CPU seconds of the passes and of everything, for a haplotype, and
    of cutting.
    """
    panel = made.panel.take(size)
    opened = open_panel(made, panel, settings)
    evident = settings.mixture.evident
    cutting, segments = clock(lambda: cut(panel, made, opened))
    passes, _ = clock(lambda: list(opened.panel.trace(opened.queries, evident)))
    whole, said = clock(lambda: ask(opened, evident))
    scores = score(said, made, opened.core)
    sizes = [segment.blocks.measure() for segment in segments]
    blocks, spans = sum(each.blocks for each in sizes), sum(each.spans for each in sizes)
    groups, strands = sum(each.groups for each in sizes), sum(each.strands for each in sizes)
    costs = passes / len(made.people), whole / len(made.people)
    print(
        f"{size:10,}{len(opened.core) + len(made.typed):8,}{blocks:8}{groups / blocks:8,.0f}"
        f"{strands / spans:9,.0f}{cutting:9.2f}{1e3 * costs[0]:8.2f}{1e3 * costs[1]:8.2f}  "
        + " ".join(f"{value:.4f}" for value in scores),
        flush=True,
    )
    return *costs, cutting


def open_panel(made: Simulated, panel: PackedPanel, settings: LiStephensSettings) -> Opened:
    """Make a panel ready, with rates and weights of the settings that are learned from it."""
    passes, seed, haplotypes = CorePasses(threads=1), SEED, len(panel.packed)
    carriers = find_carriers(panel, np.arange(panel.sites), haplotypes)
    varies = np.diff(carriers.start) > 0
    varies[made.typed] = False
    core = np.flatnonzero(varies)
    model = estimate_model(
        panel, made.typed, made.centimorgan, settings, seed, passes.expect_events
    )
    # All settings are followed at every size, also where one alone would be.
    _, mixture = learn_mixture(
        panel, made.typed, made.centimorgan, model, settings.mixture, seed, passes
    )
    queries = Queries(
        np.ascontiguousarray(made.people[:, made.typed]), np.full(len(made.people), -1)
    )
    opened = passes.open_panel(panel, made.typed, core, slice(0, len(core)), model)
    return Opened(opened, core, queries, model, mixture)


def cut(panel: PackedPanel, made: Simulated, opened: Opened) -> list[Segment]:
    """Cut a panel anew. The last few are kept in memory by the panel, so that this is another."""
    again = PackedPanel(panel.packed, panel.sites)
    return cut_segments(again, made.typed, opened.core, opened.model.distance).segments


def ask(opened: Opened, evident: int) -> np.ndarray:
    """Probability of ALT float32 [Q, L]."""
    traced = opened.panel.trace(opened.queries, evident)
    haplotypes = len(opened.queries.alleles)
    return answer(traced, opened.panel.sites, haplotypes, opened.mixture, threads=1)


def clock(do: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of the quickest of several runs, and what it gives."""
    runs = []
    for _ in range(RUNS):
        started = time.process_time()
        made = do()
        runs.append(time.process_time() - started)
    return min(runs), made


def score(said: np.ndarray, made: Simulated, core: np.ndarray) -> np.ndarray:
    """Mean dosage r2 by MAF bin, of the first haplotypes: float64 [bin]."""
    both = len(said) // 2, 2, len(core)
    truth = made.people[: len(said), core].reshape(both).sum(axis=1)
    dosage, everybody = said.reshape(both).sum(axis=1), np.ones((1, len(truth)))
    return average_r2(dosage, truth, find_bins(made.frequency[core]), everybody)[0]


def compare_with_plain(made: Simulated, size: int, settings: LiStephensSettings) -> float:
    """How far mean r2 of some haplotypes is from that of the plain model, in the worst MAF bin.

    The plain model follows single haplotypes in float64, under the first setting.
    """
    plain = settings.model_copy(
        update={
            "settings": settings.settings[:1],
            "mixture": settings.mixture.model_copy(update={"people": 0, "evident": 0}),
        }
    )
    panel = made.panel.take(size)
    opened, typed = open_panel(made, panel, plain), made.typed
    alleles = np.unpackbits(panel.packed, axis=1, count=panel.sites)
    known, carried = alleles[None][..., typed], alleles.T[opened.core]
    distance = opened.model.distance * plain.settings[0].switching
    mismatch = chance_of_mismatch(opened.model.mismatch[typed], plain.settings[0])
    expected = []
    for row in range(PLAINLY):
        haplotype = opened.queries.alleles[row : row + 1]
        [weights] = weigh_haplotypes(
            haplotype, known, distance[typed], distance[opened.core], mismatch
        )
        expected.append((weights * carried).sum(axis=1))
    found = ask(opened, -1)[:PLAINLY]
    scores = [score(said, made, opened.core) for said in (found, np.array(expected))]
    return float(np.nanmax(np.abs(scores[0] - scores[1])))


if __name__ == "__main__":
    main()
