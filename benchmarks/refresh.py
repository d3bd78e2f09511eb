"""How much cheaper is our retrieval than embedding every reference haplotype anew, and does it find
the same ones?

    PYTHONPATH=workflow python benchmarks/refresh.py --results FOLDER --chromosome C

Reads genotypes, samples, windows and shards of a run. One window, half its sites hidden at random,
one core: our search of packed bits, as configured and over the whole window at once, against the
earlier systems' way: embed every reference haplotype at D = 384 and search with faiss.IndexFlatL2.
Only as many sites are embedded as fit into --memory; the time, proportional to the sites, is scaled
to the window's. Figures are the least CPU time of three runs in turn. Exits 1 where a goal is
missed.
"""

import argparse
import resource
import sys
import time
from collections import namedtuple
from pathlib import Path

import faiss
import numpy as np
import yaml

from goals import ROOT, judge
from haplorag.errors import InputError
from haplorag.io.hdf5 import opening_arrays
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.haplotypes import open_shards, read_shard
from haplorag.panel.masked_window import choose_typed_columns
from haplorag.panel.ploidy import find_own_rows
from haplorag.panel.samples import find_samples, read_samples
from haplorag.panel.windows import read_windows
from haplorag.retrieval.search import search_neighbours
from haplorag.settings import NeighbourSettings

CONFIG = ROOT / "config/config.yaml"
WIDTH, BATCH = (
    384,
    4,
)  # larger batches are slower: their memory is asked of the system and handed back each time
# The panel that the earlier systems were built for, and the cores it is refreshed on.
SITES, HAPLOTYPES, CORES, CORE_SITES = 150_508, 2_008, 8, 512
# A window: its shards, its number, sites and core columns, queries int8 [Q, C], and hidden,
# frequency and cM [C].
Case = namedtuple("Case", "shards window sites core queries hidden frequency centimorgan")


def main() -> None:
    """Measure, print the table and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="results folder of a run"
    )
    parser.add_argument("--chromosome", default="1")
    parser.add_argument(
        "--queries",
        type=int,
        default=32,
        help="query haplotypes; 32 are what a window meets in an epoch",
    )
    parser.add_argument("--memory", type=float, default=6, help="GB that the embeddings may take")
    arguments = parser.parse_args()
    settings = NeighbourSettings(**yaml.safe_load(CONFIG.read_text())["neighbours"])
    try:
        case = read_case(arguments.results, arguments.chromosome, arguments.queries)
    except (InputError, OSError) as error:
        parser.error(
            f"{error}; --results and --chromosome name a run with genotypes, samples, windows "
            "and shards"
        )
    faiss.omp_set_num_threads(1)
    sys.exit(
        1
        if sum(not judge(*goal) for goal in measure(case, settings, arguments.memory * 1e9))
        else 0
    )


def measure(case: Case, settings: NeighbourSettings, memory: float) -> list[tuple]:
    """Run all ways, print what they took, and give the goals with their figures."""
    sites = len(case.hidden)
    whole = settings.model_copy(
        update={"segments": 1, "scales": [1], "flank_typed": sites, "reach_typed": sites}
    )
    # Before anything is embedded, so that the peak is that of the search alone.
    seconds, people = repeat({"": lambda: search_ours(case, settings, everyone=True)})[""]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # As many columns about the middle of the core as fit into memory once embedded.
    embedded = min(sites, int(memory // (case.shards.reference_haplotypes * WIDTH * 4)))
    first = min(max(sum(case.core) // 2 - embedded // 2, 0), sites - embedded)
    block = slice(first, first + embedded)
    ways = {
        "ours, configured": lambda: search_ours(case, settings),
        "ours, whole window": lambda: search_ours(case, whole),
        "embeddings": lambda: search_embeddings(case, block, settings.count),
    }
    runs = repeat(ways)
    old, per_site = (
        runs["embeddings"][0] * sites / embedded,
        case.shards.reference_haplotypes * WIDTH * 4,
    )
    packed = (case.shards.folder / case.shards.entries[case.window]["file"]).stat().st_size
    print(
        f"window {case.window}: {len(case.queries)} queries, "
        f"{case.shards.reference_haplotypes:,} reference haplotypes"
    )
    print(
        f"embedded: {embedded:,} of {sites:,} sites; * scaled to "
        f"all\n\n{'way':22}{'CPU s':>10}{'index bytes':>16}"
    )
    for name, (spent, _) in runs.items():
        print(
            f"{name:22}{spent:10.4f}{embedded * per_site if name == 'embeddings' else packed:16,}"
        )
    print(f"{'embeddings *':22}{old:10.4f}{sites * per_site:16,}\n")
    each, windows = seconds / people, SITES / CORE_SITES
    print(
        f"refresh: {people:,} haplotypes searched among themselves, {each * 1e3:.3f} ms a query "
        "and window on one core,"
    )
    print(
        f"{settings.count / each:,.0f} neighbours/s a core, peak memory {peak * 1024 / 1e6:.0f} MB"
    )
    print(
        f"extrapolated: {HAPLOTYPES:,} queries x {SITES:,} / {CORE_SITES} = {windows:.0f} "
        f"windows, {CORES} cores\n"
    )
    return [
        ("less time, configured search", old / runs["ours, configured"][0], "at least", 1_000, "x"),
        (
            "less time, whole-window search",
            old / runs["ours, whole window"][0],
            "at least",
            1_000,
            "x",
        ),
        ("less index storage", sites * per_site / packed, "at least", 10_000, "x"),
        (
            "equal nearest neighbours",
            100 * compare(case, block, whole, runs["embeddings"][1]),
            "at least",
            100,
            " %",
        ),
        (
            "refresh of a chromosome",
            each * HAPLOTYPES * windows / CORES / 60,
            "below",
            5,
            " minutes",
        ),
    ]


def read_case(folder: Path, name: str, queries: int) -> Case:
    """Read the middle window, hide half of its sites at random and take the first test and
    validation people as queries.
    """
    people = read_samples(folder / "samples/samples.tsv")
    cut, shards = read_windows(folder / f"windows/{name}.h5"), open_shards(folder / "shards" / name)
    window = len(cut) // 2
    sites, core = cut.context(window), cut.core_columns(window)
    asked = np.concatenate([find_samples(people, "test"), find_samples(people, "validation")])[
        : (queries + 1) // 2
    ]
    with opening_arrays(folder / f"genotypes/{name}.h5", "genotypes") as file:
        calls = read_haplotypes(file, sites, asked)[:queries]
    hidden = np.random.default_rng(17).random(len(sites)) < 0.5
    frequency, place = (
        shards.haplotypes(sites).mean(axis=0, dtype=np.float32),
        cut.centimorgan[sites].astype(np.float32),
    )
    return Case(shards, window, sites, core, calls, hidden, frequency, place)


def repeat(ways: dict) -> dict[str, tuple]:
    """Least CPU seconds of three, and the result, of each way; run in turn."""
    best = {}
    for name, way in list(ways.items()) * 3:
        started = time.process_time()
        result = way()
        best[name] = (min(time.process_time() - started, best.get(name, [float("inf")])[0]), result)
    return best


def search_ours(case: Case, settings: NeighbourSettings, everyone: bool = False) -> int:
    """Read the window's shards and search them; `everyone` searches up to HAPLOTYPES among
    themselves. Gives queries.
    """
    read_shard.cache_clear()
    typed, core = choose_typed_columns(case.hidden, case.core, settings.reach_typed)
    reference, queries = case.shards.haplotypes(case.sites[typed]), case.queries[:, typed]
    if everyone:
        queries = reference = reference[:HAPLOTYPES]
    owner = np.arange(len(queries)) // 2 if everyone else np.full(len(queries), -1)
    own = find_own_rows(np.arange(0, len(reference) + 1, 2), owner)
    search_neighbours(queries.view(np.int8), reference, core, own, settings)
    return len(queries)


def search_embeddings(case: Case, block: slice, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Embed all reference haplotypes over a block of columns, index and search them; gives ids and
    mismatches [Q, K].
    """
    import torch

    from haplorag.network.embedding import HaplotypeEmbedding, tokenise

    torch.manual_seed(17)
    torch.set_num_threads(1)
    embedding = HaplotypeEmbedding(WIDTH).requires_grad_(False)
    along = [torch.from_numpy(values[block]) for values in (case.frequency, case.centimorgan)]

    def embed(haplotypes: np.ndarray) -> np.ndarray:
        alleles = np.where(case.hidden[block], -1, haplotypes[:, block]).astype(np.int8)
        return embedding(tokenise(torch.from_numpy(alleles)), *along).flatten(1).numpy()

    reference = case.shards.haplotypes(case.sites)
    index = faiss.IndexFlatL2((block.stop - block.start) * WIDTH)
    # Written in place: growing the index would take twice the memory, and a copy.
    index.ntotal = len(reference)
    index.codes.resize(index.ntotal * index.d * 4)
    vectors = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(-1, index.d)
    for start in range(0, len(reference), BATCH):
        vectors[start : start + BATCH] = embed(reference[start : start + BATCH])
    squared, ids = index.search(embed(case.queries), min(count, index.ntotal))
    unit = (embedding.token.weight[0] - embedding.token.weight[1]).square().sum().item()
    return ids, np.rint(squared / unit).astype(np.int64)


def compare(
    case: Case, block: slice, settings: NeighbourSettings, theirs: tuple[np.ndarray, np.ndarray]
) -> float:
    """Share of queries for which both ways find the same distances, and the same haplotypes but for
    ties at the last.
    """
    typed = block.start + np.flatnonzero(~case.hidden[block])
    reference = case.shards.haplotypes(case.sites[typed])
    nobody = np.zeros((len(case.queries), 2), dtype=np.int64)
    found = search_neighbours(case.queries[:, typed], reference, (0, len(typed)), nobody, settings)
    sets = [
        [(sorted(d), set(i[d < d.max()])) for i, d in zip(*way, strict=True)]
        for way in (found, theirs)
    ]
    return float(np.mean([ours == other for ours, other in zip(*sets, strict=True)]))


if __name__ == "__main__":
    main()
