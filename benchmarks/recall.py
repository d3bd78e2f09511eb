"""Do the retrieved neighbours hold what imputation needs? Li and Stephens' model over K of them
beside the full panel.

    python benchmarks/recall.py --results results --chromosome 1

Reads genotypes, samples, frequencies, windows and shards of a run, hides sites of validation people
at several rates, and runs the model in NumPy over the whole reference, over the K haplotypes that
are retrieved, and over the K that hold most weight in the full panel, which no retrieval can
better. Beside them is what the copying network reads: the K, and all others as one more candidate.
For each mask it prints how often the haplotype of most weight in the full panel is among the K, and
the mean dosage r2 by MAF bin. The goals are those of what the network reads.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import yaml

from goals import judge
from haplorag.evaluation.metrics import dosage_r2_by_site, group_by_maf
from haplorag.io.hdf5 import opening_arrays, read_arrays
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.model import impute_sites
from haplorag.li_stephens.parameters import assume_model
from haplorag.li_stephens.reference import weigh_haplotypes
from haplorag.li_stephens.segments import cut_segments
from haplorag.masking import draw_chromosome
from haplorag.panel.frequencies import read_frequencies
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.haplotypes import open_shards
from haplorag.panel.masked_window import choose_typed_columns
from haplorag.panel.samples import find_samples, read_samples
from haplorag.panel.windows import read_windows
from haplorag.retrieval.search import search_neighbours
from haplorag.settings import Mask, NeighbourSettings, RateSettings

MASKS = {f"hide_{rate}": Mask(strategy="random", rate=rate / 100) for rate in (10, 50, 80, 90)}
MASKS["array"] = Mask(strategy="array", rate=0.9)
READ = "K and the rest"
EDGES = [0.0, 0.005, 0.01, 0.05, 0.5]
MOST_LOST = 0.003
TOGETHER = 16


def run_li_stephens(alleles, references, typed, hidden, hidden_alleles, mismatch):
    """Probability of ALT [Q, H] at hidden sites, the most weighted reference there [Q, H], and the
    sum of all weights [Q, N].

    `alleles` int8 [Q, T], `references` 0/1 [Q or 1, N, T] at typed sites, `typed` [T] and `hidden`
    [H] where they lie in expected switches, `hidden_alleles` [Q or 1, N, H].
    """
    weights = weigh_haplotypes(alleles, references, typed, hidden, mismatch)
    probability = np.einsum(
        "qhn,qnh->qh",
        weights,
        np.broadcast_to(hidden_alleles, (len(alleles), *hidden_alleles.shape[1:])),
    )
    return probability.astype(np.float32), weights.argmax(axis=2), weights.sum(axis=1)


def judge_window(queries, shards, hidden, sites, core, model, settings, counts):
    """By method probabilities [Q, H] and recall [Q, H] (None where all are looked at), and the
    core's hidden columns.
    """
    columns, inside = choose_typed_columns(hidden, core, settings.reach_typed)
    wanted = core[0] + np.flatnonzero(hidden[slice(*core)])
    reference = shards.haplotypes(sites)
    shared = model.distance[sites[columns]], model.distance[sites[wanted]]
    known, asked = reference[:, columns], queries[:, columns]
    owner = np.full(len(queries), -1)
    nobody = np.zeros((len(queries), 2), dtype=np.int64)

    def run(choose) -> list[np.ndarray]:
        """The model over the whole reference, or over the ids [q, K] that `choose` gives for a part
        of the queries.
        """
        parts = []
        for start in range(0, len(queries), TOGETHER):
            part = slice(start, start + TOGETHER)
            if choose is None:
                panel = known[None], reference[None, :, wanted]
            else:
                chosen = reference[choose(part)]
                panel = chosen[:, :, columns], chosen[:, :, wanted]
            parts.append(
                run_li_stephens(asked[part], panel[0], *shared, panel[1], model.mismatch[0])
            )
        return [np.concatenate(values) for values in zip(*parts, strict=True)]

    probability, best, weight = run(None)
    panel = cut_segments(shards, sites[columns], sites[wanted], model.distance)
    network = impute_sites(Queries(asked, owner), panel, model, threads=2)
    found = {"full panel": (probability, None), READ: (network, None)}
    for count in counts:
        own = settings.model_copy(update={"count": count})
        near, _ = search_neighbours(asked, known, inside, nobody, own, threads=2)
        heaviest = np.argsort(-weight, axis=1, kind="stable")[:, :count]
        for name, ids in ((f"K = {count}", near), (f"heaviest {count}", heaviest)):
            found[name] = (
                run(lambda part, ids=ids: ids[part])[0],
                (best[:, :, None] == ids[:, None]).any(axis=2),
            )
    return found, wanted


def main() -> int:
    """Measure, print the table and the goals; 1 if one is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--chromosome", default="1")
    parser.add_argument("--config", type=Path, default=Path("config/config.yaml"))
    parser.add_argument("--windows", type=int, default=3, help="windows, evenly spread")
    parser.add_argument("--people", type=int, default=40, help="validation people")
    parser.add_argument("--neighbours", type=int, nargs="+", default=[64, 256])
    chosen = parser.parse_args()
    stage = {
        name: chosen.results / name / f"{chosen.chromosome}.h5"
        for name in ("genotypes", "frequencies", "windows")
    }
    config = yaml.safe_load(chosen.config.read_text())
    settings = NeighbourSettings.model_validate(config["neighbours"])
    # One setting, and nothing estimated: the plain model is asked the same.
    plain = {"settings": [{"switching": 1, "mismatch": 1}]}
    told = {key: value for key, value in config["li_stephens"].items() if key != "mixture"}
    copying = RateSettings.model_validate(told | plain)
    cut, packed = (
        read_windows(stage["windows"]),
        open_shards(chosen.results / "shards" / chosen.chromosome),
    )
    model = assume_model(cut.centimorgan, copying)
    frequency = read_frequencies(stage["frequencies"]).frequency
    position = read_arrays(stage["frequencies"], "frequencies", "position")["position"]
    people = find_samples(read_samples(chosen.results / "samples/samples.tsv"), "validation")[
        : chosen.people
    ]
    windows = np.unique(np.linspace(0, len(cut) - 1, chosen.windows + 2).round().astype(int)[1:-1])
    print(
        f"{len(people)} people, {packed.reference_haplotypes} reference haplotypes, windows "
        f"{windows.tolist()}"
    )
    print(f"{'mask':8} {'method':14} {'recall':>7}  mean r2 by MAF bin: {EDGES}")
    missed = 0
    for name, mask in MASKS.items():
        hidden = draw_chromosome(mask, mask.rate, frequency, position, cut.cores, 1, "recall", name)
        parts = defaultdict(list)
        maf_groups = []
        for window in windows:
            sites, core = cut.context(window), cut.core_columns(window)
            with opening_arrays(stage["genotypes"], "genotypes") as file:
                queries = read_haplotypes(file, sites, people)
            found, wanted = judge_window(
                queries,
                packed,
                hidden[sites],
                sites,
                core,
                model,
                settings,
                chosen.neighbours,
            )
            truth = queries[:, wanted].reshape(len(people), 2, -1).sum(axis=1)
            for method, (said, recalled) in found.items():
                r2 = dosage_r2_by_site(said.reshape(len(people), 2, -1).sum(axis=1), truth)
                parts[method].append((r2, recalled))
            maf_groups.append(
                group_by_maf(frequency[sites[wanted]], EDGES, 0.05)[1][: len(EDGES) - 1]
            )
        members = np.concatenate(maf_groups, axis=1)
        by_bin = {}
        for method, measured in parts.items():
            r2 = np.concatenate([one for one, _ in measured])
            by_bin[method] = np.array(
                [
                    np.nanmean(np.append(r2[inside], np.nan)) if inside.any() else np.nan
                    for inside in members
                ]
            )
            recalled = [two.ravel() for _, two in measured if two is not None]
            recall = f"{np.concatenate(recalled).mean():.3f}" if recalled else ""
            print(
                f"{name:8} {method:14} {recall:>7}  "
                f"{' '.join(f'{value:.4f}' for value in by_bin[method])}",
                flush=True,
            )
        lost = np.nanmax(by_bin["full panel"] - by_bin[READ])
        missed += not judge(f"r2 lost, {name}, {READ}", lost, "below", MOST_LOST)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
