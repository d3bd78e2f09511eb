"""How fast does a network train, where does the time go, and how much faster is a step than in the
earlier systems?

PYTHONPATH=workflow python benchmarks/training.py --results results --chromosome 1 --model
embedding_rag_v18

Reads a run's first epoch. On a GPU, where there is one, else on the CPU: the seconds of a step by
part (data, retrieval, forward, backward, optimiser), tokens and floating-point operations a second
beside the device's measured matrix rate, and peak memory. Then the same network the earlier way:
every haplotype padded to 1,030 sites, attention that writes out its weights, one pass a haplotype;
both without the genotype head, which needs two haplotypes at once. A figure is the least of the
steps. Full size: --overlay config/embedding_rag_v18.yaml. Exits 1 where a goal is missed.
"""

import argparse
import math
import resource
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
import yaml
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from goals import ROOT, judge
from haplorag.configuration import merge, read_settings
from haplorag.dataset.batches import cut_items
from haplorag.dataset.chromosome import open_chromosome
from haplorag.errors import InputError
from haplorag.gpu.choice import choose_passes
from haplorag.io.hdf5 import opening_arrays
from haplorag.network.batch import Batch
from haplorag.network.device import autocast, choose_device, configure_runtime
from haplorag.network.model import build_network
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.masked_window import choose_typed_columns
from haplorag.panel.ploidy import find_own_rows
from haplorag.retrieval.search import search_neighbours
from haplorag.training.loss import compute_loss
from haplorag.training.optimiser import build_optimiser

PADDED = 1030
PARTS = ("data", "retrieval", "forward", "backward", "optimiser")


def main() -> None:
    """Measure, print the tables and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="results folder of a run"
    )
    parser.add_argument("--chromosome", default="1")
    parser.add_argument("--model", default="embedding_rag_v18")
    parser.add_argument("--overlay", type=Path, help="configuration on top of config/config.yaml")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    given = parser.parse_args()
    try:
        settings = read(given.overlay)
        case = Case(settings, given)
    except (InputError, OSError, KeyError) as error:
        parser.error(f"{error}; --results, --chromosome and --model name a run with a first epoch")
    sys.exit(1 if sum(not judge(*goal) for goal in measure(case, given)) else 0)


def read(overlay: Path | None):
    """The configuration with an overlay on it."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    if overlay:
        merge(config, yaml.safe_load(overlay.read_text()))
    return read_settings(config)


class Case:
    """A network, its optimiser, and one batch of a run's first epoch."""

    def __init__(self, settings, given: argparse.Namespace) -> None:
        run, name = given.results, f"{given.chromosome}.h5"
        self.reads, self.optimisation = (
            settings.network[given.model],
            settings.training_of(given.model),
        )
        self.neighbours, self.threads = settings.neighbours, given.threads
        self.device = choose_device(1)
        configure_runtime(self.device, given.threads)
        stages = [run / stage / name for stage in ("genotypes", "frequencies", "windows")]
        drawn = [run / stage / "001" / name for stage in ("masks", "neighbours")]
        drawn.append(run / "rates/validation" / name)
        passes = choose_passes(
            self.device, given.threads, "training.batch_people", self.optimisation.batch_people
        )
        opened = open_chromosome(
            run / "samples/samples.tsv", *stages, run / "shards" / given.chromosome, *drawn
        )
        self.chromosome = replace(opened, passes=passes)
        groups = self.chromosome.retrieved.group()
        self.items = max(groups, key=len)[: self.optimisation.batch_people]
        torch.manual_seed(17)
        self.network = build_network(self.reads).to(self.device).train()
        self.optimiser = build_optimiser(self.network, self.optimisation)

    def cut(self) -> tuple[Batch, torch.Tensor]:
        """Read the items and cut their batch."""
        read = self.chromosome.read(self.items, self.reads.reach)
        batch, labels = cut_items(self.chromosome, read, self.reads)
        return batch.to(self.device), labels.to(self.device)

    def retrieve(self) -> None:
        """Search the neighbours of the batch's haplotypes, as the refresh does for each window."""
        found = self.chromosome.retrieved
        mask, window = found.mask[self.items[0]], found.window[self.items[0]]
        sites, core = (
            self.chromosome.windows.context(window),
            self.chromosome.windows.core_columns(window),
        )
        typed, inside = choose_typed_columns(
            self.chromosome.hidden[mask][sites], core, self.neighbours.reach_typed
        )
        with opening_arrays(self.chromosome.genotypes, "genotypes") as file:
            queries = read_haplotypes(file, sites[typed], found.person[self.items])
        owner = self.chromosome.owner[found.person[self.items]].repeat(2)
        reference = self.chromosome.shards.haplotypes(sites[typed])
        own = find_own_rows(self.chromosome.shards.ploidy.number_rows(0), owner)
        search_neighbours(queries, reference, inside, own, self.neighbours, self.threads)

    def loss(self, network: torch.nn.Module, batch: Batch, labels: torch.Tensor) -> torch.Tensor:
        """Mean loss of a batch."""
        with autocast(self.device, self.optimisation.precision):
            output = network(batch)
        found, number = compute_loss(output, batch, labels, self.optimisation)
        return found / number


def measure(case: Case, given: argparse.Namespace) -> list[tuple]:
    """Time a step by part and both ways, print the tables, and give the goals."""
    seconds: dict[str, float] = dict.fromkeys(PARTS, math.inf)
    for _ in range(given.steps):
        spent: Counter[str] = Counter()
        with timing(case, spent, "data"):
            batch, labels = case.cut()
        with timing(case, spent, "retrieval"):
            case.retrieve()
        with timing(case, spent, "forward"):
            loss = case.loss(case.network, batch, labels)
        with timing(case, spent, "backward"):
            loss.backward()
        with timing(case, spent, "optimiser"):
            case.optimiser.step()
            case.optimiser.zero_grad(set_to_none=True)
        seconds = {part: min(seconds[part], spent[part]) for part in PARTS}
    with FlopCounterMode(display=False) as counter:
        case.loss(case.network, batch, labels).backward()
    case.optimiser.zero_grad(set_to_none=True)
    step = seconds["forward"] + seconds["backward"] + seconds["optimiser"]
    rate, peak = counter.get_total_flops() / step, measure_matrix_rate(case)
    tokens = batch.alleles.shape[0] * (batch.core.stop - batch.core.start)
    print(
        f"{given.model}: D {case.reads.width}, {case.reads.layers} layers, {len(case.items)} "
        f"people, {case.device}\n"
    )
    print(f"{'part':12}{'ms':>10}{'share':>8}")
    for part, spent in seconds.items():
        print(f"{part:12}{spent * 1e3:10.2f}{spent / sum(seconds.values()):8.1%}")
    print(
        f"\n{tokens / step:,.0f} tokens/s; {rate / 1e12:.3f} of {peak / 1e12:.3f} TFLOP/s: "
        f"{rate / peak:.1%}"
    )
    on_gpu = case.device.type == "cuda"
    memory = (
        torch.cuda.max_memory_allocated() / 1e6
        if on_gpu
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    )
    print(f"peak memory {memory:,.0f} MB\n")
    if on_gpu:
        return [("share of the matrix rate", 100 * rate / peak, "at least", 40, " %")]
    return [
        (
            "step per useful site, beside the earlier way",
            compare(case, batch, labels, given.steps),
            "at least",
            3,
            "x",
        )
    ]


def measure_matrix_rate(case: Case) -> float:
    """Floating-point operations a second of a large matrix product in the training's precision."""
    size, on_gpu = (8192, True) if case.device.type == "cuda" else (2048, False)
    kind = torch.bfloat16 if on_gpu and case.optimisation.precision == "bfloat16" else torch.float32
    left = torch.randn(size, size, device=case.device, dtype=kind)
    spent: Counter[str] = Counter()
    best = math.inf
    for _ in range(5):
        spent.clear()
        with timing(case, spent, "product"):
            left @ left
        best = min(best, spent["product"])
    return 2 * size**3 / best


def compare(case: Case, batch: Batch, labels: torch.Tensor, steps: int) -> float:
    """How many times longer the earlier way takes for the same people and sites; the two take
    turns.
    """
    settings = case.reads.model_copy(update={"genotype_head": False})
    network = build_network(settings).to(case.device).train()
    padded, padded_labels = pad(batch, labels)
    halves = [(half(padded, number), padded_labels[number::2]) for number in (0, 1)]
    best = {"ours": math.inf, "earlier": math.inf}
    for _ in range(steps):
        for way in best:
            spent: Counter[str] = Counter()
            with timing(case, spent, way):
                if way == "ours":
                    case.loss(network, batch, labels).backward()
                else:
                    with patch.object(functional, "scaled_dot_product_attention", attend_eagerly):
                        for part, known in halves:
                            case.loss(network, part, known).backward()
            network.zero_grad(set_to_none=True)
            best[way] = min(best[way], spent[way])
    sites = batch.core.stop - batch.core.start
    print(
        f"{'way':10}{'ms a step':>12}{'sites':>8}\n{'ours':10}{best['ours'] * 1e3:12.1f}{sites:8}"
    )
    print(f"{'earlier':10}{best['earlier'] * 1e3:12.1f}{PADDED:8}\n")
    return best["earlier"] / best["ours"]


def pad(batch: Batch, labels: torch.Tensor) -> tuple[Batch, torch.Tensor]:
    """The core alone, padded to PADDED sites that are hidden, without labels."""
    more = PADDED - (batch.core.stop - batch.core.start)

    def widen(values: torch.Tensor, fill: float = 0) -> torch.Tensor:
        return functional.pad(values, (0, more), value=fill)

    core = batch.core
    wide = Batch(
        alleles=widen(batch.alleles[:, core], -1),
        references=widen(batch.references[:, :, core]),
        reference_valid=batch.reference_valid,
        hidden=functional.pad(batch.hidden[core], (0, more), value=True),
        core=slice(0, PADDED),
        centimorgan=widen(batch.centimorgan[core]),
        frequency=widen(batch.frequency[core]),
        population_frequency=widen(batch.population_frequency),
        genotype_frequency=functional.pad(batch.genotype_frequency, (0, 0, 0, more)),
    )
    return wide, widen(labels, -1)


def half(batch: Batch, number: int) -> Batch:
    """The first or the second haplotype of everyone."""
    rows = {
        name: getattr(batch, name)[number::2]
        for name in ("alleles", "references", "reference_valid")
    }
    return Batch(
        **{**vars(batch), **rows, "population_frequency": batch.population_frequency[number::2]}
    )


def attend_eagerly(query, key, value, attn_mask=None, dropout_p=0.0):
    """Attention that writes out its weights, as it was before fused kernels."""
    weights = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if attn_mask is not None:
        weights = weights.masked_fill(~attn_mask, -math.inf)
    return functional.dropout(torch.softmax(weights, dim=-1), dropout_p) @ value


@contextmanager
def timing(case: Case, spent: Counter, part: str):
    """Add the wall seconds of a block, all work on the device done."""
    if case.device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    yield
    if case.device.type == "cuda":
        torch.cuda.synchronize()
    spent[part] += time.perf_counter() - started


if __name__ == "__main__":
    main()
