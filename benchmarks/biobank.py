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
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from contest import Case, Region, check_peers, hold_contest, run_apart, write_case
from goals import judge
from haplorag.panel.simulation import choose_array_sites, simulate_chromosome
from haplorag.seeding import seed_of
from haplorag.settings import DemoSettings


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
    check_peers()
    sizes = QUICK if given.quick else PANELS
    met = []
    for name in [given.panel] if given.panel else PANELS:
        with tempfile.TemporaryDirectory() as scratch:
            folder = (given.folder or Path(scratch)) / name
            met.append(run_apart(compare, sizes[name], given, folder))
    sys.exit(0 if all(met) else 1)


def compare(panel: Panel, given: argparse.Namespace, folder: Path) -> bool:
    """Measure all tools with one panel; whether its goals are met."""
    case = Case(folder, chromosome="1")
    truth = run_apart(simulate, panel, given, case)
    seed, what = seed_of(given.seed, "resampling"), f"{panel.megabases:g} Mb"
    rows, leads = hold_contest(case, truth, seed, what)
    return judge_all(panel, rows, leads["mixture"])


def simulate(panel: Panel, given: argparse.Namespace, case: Case) -> dict:
    """Write a case; gives what was hidden of the target."""
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
    return write_case(case, Region(*made, choose_array_sites(made[2], panel.typed)))


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
