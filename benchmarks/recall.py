"""Do the retrieved neighbours hold what imputation needs? Li and Stephens' model over K of them beside the full panel.

    python benchmarks/recall.py --results results --chromosome 1

Reads genotypes, samples, frequencies, windows and shards of a run, hides sites of validation people at several rates, and
runs the model in NumPy over the whole reference and over the K haplotypes that are retrieved. For each mask it prints how
often the haplotype of most weight in the full panel is among the K, and the mean dosage r2 by MAF bin of both.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import yaml

from goals import judge
from haplorag import store
from haplorag.frequencies import read_frequencies
from haplorag.masking import choose_typed, draw_chromosome
from haplorag.metrics import dosage_r2_by_site, group_sites
from haplorag.mosaic import MISMATCH, SWITCHES_PER_CENTIMORGAN
from haplorag.people import find_people, read_samples
from haplorag.retrieval import search_neighbours
from haplorag.settings import Mask, Neighbours
from haplorag.windowing import open_shards, read_windows

MASKS = {f"hide_{rate}": Mask(strategy="random", rate=rate / 100) for rate in (10, 50, 80, 90)}
MASKS["array"] = Mask(strategy="array", rate=0.9)
EDGES = [0.0, 0.005, 0.01, 0.05, 0.5]
MOST_LOST = {64: 0.01, 256: 0.003}
TOGETHER = 16


def run_li_stephens(alleles, references, typed_cm, hidden_cm, hidden_alleles, haplotypes):
    """Probability of ALT [Q, H] at hidden sites, and the most weighted reference there [Q, H].

    `alleles` int8 [Q, T], `references` 0/1 [Q or 1, N, T] at typed sites, genetic positions [T] and [H] in order,
    `hidden_alleles` [Q or 1, N, H], `haplotypes` the size of the whole panel, which sets the rate of switches.
    """
    sites, per_cm = alleles.shape[1], SWITCHES_PER_CENTIMORGAN / haplotypes
    emit = [np.where(alleles[:, site, None] == references[:, :, site], 1 - MISMATCH, MISMATCH) for site in range(sites)]
    chances = -np.expm1(-np.diff(typed_cm) * per_cm)
    passes = []
    for order in (range(sites), range(sites - 1, -1, -1)):
        states, last = [None] * sites, None
        for site in order:
            state = emit[site].astype(np.float32)
            if last is not None:
                chance = chances[min(site, last)]
                state *= (1 - chance) * states[last] + chance / state.shape[1]
            states[site] = state / state.sum(axis=1, keepdims=True)
            last = site
        passes.append(states)
    right = np.searchsorted(typed_cm, hidden_cm)
    probability = np.empty((len(alleles), len(hidden_cm)), dtype=np.float32)
    best = np.empty(probability.shape, dtype=np.int64)
    for column, (place, after) in enumerate(zip(hidden_cm, right, strict=True)):
        weight = np.ones_like(emit[0], dtype=np.float32)
        for states, near in ((passes[0], after - 1), (passes[1], after)):
            if 0 <= near < sites:
                reach = -np.expm1(-abs(place - typed_cm[near]) * per_cm)
                weight = weight * ((1 - reach) * states[near] + reach / weight.shape[1])
        weight /= weight.sum(axis=1, keepdims=True)
        probability[:, column] = (weight * hidden_alleles[:, :, column]).sum(axis=1)
        best[:, column] = weight.argmax(axis=1)
    return probability, best


def judge_window(queries, reference, hidden, sites, core, centimorgan, settings, counts):
    """Probabilities [Q, H] of the full panel and of each K, recall [Q, H] of each K, and the core's hidden columns."""
    columns, inside = choose_typed(hidden, core, settings.reach_typed)
    wanted = core[0] + np.flatnonzero(hidden[slice(*core)])
    owner = np.full(len(queries), -1)
    known = reference[:, columns]
    most = settings.model_copy(update={"count": max(counts)})
    ids, _ = search_neighbours(queries[:, columns], known, inside, owner, most, threads=2)
    found = {count: ([], []) for count in (0, *counts)}
    shared = centimorgan[sites[columns]], centimorgan[sites[wanted]]
    for start in range(0, len(queries), TOGETHER):
        part = slice(start, start + TOGETHER)
        asked = queries[part][:, columns]
        whole = known[None], *shared, reference[None, :, wanted], len(reference)
        probability, best = run_li_stephens(asked, *whole)
        found[0][0].append(probability)
        for count in counts:
            near = ids[part]
            if count < max(counts):
                own = settings.model_copy(update={"count": count})
                near, _ = search_neighbours(asked, known, inside, owner[part], own, threads=2)
            chosen = reference[near]
            said, _ = run_li_stephens(asked, chosen[:, :, columns], *shared, chosen[:, :, wanted], len(reference))
            found[count][0].append(said)
            found[count][1].append((best[:, :, None] == near[:, None]).any(axis=2))
    return {count: [np.concatenate(parts) if parts else None for parts in both] for count, both in found.items()}, wanted


def main() -> int:
    """Measure, print the table and the goals; 1 if one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--chromosome", default="1")
    parser.add_argument("--config", type=Path, default=Path("config/config.yaml"))
    parser.add_argument("--windows", type=int, default=3, help="windows, evenly spread")
    parser.add_argument("--people", type=int, default=40, help="validation people")
    parser.add_argument("--neighbours", type=int, nargs="+", default=[64, 256])
    chosen = parser.parse_args()
    stage = {name: chosen.results / name / f"{chosen.chromosome}.h5" for name in ("genotypes", "frequencies", "windows")}
    settings = Neighbours.model_validate(yaml.safe_load(chosen.config.read_text())["neighbours"])
    cut, packed = read_windows(stage["windows"]), open_shards(chosen.results / "shards" / chosen.chromosome)
    frequency = read_frequencies(stage["frequencies"]).frequency
    position = store.read_arrays(stage["frequencies"], "frequencies", "position")["position"]
    people = find_people(read_samples(chosen.results / "samples/samples.tsv"), "validation")[: chosen.people]
    windows = np.unique(np.linspace(0, len(cut) - 1, chosen.windows + 2).round().astype(int)[1:-1])
    print(f"{len(people)} people, {packed.reference_haplotypes} reference haplotypes, windows {windows.tolist()}")
    print(f"{'mask':8} {'method':12} {'recall':>7}  mean r2 by MAF bin: {EDGES}")
    missed = 0
    for name, mask in MASKS.items():
        hidden = draw_chromosome(mask, mask.rate, frequency, position, cut.cores, 1, "recall", name)
        parts = {count: [] for count in (0, *chosen.neighbours)}
        maf_groups = []
        for window in windows:
            sites, core = cut.context(window), cut.core_columns(window)
            with store.opening_arrays(stage["genotypes"], "genotypes") as file:
                queries = store.read_calls(file, sites, people)
            found, wanted = judge_window(
                queries, packed.haplotypes(sites), hidden[sites], sites, core, cut.centimorgan, settings, chosen.neighbours
            )
            truth = queries[:, wanted].reshape(len(people), 2, -1).sum(axis=1)
            for count, (said, recalled) in found.items():
                r2 = dosage_r2_by_site(said.reshape(len(people), 2, -1).sum(axis=1), truth)
                parts[count].append((r2, recalled))
            maf_groups.append(group_sites(frequency[sites[wanted]], EDGES, 0.05)[1][: len(EDGES) - 1])
        members = np.concatenate(maf_groups, axis=1)
        full = None
        for count, measured in parts.items():
            r2 = np.concatenate([one for one, _ in measured])
            by_bin = np.array([np.nanmean(np.append(r2[inside], np.nan)) if inside.any() else np.nan for inside in members])
            full = by_bin if count == 0 else full
            recall = "" if count == 0 else f"{np.concatenate([two.ravel() for _, two in measured]).mean():.3f}"
            method = f"K = {count}" if count else "full panel"
            print(f"{name:8} {method:12} {recall:>7}  {' '.join(f'{value:.4f}' for value in by_bin)}", flush=True)
            if count in MOST_LOST:
                missed += not judge(f"r2 lost, {name}, K = {count}", np.nanmax(full - by_bin), "below", MOST_LOST[count])
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
