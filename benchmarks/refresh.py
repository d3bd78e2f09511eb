"""How much cheaper is our retrieval than embedding every reference haplotype anew, and does it find the same ones?

    PYTHONPATH=workflow python benchmarks/refresh.py --results FOLDER --chromosome C

Reads the genotypes, samples, windows and shards of one chromosome of a run. One window, one random mask of half its sites, one
core: our search of packed bits (as configured, and over the whole window at once) against the way of the earlier systems, to
embed every reference haplotype at D = 384 and search the flattened embeddings with faiss.IndexFlatL2. Only as many sites are
embedded as fit into --memory; that time, which grows in proportion to the sites, is then scaled to the window's. A figure is
the least CPU time of three runs in turn. Prints a table and the goals; exits 1 where one is missed, 2 where something lacks.
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

from haplorag import store
from haplorag.errors import InputError
from haplorag.masking import choose_typed
from haplorag.people import find_people, read_samples
from haplorag.retrieval import search_neighbours
from haplorag.settings import Neighbours
from haplorag.windowing import open_shards, read_windows

CONFIG = Path(__file__).parents[1] / "config/config.yaml"
WIDTH, BATCH = 384, 32
# The panel that the earlier systems were built for, and the cores it is refreshed on.
SITES, HAPLOTYPES, CORES, CORE_SITES = 150_508, 2_008, 8, 512
# Of one window: the shards it is in, core columns, queries int8 [Q, C], columns hidden, frequency and cM [C], bytes of its shard.
Case = namedtuple("Case", "shards window core queries hidden frequency centimorgan packed")


def main() -> None:
    """Measure, print the table and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=Path("results"), help="results folder of a run")
    parser.add_argument("--chromosome", default="1")
    parser.add_argument("--window", type=int, help="the middle one unless told")
    parser.add_argument("--queries", type=int, help="query haplotypes; those a window meets in an epoch unless told")
    parser.add_argument("--memory", type=float, default=6, help="GB that the embeddings may take")
    arguments = parser.parse_args()
    settings = Neighbours(**yaml.safe_load(CONFIG.read_text())["neighbours"])
    try:
        case = read_case(arguments, arguments.queries or 2 * settings.people_per_window)
    except (InputError, OSError) as error:
        print(f"{error}\n--results and --chromosome name a run with genotypes, samples, windows and shards", file=sys.stderr)
        sys.exit(2)
    faiss.omp_set_num_threads(1)
    sys.exit(1 if sum(not judge(*goal) for goal in measure(case, settings, arguments.memory * 1e9)) else 0)


def measure(case: Case, settings: Neighbours, memory: float) -> list[tuple]:
    """Run all ways, print what they took, and give the goals with their figures."""
    entire = dict.fromkeys(("flank_typed", "reach_typed"), len(case.hidden))
    whole = settings.model_copy(update={"segments": 1, "scales": [1], **entire})
    # Before anything is embedded, so that the peak is that of the search alone.
    seconds, people = repeat({"": lambda: refresh_window(case, settings)})[""]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    block = choose_block(case, memory)
    ways = {
        "ours, configured": lambda: search_ours(case, settings),
        "ours, whole window": lambda: search_ours(case, whole),
        "embeddings": lambda: search_embeddings(case, block, settings.count),
    }
    runs = repeat(ways)
    old, storage = print_ways(case, block, runs)
    each, windows = seconds / people, SITES / CORE_SITES
    print(
        f"refresh: {people:,} haplotypes searched among themselves, {each * 1e3:.3f} ms a query and window on one core, "
        f"{settings.count / each:,.0f} neighbours/s a core, peak memory {peak / 1e6:.0f} MB\n"
        f"extrapolated: {HAPLOTYPES:,} queries x {SITES:,} / {CORE_SITES} = {windows:.0f} windows, {CORES} cores\n"
    )
    return [
        ("less time, configured search", old / runs["ours, configured"][0], "at least", 1_000, "x"),
        ("less time, whole-window search", old / runs["ours, whole window"][0], "at least", 1_000, "x"),
        ("less index storage", storage, "at least", 10_000, "x"),
        ("equal nearest neighbours", 100 * compare(case, block, whole, runs["embeddings"][1]), "at least", 100, " %"),
        ("refresh of a chromosome", each * HAPLOTYPES * windows / CORES / 60, "below", 5, " minutes"),
    ]


def read_case(arguments: argparse.Namespace, queries: int) -> Case:
    """Read one window, hide half of its sites at random and take the first test and validation people as queries."""
    folder, name = arguments.results, arguments.chromosome
    people = read_samples(folder / "samples/samples.tsv")
    cut, shards = read_windows(folder / f"windows/{name}.h5"), open_shards(folder / "shards" / name)
    window = len(cut) // 2 if arguments.window is None else arguments.window
    sites, core = cut.context(window), cut.core_columns(window)
    asked = np.concatenate([find_people(people, "test"), find_people(people, "validation")])[: (queries + 1) // 2]
    with store.opening_arrays(folder / f"genotypes/{name}.h5", "genotypes") as file:
        calls = store.read_calls(file, sites, asked)[:queries]
    hidden = np.random.default_rng(17).random(len(sites)) < 0.5
    frequency, place = shards.haplotypes(window).mean(axis=0, dtype=np.float32), cut.centimorgan[sites].astype(np.float32)
    size = (shards.folder / shards.entries[window]["file"]).stat().st_size
    return Case(shards, window, core, calls, hidden, frequency, place, size)


def repeat(ways: dict) -> dict[str, tuple]:
    """Least CPU seconds of three, and the result, of each way; run in turn."""
    seconds, results = {name: [] for name in ways}, {}
    for _ in range(3):
        for name, way in ways.items():
            started = time.process_time()
            results[name] = way()
            seconds[name].append(time.process_time() - started)
    return {name: (min(seconds[name]), results[name]) for name in ways}


def search_ours(case: Case, settings: Neighbours) -> None:
    """Read the window's shard and search it, as the step `neighbours` does."""
    typed = choose_typed(case.hidden, case.core, settings.reach_typed)
    nobody = np.full(len(case.queries), -1)
    search_neighbours(case.queries, case.shards.haplotypes(case.window), typed, case.core, nobody, settings)


def refresh_window(case: Case, settings: Neighbours) -> int:
    """Search every reference haplotype among the others, in a panel of the earlier systems' size; gives their number."""
    reference = case.shards.haplotypes(case.window)[:HAPLOTYPES]
    typed = choose_typed(case.hidden, case.core, settings.reach_typed)
    owner = np.arange(len(reference)) // 2
    search_neighbours(reference.astype(np.int8), reference, typed, case.core, owner, settings)
    return len(reference)


def choose_block(case: Case, memory: float) -> slice:
    """Columns about the middle of the core whose embeddings, of all reference haplotypes, fit into memory in bytes."""
    sites = len(case.hidden)
    number = min(sites, int(memory // (case.shards.reference_haplotypes * WIDTH * 4)))
    start = min(max(sum(case.core) // 2 - number // 2, 0), sites - number)
    return slice(start, start + number)


def search_embeddings(case: Case, block: slice, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Embed all reference haplotypes over a block of columns, index and search them; gives ids and mismatches [Q, K]."""
    import torch

    from haplorag.network.embedding import HaplotypeEmbedding, tokenise

    torch.manual_seed(17)
    torch.set_num_threads(1)
    embedding = HaplotypeEmbedding(WIDTH).requires_grad_(False)
    frequency, place = torch.from_numpy(case.frequency[block]), torch.from_numpy(case.centimorgan[block])

    def embed(haplotypes: np.ndarray) -> np.ndarray:
        alleles = np.where(case.hidden[block], -1, haplotypes[:, block]).astype(np.int8)
        return embedding(tokenise(torch.from_numpy(alleles)), frequency, place).flatten(1).numpy()

    reference = case.shards.haplotypes(case.window)
    index = faiss.IndexFlatL2((block.stop - block.start) * WIDTH)
    # Written in place: growing the index would take twice the memory, and a copy.
    index.codes.resize(len(reference) * index.d * 4)
    index.ntotal = len(reference)
    vectors = faiss.rev_swig_ptr(index.get_xb(), len(reference) * index.d).reshape(len(reference), index.d)
    for start in range(0, len(reference), BATCH):
        vectors[start : start + BATCH] = embed(reference[start : start + BATCH])
    squared, ids = index.search(embed(case.queries), min(count, len(reference)))
    unit = (embedding.token.weight[0] - embedding.token.weight[1]).square().sum().item()
    return ids, np.rint(squared / unit).astype(np.int64)


def compare(case: Case, block: slice, settings: Neighbours, theirs: tuple[np.ndarray, np.ndarray]) -> float:
    """Share of queries for which both ways find the same distances, and the same haplotypes but for ties at the last."""
    core = (max(case.core[0] - block.start, 0), min(case.core[1], block.stop) - block.start)
    reference, nobody = case.shards.haplotypes(case.window)[:, block], np.full(len(case.queries), -1)
    found = search_neighbours(case.queries[:, block], reference, ~case.hidden[block], core, nobody, settings)
    equal = [
        np.array_equal(np.sort(near), np.sort(other)) and set(ids[near < near.max()]) == set(peers[other < other.max()])
        for ids, near, peers, other in zip(*found, *theirs, strict=True)
    ]
    return float(np.mean(equal))


def print_ways(case: Case, block: slice, runs: dict[str, tuple]) -> tuple[float, float]:
    """Print time and index size of each way; gives the embeddings' seconds, scaled to all sites, and bytes over ours."""
    sites, embedded, haplotypes = len(case.hidden), block.stop - block.start, case.shards.reference_haplotypes
    scaled, per_site = runs["embeddings"][0] * sites / embedded, haplotypes * WIDTH * 4
    print(f"window {case.window}: {sites:,} sites, {len(case.queries)} queries, {haplotypes:,} reference haplotypes")
    print(f"embedded: {embedded:,} of {sites:,} sites; * scaled to all\n\n{'way':22}{'CPU s':>10}{'index bytes':>16}")
    for name, (seconds, _) in runs.items():
        print(f"{name:22}{seconds:10.4f}{embedded * per_site if name == 'embeddings' else case.packed:16,}")
    print(f"{'embeddings *':22}{scaled:10.4f}{sites * per_site:16,}\n")
    return scaled, sites * per_site / case.packed


def judge(name: str, figure: float, words: str, bound: float, unit: str) -> bool:
    """Print one goal and say whether it is met."""
    met = {"at least": figure >= bound, "at most": figure <= bound, "below": figure < bound}[words]
    print(f"goal {name}: {figure:,.2f}{unit}, wanted {words} {bound:,g}{unit} ({'met' if met else 'missed'})")
    return met


if __name__ == "__main__":
    main()
