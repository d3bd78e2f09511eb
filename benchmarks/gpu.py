"""What does a GPU bring: the passes over the panel, imputation end to end, training, retrieval?

    PYTHONPATH=workflow python benchmarks/gpu.py --output gpu.json
    PYTHONPATH=workflow python benchmarks/gpu.py --output gpu.json --results results --chromosome 20
    python benchmarks/gpu.py --table docs/gpu.json --into docs/gpu.md

No part begins after ten minutes (--minutes). Panel, haplotypes and batches are made up, of the
sizes of the worked example; imputation end to end wants the results of a run, with an imputer, and
Minimac4 to be set beside. Every figure is printed with its goal, and with the device, the driver
and the versions it goes to a JSON, written anew after each part, of which --table makes the table
in docs/gpu.md. What could not be run is told with its reason, and its goals stand all the same.
`--device cpu` runs all that a CPU can at small sizes, kernels by Triton's interpreter: that tells
whether the benchmark works, and its times mean nothing. Exits 1 where a goal is missed.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import numpy as np

if "cpu" in sys.argv:
    # Before Triton is loaded.
    os.environ["TRITON_INTERPRET"] = "1"

import pysam
import torch
import torch.distributed as distributed
import yaml
from torch.utils.flop_counter import FlopCounterMode

from goals import ROOT, judge, measure
from haplorag.configuration import merge, read_settings
from haplorag.dataset.batches import iterate_shuffled
from haplorag.dataset.chromosome import ChromosomeData, open_chromosomes
from haplorag.dataset.files import DrawFiles, PanelFiles
from haplorag.errors import InputError
from haplorag.gpu import copying as gpu_copying
from haplorag.gpu.choice import choose_passes
from haplorag.gpu.panel_bits import PanelBits, Shape, read_panel_bits
from haplorag.gpu.passes import GpuPasses
from haplorag.gpu.search import rank_on
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.mixture import Mixture, describe_sites
from haplorag.li_stephens.model import answer, impute_sites
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.passes import CorePasses, Passes, trace_window
from haplorag.li_stephens.segments import cut_segments
from haplorag.network.batch import Batch
from haplorag.network.device import autocast, choose_device, configure_runtime
from haplorag.network.model import build_network, compile_transformer
from haplorag.panel.haplotypes import pack
from haplorag.panel.masked_window import MaskedWindow
from haplorag.panel.ploidy import assume_diploid, find_own_rows
from haplorag.retrieval.search import search_neighbours
from haplorag.settings import (
    PANEL_ONLY,
    CopyingSetting,
    NeighbourSettings,
    NetworkSettings,
    OptimisationSettings,
)
from haplorag.training.distributed import all_reduce_gradients
from haplorag.training.epoch import EpochProgress, EpochTask, Learner, train_epoch
from haplorag.training.loss import compute_loss
from haplorag.training.optimiser import build_optimiser

PACKAGES = ("haplorag", "torch", "triton", "numpy", "faiss-cpu", "numba")
# Founders that the made-up haplotypes are mosaics of, and the sites of a tile of the mosaic.
FOUNDERS, TILE_SITES = 200, 128
TWO_TILES = 10_000
TWO_CARDS = "two processes, a GPU each, whose gradients added up"
BESIDE_THE_STEP = "a step of copying in an epoch, beside that step alone"
# People of the larger target.
MANY = 2000
# A window that a copying network is told of: typed sites on either side of its core.
FLANK = 800
# Units of times and of what is made of times.
OF_TIME = ("s", "ms", "x", "%", "TFLOP/s", "billion/s")
MARKS = "<!-- benchmarks/gpu.py -->", "<!-- end of benchmarks/gpu.py -->"


Goal = tuple[str, float]
# Unit and goal of figures by their names.
Figures = dict[str, tuple[str, Goal | None]]
EXACT: Goal = ("at most", 1e-5)
WAYS = ("mean of the settings", "weighed")


@dataclass(frozen=True)
class Sizes:
    """How large what is measured is. Sites of which a tenth is typed, and people."""

    haplotypes: int
    sites: int
    people: int
    people_on_cores: int
    large_panel: int
    large_sites: int
    batch_people: int
    batch_sites: int
    retrieval_sites: int
    matrix: int
    steps: int


CARD = Sizes(4008, 24_804, 375, 2, 60_000, 1_000, 24, 512, 1_300, 8192, 10)
# For Triton's interpreter, which takes a hundredth of a second for an operation.
TINY = Sizes(24, 40, 1, 1, 70, 16, 1, 8, 40, 64, 1)


@dataclass
class Report:
    """Figures, each with its goal where it has one, and what could not be run."""

    machine: dict[str, str]
    counts: bool
    output: Path | None
    ends: float
    figures: list[dict] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: float | None, unit: str = "", goal: Goal | None = None) -> None:
        """Print a figure, None where it was not measured. Times are judged where they mean
        something."""
        met = None
        if value is None:
            wanted = f", wanted {goal[0]} {goal[1]:,g} {unit}".rstrip() if goal else ""
            print(f"{name}: not measured{wanted}", flush=True)
        elif goal and (self.counts or unit not in OF_TIME):
            met = judge(name, value, *goal, f" {unit}" if unit else "")
        else:
            print(f"{name}: {value:,.4g} {unit}", flush=True)
        words = " ".join([goal[0], f"{goal[1]:g}"]) if goal else None
        number = None if value is None else float(value)
        self.figures.append(
            {"name": name, "value": number, "unit": unit, "goal": words, "met": met}
        )

    def run(
        self, part: str, measure_part: Callable[[], None], figures: Figures | None = None
    ) -> None:
        """Measure a part; where that cannot be done, tell why and go on: its `figures`, units and
        goals by name, then stand there without."""
        print(f"\n{part}", flush=True)
        started = time.perf_counter()
        try:
            if started > self.ends:
                raise NotMeasuredError("the time was over; give it more: --minutes")
            measure_part()
        except (InputError, MemoryError, NotMeasuredError) as error:
            self.leave_out(part, str(error))
        known = {figure["name"] for figure in self.figures}
        for name, (unit, goal) in (figures or {}).items():
            if name not in known:
                self.add(name, None, unit, goal)
        print(f"({time.perf_counter() - started:.1f} s)", flush=True)
        self.write()

    def write(self) -> None:
        """Write what there is so far."""
        told = {"machine": self.machine, "counts": self.counts}
        told |= {"figures": self.figures, "not_run": self.not_run}
        if self.output:
            self.output.write_text(json.dumps(told, indent=1) + "\n")

    def leave_out(self, part: str, reason: str) -> None:
        """Tell what was not run, and why."""
        print(f"not run, {part}: {reason}", flush=True)
        self.not_run[part] = reason


class NotMeasuredError(Exception):
    """Why something could not be measured."""


class MadeUpPanel:
    """Haplotypes in memory, mosaics of founders, read as a `ShardSet` is."""

    def __init__(self, generator: np.random.Generator, haplotypes: int, sites: int) -> None:
        frequency = generator.beta(0.2, 0.8, sites)
        self._founders = (generator.random((FOUNDERS, sites)) < frequency).astype(np.uint8)
        self._generator = generator
        self.reference_haplotypes = haplotypes
        self.ploidy = assume_diploid(haplotypes // 2)
        self.panel = self.draw(haplotypes)

    def draw(self, haplotypes: int) -> np.ndarray:
        """More haplotypes of the same founders, 0/1 uint8 [N, S]."""
        sites = self._founders.shape[1]
        tiles = -(-sites // TILE_SITES)
        copied = self._generator.integers(0, FOUNDERS, (haplotypes, tiles))
        drawn = np.empty((haplotypes, sites), dtype=np.uint8)
        for tile in range(tiles):
            here = slice(tile * TILE_SITES, (tile + 1) * TILE_SITES)
            drawn[:, here] = self._founders[copied[:, tile], here]
        errs = self._generator.integers(0, drawn.size, drawn.size // 500)
        drawn.ravel()[errs] ^= 1
        return drawn

    def iterate_packed(self, sites: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Packed haplotypes uint8 [N, bytes] at sites, and their columns."""
        yield pack(self.panel[:, sites]), np.arange(len(sites))


@dataclass(frozen=True)
class CopyingCase:
    """A panel, which of its sites are typed, how haplotypes copy there, and some that do."""

    panel: MadeUpPanel
    typed: np.ndarray
    core: np.ndarray
    model: CopyingModel
    queries: Queries
    device: torch.device

    @classmethod
    def make(cls, haplotypes: int, sites: int, queries: int, device: torch.device) -> "CopyingCase":
        generator = np.random.default_rng(17)
        panel = MadeUpPanel(generator, haplotypes, sites)
        is_typed = np.zeros(sites, dtype=bool)
        is_typed[:: 10 if sites > 500 else 4] = True
        typed = np.flatnonzero(is_typed)
        factors = ((1, 1), (1, 25), (4, 5))
        kinds = tuple(CopyingSetting(switching=a, mismatch=b) for a, b in factors)
        distance = np.cumsum(generator.exponential(0.003, sites))
        model = CopyingModel(distance, np.full(sites, 0.003, np.float32), kinds)
        alleles = panel.draw(queries)[:, typed].astype(np.int8)
        asked = Queries(alleles, np.full(queries, -1))
        return cls(panel, typed, np.flatnonzero(~is_typed), model, asked, device)

    def take(self, queries: int) -> Queries:
        return Queries(self.queries.alleles[:queries], self.queries.owner[:queries])

    @property
    def mixture(self) -> Mixture:
        """Weights for the settings, made up, of the size of those that are learned."""
        generator = np.random.default_rng(17)
        widths = (len(self.model.settings) + 6, 24, 24, 1)
        layers = tuple(
            (generator.normal(0, 0.2, (after, before)).astype(np.float32), np.zeros(after, "f4"))
            for before, after in pairwise(widths)
        )
        ones = np.ones(widths[0], dtype=np.float32)
        return Mixture(1, 0 * ones, 3 * ones, layers)

    def impute(self, queries: Queries, bits: PanelBits, mixed: Mixture | None) -> np.ndarray:
        """Impute on a device, as the passes there do."""
        evident = -1 if mixed is None else mixed.evident
        traced = gpu_copying.trace_queries(queries, bits, self.model, self.device, evident)
        sites = describe_sites(bits, self.model)
        return answer(traced, sites, len(queries.alleles), mixed, torch.get_num_threads())


def main() -> None:
    """Measure what can be, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--output", type=Path, help="JSON to write")
    parser.add_argument("--results", type=Path, help="results of a run, for imputation end to end")
    parser.add_argument("--chromosome", default="1")
    parser.add_argument("--mask", default="array", help="name of a test mask of that run")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--minutes", type=float, default=10, help="no part begins after these")
    parser.add_argument("--table", type=Path, help="print the table of such a JSON, and no more")
    parser.add_argument("--into", type=Path, help="put that table into this document")
    given = parser.parse_args()
    if given.table:
        put_table(json.loads(given.table.read_text()), given.into)
        return
    try:
        device = find_device(given.device)
    except InputError as error:
        parser.error(f"{error}; or try the benchmark itself: --device cpu")
    configure_runtime(device, given.threads)
    facts = describe_machine(device)
    for name, value in facts.items():
        print(f"{name}: {value}")
    is_card = device.type == "cuda"
    ends = time.perf_counter() + 60 * given.minutes
    report, sizes = Report(facts, is_card, given.output, ends), CARD if is_card else TINY
    passes = lambda: measure_copying(report, sizes, device)  # noqa: E731
    report.run("passes over the panel", passes, list_copying())
    report.run("a panel in tiles", lambda: measure_tiles(report, sizes, device))
    search = lambda: measure_retrieval(report, sizes, device, given.threads)  # noqa: E731
    report.run("retrieval", search, list_retrieval())
    report.run("what a copying network is told", lambda: measure_tracing(report, sizes, device))
    for model in ("embedding_rag_v18", "token_rag_v17"):
        figures = list_training(model)
        part = lambda name=model: measure_training(report, sizes, device, name)  # noqa: E731
        report.run(f"training {model}", part, figures)
    epoch = lambda: measure_epoch(report, given, device)  # noqa: E731
    report.run("training end to end", epoch, {BESIDE_THE_STEP: ("x", ("at most", 1.5))})
    spread = lambda: measure_processes(report, device)  # noqa: E731
    report.run("several processes", spread, {TWO_CARDS: ("", ("at least", 2.0))})
    end_to_end = lambda: measure_imputation(report, given, device)  # noqa: E731
    report.run("imputation end to end", end_to_end, list_imputation())
    sys.exit(1 if any(figure["met"] is False for figure in report.figures) else 0)


def find_device(wanted: str) -> torch.device:
    """The device to measure. Raises InputError where it cannot be used."""
    if wanted == "cpu":
        return torch.device("cpu")
    device = choose_device(1)
    if device.type == "cpu":
        raise InputError("this machine has no GPU")
    return device


def describe_machine(device: torch.device) -> dict[str, str]:
    """Device, driver, versions."""
    facts = {"device": platform.processor() or platform.machine(), "driver": "none"}
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory
        facts["device"] = f"{torch.cuda.get_device_name(device)}, {memory / 1e9:.0f} GB"
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        done = subprocess.run(asked, capture_output=True, text=True)
        facts["driver"] = done.stdout.split("\n")[0].strip() or "not told"
        facts["CUDA"] = str(torch.version.cuda)
    facts |= {"cores": str(os.cpu_count()), "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            continue
    return facts


def least_seconds(device: torch.device, run: Callable[[], object], times: int = 3) -> float:
    """Least wall seconds of a few runs, all work on the device done."""
    best = float("inf")
    for _ in range(times):
        synchronise(device)
        started = time.perf_counter()
        run()
        synchronise(device)
        best = min(best, time.perf_counter() - started)
    return best


def synchronise(device: torch.device) -> None:
    """Wait until a device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def list_copying() -> Figures:
    """Figures of the passes, with units and goals."""
    figures: Figures = {f"largest difference from the CPU, {each}": ("", EXACT) for each in WAYS}
    return figures | {f"beside one core, {WAYS[0]}": ("x", ("at least", 100.0))}


def measure_copying(report: Report, sizes: Sizes, device: torch.device) -> None:
    """The passes beside those of one core, and that they give the same, weighed and not."""
    case = CopyingCase.make(sizes.haplotypes, sizes.sites, 2 * sizes.people, device)
    started = time.perf_counter()
    bits = read_panel_bits(case.panel, case.typed, case.core, case.model.distance)
    report.add("panel to bits", time.perf_counter() - started, "s")
    few = case.take(2 * sizes.people_on_cores)
    cut = cut_segments(case.panel, case.typed, case.core, case.model.distance)
    for mixed, words in zip((None, case.mixture), WAYS, strict=True):
        started = time.perf_counter()
        found = case.impute(few, bits, mixed)
        spent = time.perf_counter() - started
        report.add(f"first call, kernels compiled, {words}", spent, "s")
        expected = impute_sites(few, cut, case.model, 1, mixed)
        name = f"largest difference from the CPU, {words}"
        report.add(name, abs(found - expected).max(), goal=EXACT)
        core = least_seconds(
            torch.device("cpu"), lambda mixed=mixed: impute_sites(few, cut, case.model, 1, mixed), 2
        )
        core /= len(few.alleles)
        report.add(f"a haplotype on a core, {words}", 1e3 * core, "ms")
        each = time_haplotypes(case, bits, mixed)
        report.add(f"a haplotype on the device, {words}", 1e3 * each, "ms")
        name = f"beside one core, {words}"
        report.add(name, core / each, *list_copying().get(name, ("x", None)))
    if device.type == "cuda":
        block = bits.parts[0].shape.block
        for lanes, warps in ((1, 4), (1, 8), (2, 8), (2, 16), (4, 16), (4, 8)):
            shape = Shape(lanes, block, 1, warps)
            parts = [part._replace(shape=shape) for part in bits.parts]
            seconds = time_haplotypes(case, bits._replace(parts=parts), case.mixture)
            name = f"a haplotype weighed, {lanes} lanes and {warps} warps a program"
            report.add(name, 1e3 * seconds, "ms")


def time_haplotypes(case: CopyingCase, bits: PanelBits, mixed: Mixture | None) -> float:
    """Wall seconds a haplotype, where all are imputed."""
    repeats = 3 if case.device.type == "cuda" else 1
    whole = least_seconds(case.device, lambda: case.impute(case.queries, bits, mixed), repeats)
    return whole / len(case.queries.alleles)


def measure_tiles(report: Report, sizes: Sizes, device: torch.device) -> None:
    """A panel that no program's registers hold."""
    case = CopyingCase.make(sizes.large_panel, sizes.large_sites, 4, device)
    shape = None if sizes.large_panel > TWO_TILES else Shape(2, 64, -(-sizes.large_panel // 64), 1)
    bits = read_panel_bits(case.panel, case.typed, case.core, case.model.distance, shape)
    found = case.impute(case.queries, bits, case.mixture)
    cut = cut_segments(case.panel, case.typed, case.core, case.model.distance)
    expected = impute_sites(case.queries, cut, case.model, 1, case.mixture)
    name = f"largest difference, {sizes.large_panel:,} haplotypes in tiles"
    report.add(name, abs(found - expected).max(), goal=EXACT)
    if device.type == "cuda":
        seconds = least_seconds(device, lambda: case.impute(case.queries, bits, case.mixture))
        work = 3 * 4 * sizes.large_panel * len(case.typed)
        report.add("haplotypes x typed sites in tiles", work / seconds / 1e9, "billion/s")


def measure_tracing(report: Report, sizes: Sizes, device: torch.device) -> None:
    """What a copying network is told of a batch's window; on a card beside the step before."""
    case = CopyingCase.make(sizes.haplotypes, sizes.sites, 2 * sizes.batch_people, device)
    sites = np.arange(sizes.sites, dtype=np.int32)
    middle, half = sizes.sites // 2, min(512, sizes.sites // 2) // 2
    is_typed = np.isin(sites, case.typed)
    window = MaskedWindow(
        sites, (middle - half, middle + half), ~is_typed, case.model.distance, case.panel
    )
    haplotypes = np.full((len(case.queries.alleles), sizes.sites), -1, dtype=np.int8)
    haplotypes[:, case.typed] = case.queries.alleles
    neighbours = min(64, sizes.haplotypes // 2)
    ids = np.random.default_rng(17).integers(0, sizes.haplotypes, (len(haplotypes), neighbours))
    asked = case.model, window, haplotypes, ids, case.queries.owner, FLANK
    passes = GpuPasses(device, torch.get_num_threads(), "training.batch_people", sizes.batch_people)
    found = trace_window(passes, *asked)
    expected = trace_window(CorePasses(torch.get_num_threads()), *asked)
    far = max(
        abs(found.alternate - expected.alternate).max(),
        abs(found.posterior - expected.posterior).max(),
    )
    report.add("largest difference of what a network is told", far, goal=EXACT)
    repeats = 3 if device.type == "cuda" else 1
    seconds = least_seconds(device, lambda: trace_window(passes, *asked), repeats)
    name = "a batch traced, beside the step before"
    report.add(name, 1e3 * seconds, "ms", ("below", 30))


def list_retrieval() -> Figures:
    """Figures of retrieval, with units and goals."""
    windows = CARD.sites // 512 + 1
    return {
        "same neighbours as FAISS, ties and all": ("", ("at least", 1.0)),
        f"an epoch's refresh of a chromosome, {windows} windows": ("s", ("below", 10.0)),
        f"everybody's refresh of a chromosome, {windows} windows": ("s", ("below", 120.0)),
    }


def measure_retrieval(report: Report, sizes: Sizes, device: torch.device, threads: int) -> None:
    """A window's search beside FAISS on the cores, and a chromosome's."""
    generator = np.random.default_rng(17)
    panel = MadeUpPanel(generator, sizes.haplotypes, sizes.retrieval_sites).panel
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings = NeighbourSettings(**config["neighbours"])
    settings = settings.model_copy(update={"count": min(settings.count, sizes.haplotypes // 4)})
    core = sizes.retrieval_sites // 3, 2 * sizes.retrieval_sites // 3
    own = find_own_rows(np.arange(0, len(panel) + 1, 2), np.arange(len(panel)) // 2)
    rank = rank_on(device)

    def search(number: int, **ways: object) -> tuple[np.ndarray, np.ndarray]:
        asked = panel[:number].view(np.int8)
        return search_neighbours(asked, panel, core, own[:number], settings, threads, **ways)

    pairs = zip(search(32, rank=rank), search(32), strict=True)
    same = all(np.array_equal(ours, theirs) for ours, theirs in pairs)
    report.add("same neighbours as FAISS, ties and all", same, goal=("at least", 1.0))
    windows = CARD.sites // 512 + 1
    for number, name in ((32, "an epoch's refresh"), (len(panel), "everybody's refresh")):
        ours = windows * least_seconds(device, lambda n=number: search(n, rank=rank), 2)
        theirs = windows * least_seconds(torch.device("cpu"), lambda n=number: search(n), 1)
        name = f"{name} of a chromosome, {windows} windows"
        report.add(name, ours, *list_retrieval()[name])
        report.add(f"{name}, by FAISS, {threads} threads", theirs, "s")


def list_training(model: str) -> Figures:
    """Figures of a published design, with units and goals."""
    step = ("below", 30.0) if model == "embedding_rag_v18" else None
    return {
        f"a step of {model}, the faster": ("ms", step),
        f"{model}, of the rate of products": ("%", ("at least", 40.0)),
        f"flash attention's kernels in a step of {model}, as it is": ("", ("at least", 1.0)),
        # The larger of the two that were published.
        f"peak memory of {model}, as it is": ("GB", ("at most", 19.0)),
    }


def measure_training(report: Report, sizes: Sizes, device: torch.device, model: str) -> None:
    """Steps of a published design at full size, beside the device's rate of products."""
    reads, optimisation = read_design(model, sizes, device)
    rate = measure_products(sizes, device)
    report.add(f"rate of products, {model}", rate / 1e12, "TFLOP/s")
    batch, labels = make_batch(sizes, reads.neighbours)
    batch, labels = batch.to(device), labels.to(device)
    best = float("inf")
    for compiled in (False, True):
        words = f"{model}, compiled" if compiled else f"{model}, as it is"
        if compiled and device.type == "cpu":
            report.leave_out(words, "only on a GPU")
            continue
        torch.manual_seed(17)
        network = build_network(reads).to(device).train()
        if compiled:
            compile_transformer(network)
        step = make_step(network, batch, labels, optimisation)
        step()
        if not compiled:
            with FlopCounterMode(display=False) as counter:
                step()
        seconds = least_seconds(device, step, sizes.steps)
        report.add(f"a step of {words}", 1e3 * seconds, "ms")
        if device.type == "cuda":
            watch_step(report, step, words, device)
        best = min(best, seconds)
    values = 1e3 * best, 100 * counter.get_total_flops() / best / rate
    for value, (name, (unit, goal)) in zip(values, list_training(model).items(), strict=False):
        report.add(name, value, unit, goal)


def read_design(
    model: str, sizes: Sizes, device: torch.device
) -> tuple[NetworkSettings, OptimisationSettings]:
    """A published design, at full size on a GPU, and how it is trained."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    merge(config, yaml.safe_load((ROOT / f"config/{model}.yaml").read_text()))
    if device.type == "cpu":
        config["network"][model] |= {"width": 16, "layers": 1, "heads": 2}
    # Both at the batch that the issue of the published design is about.
    config["network"][model]["training"] |= {"batch_people": sizes.batch_people}
    settings = read_settings(config)
    return settings.network[model], settings.training_of(model)


def make_step(
    network: torch.nn.Module,
    batch: Batch,
    labels: torch.Tensor,
    optimisation: OptimisationSettings,
) -> Callable[[], None]:
    """A step of the optimiser on a batch."""
    optimiser = build_optimiser(network, optimisation)

    def step() -> None:
        with autocast(labels.device, optimisation.precision):
            output = network(batch)
        loss, number = compute_loss(output, batch, labels, optimisation)
        (loss / number).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def watch_step(report: Report, step: Callable[[], None], words: str, device: torch.device) -> None:
    """Memory that a step takes on a GPU, and whether it starts kernels of flash attention."""
    torch.cuda.reset_peak_memory_stats(device)
    name = f"flash attention's kernels in a step of {words}"
    report.add(name, count_flash(step), "", ("at least", 1.0))
    peak = torch.cuda.max_memory_allocated(device) / 1e9
    report.add(f"peak memory of {words}", peak, "GB", ("at most", 19.0))


def count_flash(step: Callable[[], None]) -> int:
    """How many kernels of flash attention a step starts."""
    kinds = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=kinds) as profiled:
        step()
    return sum(each.count for each in profiled.key_averages() if "flash" in each.key.lower())


def measure_products(sizes: Sizes, device: torch.device) -> float:
    """Floating-point operations a second of a large product in bfloat16."""
    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    left = torch.randn(sizes.matrix, sizes.matrix, device=device, dtype=kind)
    return 2 * sizes.matrix**3 / least_seconds(device, lambda: left @ left, 10)


def make_batch(sizes: Sizes, neighbours: int) -> tuple[Batch, torch.Tensor]:
    """A random batch, half of its sites hidden, all of them in the core; and its labels."""
    generator = torch.Generator().manual_seed(17)
    people, sites = sizes.batch_people, sizes.batch_sites
    true = torch.randint(0, 2, (2 * people, sites), generator=generator, dtype=torch.int8)
    hidden = torch.rand(sites, generator=generator) < 0.5
    frequency = torch.rand(sites, generator=generator)
    shape = 2 * people, neighbours, sites
    batch = Batch(
        alleles=true.masked_fill(hidden, -1),
        references=torch.randint(0, 2, shape, generator=generator, dtype=torch.uint8),
        reference_valid=torch.ones(shape[:2], dtype=torch.bool),
        hidden=hidden,
        core=slice(0, sites),
        centimorgan=torch.rand(sites, generator=generator).sort().values,
        frequency=frequency,
        population_frequency=frequency.repeat(2 * people, 1),
        genotype_frequency=torch.full((people, sites, 3), 1 / 3),
    )
    return batch, true


def measure_epoch(report: Report, given: argparse.Namespace, device: torch.device) -> None:
    """An epoch of the copying network over a run's chromosome, its batches made ahead, beside a
    step on a batch that is there."""
    if not given.results:
        raise NotMeasuredError("name the results of a run, with an epoch's draw: --results")
    settings = read_settings(yaml.safe_load((ROOT / "config/config.yaml").read_text()))
    reads, optimisation = settings.network["copying"], settings.training_of("copying")
    people, threads = optimisation.batch_people, torch.get_num_threads()
    chromosomes = open_run(given, choose_passes(device, threads, "training.batch_people", people))
    torch.manual_seed(17)
    network = build_network(reads).to(device)
    learner = Learner(network, build_optimiser(network, optimisation))
    task = EpochTask("copying", 1, reads, optimisation, 17)
    ends: list[float] = []
    train_epoch(
        learner, chromosomes, task, EpochProgress(0), lambda _: ends.append(time.perf_counter())
    )
    if len(ends) < 2:
        raise NotMeasuredError("the run's epoch has no two steps; name a larger one")
    paced = (ends[-1] - ends[0]) / (len(ends) - 1) / optimisation.accumulate
    batch, labels = next(filter(None, iterate_shuffled(chromosomes, people, reads, 17, 1)))
    step = make_step(network, batch.to(device), labels.to(device), optimisation)
    step()
    alone = least_seconds(device, step, 5)
    report.add("a step of copying in an epoch", 1e3 * paced, "ms")
    report.add(BESIDE_THE_STEP, paced / alone, "x", ("at most", 1.5))


def open_run(given: argparse.Namespace, passes: Passes) -> list[ChromosomeData]:
    """A run's chromosome, with the draw of its first epoch."""
    run, name = given.results, f"{given.chromosome}.h5"
    stages = [[run / stage / name] for stage in ("genotypes", "frequencies", "windows")]
    shards = [run / "shards" / given.chromosome]
    panel = PanelFiles(run / "samples/samples.tsv", *stages, shards)
    drawn = [[run / stage / "001" / name] for stage in ("masks", "neighbours")]
    draw = DrawFiles(*drawn, [run / "rates/validation" / name])
    for path in (panel.samples, *shards, *(path for part in (*stages, *drawn) for path in part)):
        if not path.exists():
            raise NotMeasuredError(f"the run has no {path.relative_to(run)}: it trained nothing")
    return open_chromosomes(panel, draw, passes)


def measure_processes(report: Report, device: torch.device) -> None:
    """Whether gradients of several processes add up, a GPU each: two where there are two."""
    there = torch.cuda.device_count() if device.type == "cuda" else 2
    processes = min(2, there)
    if there == 1:
        report.leave_out(TWO_CARDS, "this machine has one GPU")
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{folder}/meeting"
        arguments = processes, device.type, meeting
        torch.multiprocessing.spawn(_add_up, args=arguments, nprocs=processes)
    goal = ("at least", float(processes))
    report.add("processes whose gradients added up", processes, "", goal)
    if device.type == "cuda" and processes == 2:
        report.add(TWO_CARDS, processes, "", goal)


def _add_up(rank: int, processes: int, kind: str, meeting: str) -> None:
    """One process: its gradients are its number and one; all together must be their sum."""
    os.environ["LOCAL_RANK"] = str(rank)
    device = torch.device(kind, rank) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if kind == "cuda" else "gloo"
    distributed.init_process_group(backend, init_method=meeting, rank=rank, world_size=processes)
    network = torch.nn.Linear(8, 8).to(device)
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, rank + 1)
    all_reduce_gradients(network)
    wanted = processes * (processes + 1) / 2
    assert all(bool((parameter.grad == wanted).all()) for parameter in network.parameters())
    distributed.destroy_process_group()


def list_imputation() -> Figures:
    """Figures of imputation end to end, with units and goals."""
    return {
        f"imputation of {people} beside Minimac4": ("x", ("below", 1.0))
        for people in ("test people", f"{MANY:,} people")
    }


def measure_imputation(report: Report, given: argparse.Namespace, device: torch.device) -> None:
    """A run's test people, and two thousand made of them, beside Minimac4 on the same cores."""
    if not given.results:
        raise NotMeasuredError("name the results of a run, with an imputer: --results")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        target, reference = export_target(given, folder)
        started = time.perf_counter()
        set_beside_minimac4(report, given, device, "test people", target, reference)
        if device.type == "cpu":
            return
        with pysam.VariantFile(str(target)) as vcf:
            times = MANY / len(vcf.header.samples)
        now = time.perf_counter()
        if now + times * (now - started) > report.ends:
            raise NotMeasuredError(f"{MANY:,} people take longer than is left; --minutes")
        many = repeat_people(target, folder / "many.vcf.gz", MANY)
        set_beside_minimac4(report, given, device, f"{MANY:,} people", many, reference)


def set_beside_minimac4(
    report: Report,
    given: argparse.Namespace,
    device: torch.device,
    people: str,
    target: Path,
    reference: Path,
) -> None:
    """Impute a target, by part, and by Minimac4."""
    imputer = given.results / "imputer" / PANEL_ONLY
    spent, whole = impute_by_part(imputer, target, target.parent, given.threads, device)
    report.add(f"imputation of {people}", whole, "s")
    for part, seconds in spent.items():
        report.add(f"imputation of {people}, {part}", seconds, "s")
    if not shutil.which("minimac4"):
        report.leave_out(f"Minimac4 on {people}", "minimac4 is not installed")
        return
    theirs = run_minimac4(reference, target, target.parent, given.threads)
    report.add(f"Minimac4 on {people}, {given.threads} threads", theirs, "s")
    name = f"imputation of {people} beside Minimac4"
    report.add(name, whole / theirs, *list_imputation()[name])


def export_target(given: argparse.Namespace, folder: Path) -> tuple[Path, Path]:
    """A run's test people with the sites of a mask hidden, and its panel, as VCFs."""
    run, chromosome = given.results, given.chromosome
    masks = run / f"masks/test/{given.mask}/{chromosome}.h5"
    if not masks.exists():
        raise InputError(f"{masks}: is not there; name a test mask of the run with --mask")
    inputs = run / f"genotypes/{chromosome}.h5", run / "samples/samples.tsv"
    step = [sys.executable, "-m", "haplorag.steps.exports", *inputs, "--chromosome", chromosome]
    target, reference = folder / "target.vcf.gz", folder / "reference.vcf.gz"
    for words in ([target, "--role", "test", "--masks", masks], [reference, "--role", "reference"]):
        measure([str(word) for word in (*step, *words)])
    return target, reference


def repeat_people(source: Path, path: Path, people: int) -> Path:
    """Write a VCF with so many people, made of a target's by repetition under other names."""
    with pysam.BGZFile(str(source), "rb") as read, pysam.BGZFile(str(path), "wb") as written:
        for line in read:
            if line.startswith(b"##"):
                written.write(line + b"\n")
                continue
            words = line.split(b"\t")
            head, calls = words[:9], words[9:]
            if line.startswith(b"#"):
                repeated = [f"person{number}".encode() for number in range(people)]
            else:
                repeated = (calls * (people // len(calls) + 1))[:people]
            written.write(b"\t".join(head + repeated) + b"\n")
    return path


def impute_by_part(
    imputer: Path, target: Path, folder: Path, threads: int, device: torch.device
) -> tuple[Counter, float]:
    """Impute in this process; wall seconds by part, and of all."""
    from haplorag.gpu import passes
    from haplorag.imputation import engine
    from haplorag.steps import imputation as step
    from haplorag.vcf.writer import ImputedWriter

    spent: Counter[str] = Counter()
    timed = [
        (step, "read_target", "reading the target"),
        (passes, "read_panel_bits", "reading the panel"),
        (engine, "estimate_copying", "rates"),
        (engine, "learn_mixture", "learning the weights"),
        (engine, "answer", "passes and weighing"),
        (ImputedWriter, "write", "compressing"),
    ]
    settings = read_settings(yaml.safe_load((ROOT / "config/config.yaml").read_text())).imputation
    started = time.perf_counter()
    with timing_all(timed, spent):
        step.imputation(
            imputer, target, folder / "ours.vcf.gz", folder / "sites.tsv", settings=settings,
            threads=threads, gpus=int(device.type == "cuda"),
        )  # fmt: skip
    whole = time.perf_counter() - started
    # Threads do some of it side by side.
    spent["formatting and all else, at the least"] = max(0.0, whole - sum(spent.values()))
    return spent, whole


@contextmanager
def timing_all(timed: list[tuple[object, str, str]], spent: Counter) -> Iterator[None]:
    """Add up the wall seconds of functions, by the names of parts; what one of them takes inside
    another is not the other's."""
    within = threading.local()

    def time_one(run: Callable, part: str) -> Callable:
        @wraps(run)
        def timed_run(*arguments: object, **more: object) -> object:
            outer, within.spent = getattr(within, "spent", 0.0), 0.0
            started = time.perf_counter()
            try:
                return run(*arguments, **more)
            finally:
                whole = time.perf_counter() - started
                spent[part] += whole - within.spent
                within.spent = outer + whole

        return timed_run

    patches = [
        patch.object(owner, name, time_one(getattr(owner, name), part))
        for owner, name, part in timed
    ]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


def run_minimac4(reference: Path, target: Path, folder: Path, threads: int) -> float:
    """Wall seconds of Minimac4, its panel prepared beforehand."""
    panel = folder / "reference.msav"
    if not panel.exists():
        with panel.with_suffix(".new").open("wb") as file:
            subprocess.run(
                ["minimac4", "--compress-reference", str(reference)], stdout=file, check=True,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
        panel.with_suffix(".new").rename(panel)
    command = ["minimac4", str(panel), str(target), "-o", str(folder / "theirs.vcf.gz")]
    return measure([*command, "-O", "vcf.gz", "-f", "GT,DS,HDS", "-t", str(threads)])[0]


def put_table(told: dict, document: Path | None) -> None:
    """Print the table of a JSON, or put it between its marks into a document."""
    table = make_table(told)
    if document is None:
        print(table)
        return
    head, rest = document.read_text().split(MARKS[0])
    _, tail = rest.split(MARKS[1])
    document.write_text(f"{head}{MARKS[0]}\n{table}\n{MARKS[1]}{tail}")


def make_table(told: dict) -> str:
    """The figures of a JSON as a table for docs/gpu.md; without the times of an interpreter."""
    machine = ", ".join(f"{name} {value}" for name, value in told["machine"].items())
    lines = [f"Measured on: {machine}.", "", "| figure | | goal | |", "|---|---|---|---|"]
    for figure in told["figures"]:
        says = figure["value"] is not None and (told["counts"] or figure["unit"] not in OF_TIME)
        value = f"{figure['value']:,.4g} {figure['unit']}".strip() if says else "needs a GPU"
        if not says and figure["goal"] is None:
            continue
        goal = f"{figure['goal']} {figure['unit']}".strip() if figure["goal"] else ""
        met = {True: "met", False: "missed", None: ""}[figure["met"]]
        lines.append(f"| {figure['name']} | {value} | {goal} | {met} |")
    lines += ["", *(f"- Not run, {part}: {reason}." for part, reason in told["not_run"].items())]
    return "\n".join(lines).strip()


if __name__ == "__main__":
    main()
