"""Is imputing from a small panel better than with Beagle and Minimac4 too?

    PYTHONPATH=workflow python benchmarks/sizes.py --vcf PANEL.vcf.gz --chromosome 20 --map MAP

Of a phased panel of real people 100 are left out and their common sites kept, as on an array; they
are imputed from parts of the others, of several sizes, with haplorag as it comes and with one
setting and nothing learned, with Beagle and with Minimac4, on one thread. Mean r2 by MAF bin in the
part, at sites where it has the rarer allele twice at the least, and how much higher than the best
peer's, with its interval, both judged in the same resampled people. The goal, at each size, is that
no difference is below 0. Exits 1 where a goal is missed, 2 where something is lacking.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from cyvcf2 import VCF

from contest import Case, Region, check_peers, hold_contest, run_apart, write_case
from goals import judge
from haplorag.panel.simulation import choose_array_sites
from haplorag.seeding import seed_of

# The rarer allele is there so often in a part of the panel.
LEAST = 2


def main() -> None:
    """Measure, print the tables and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vcf", type=Path, required=True, help="a phased panel")
    parser.add_argument("--chromosome", required=True)
    parser.add_argument("--map", type=Path, help="its genetic map in PLINK form")
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 500, 1000], help="in people")
    parser.add_argument("--people", type=int, default=100, help="people to impute")
    parser.add_argument("--typed", type=float, default=0.1, help="share of sites that is typed")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    check_peers()
    met = []
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as folder:
            case = Case(Path(folder), given.chromosome, given.map)
            met.append(compare(size, given, case))
    sys.exit(0 if all(met) else 1)


def compare(size: int, given: argparse.Namespace, case: Case) -> bool:
    """Measure all tools with so many people of the panel; whether the goal is met."""
    truth = run_apart(take_part, size, given, case)
    seed, what = seed_of(given.seed, "resampling"), f"chromosome {given.chromosome}"
    _, leads = hold_contest(case, truth, seed, what)
    least = np.nanmin(leads["mixture"][0])
    return judge(f"least r2 above the best peer's, {size} people", least, "at least", 0.0)


def take_part(size: int, given: argparse.Namespace, case: Case) -> dict:
    """Write a case of so many people of the panel; gives what was hidden of the target."""
    positions, alleles, haplotypes = read_panel(given.vcf, given.chromosome)
    generator = np.random.default_rng(seed_of(given.seed, "sizes"))
    order = generator.permutation(haplotypes.shape[1])
    wanted = given.people + size
    if wanted > len(order):
        sys.exit(f"{given.vcf}: has {len(order)} people, {wanted} are wanted; lower --sizes")
    target, members = (
        haplotypes[:, order[: given.people]],
        haplotypes[:, order[given.people : wanted]],
    )
    typed = np.zeros(len(positions), dtype=bool)
    typed[choose_array_sites(haplotypes, given.typed)] = True
    alternate = members.sum(axis=(1, 2), dtype=np.int64)
    kept = np.minimum(alternate, 2 * size - alternate) >= LEAST
    sites = positions[kept], alleles[kept], members[kept], target[kept]
    return write_case(case, Region(*sites, np.flatnonzero(typed[kept])))


def read_panel(path: Path, chromosome: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, alleles and haplotypes, as in `Region`, of all biallelic sites where everybody is
    known and phased."""
    positions, alleles, haplotypes = [], [], []
    for record in VCF(str(path))(chromosome):
        entries = record.genotype.array()
        if len(record.ALT) == 1 and (entries[:, :2] >= 0).all() and entries[:, 2].all():
            positions.append(record.POS)
            alleles.append((record.REF, record.ALT[0]))
            haplotypes.append(entries[:, :2].astype(np.int8))
    return np.array(positions), np.array(alleles), np.stack(haplotypes)


if __name__ == "__main__":
    main()
