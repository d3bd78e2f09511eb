"""What tests share that is no fixture: the checkout, a simulated panel carried through the data
stages, small batches.
"""

import ast
import gc
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from haplorag.configuration import merge
from haplorag.dataset.files import DrawFiles, PanelFiles
from haplorag.evaluation.tables import EvaluationTables
from haplorag.network.batch import Batch, PanelPosterior
from haplorag.panel.haplotypes import pack
from haplorag.panel.ploidy import Ploidy, assume_diploid, mark_absent
from haplorag.panel.samples import read_samples
from haplorag.settings import FixedMasks, Settings
from haplorag.steps.evaluation import evaluation
from haplorag.steps.frequencies import frequencies
from haplorag.steps.genotypes import genotypes
from haplorag.steps.imputer import imputer
from haplorag.steps.masks import masks
from haplorag.steps.neighbours import neighbours
from haplorag.steps.rates import rates
from haplorag.steps.samples import samples
from haplorag.steps.shards import shards
from haplorag.steps.training import training
from haplorag.steps.windows import windows
from haplorag.training.files import EpochFiles

ROOT = Path(__file__).resolve().parent.parent
SEED = 5
SOURCES = ("workflow", "config", "profiles", "envs")
EPOCH_FILES = ("weights.safetensors", "state.pt", "best.safetensors", "history.json")
TABLES = ("accuracy", "differences", "calibration", "along", "learning", "masks", "recall")
CHECK_ACCESS = """<script>
axe.run(document, {resultTypes: ["violations"]}).then(found => {
  const bad = found.violations.filter(one => ["serious", "critical"].includes(one.impact));
  const say = one => one.id + ": " + one.nodes.map(node => node.target.join(" ")).join(", ");
  document.title = `checked ${found.passes.length > 10} faults ${bad.map(say).join("; ") || "none"}`;
});
</script></body>"""
needs_chromium = pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
PEOPLE, NEIGHBOURS, SITES, CORE = 3, 4, 30, slice(8, 22)


@cache
def parse_module(path: Path) -> ast.Module:
    """The syntax tree of a module.

    Not while garbage is collected: where a traceback is formatted then, Python before 3.11.8 and
    3.12.2 takes it for a fault of the tree (python/cpython#106905).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(path.read_text())
    finally:
        if was_on:
            gc.enable()


def read_config(*overlays: str) -> dict:
    """The configuration, with overlays (paths from the root) laid over it."""
    merged: dict = {}
    for name in ("config/config.yaml", *overlays):
        merge(merged, yaml.safe_load((ROOT / name).read_text()))
    return merged


def copy_checkout(folder: Path, compiled: bool = False) -> Path:
    """Copy what a run needs of this checkout into a folder; with the machine code, where time is
    short.
    """
    ignore = None if compiled else shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "tests/tiny.yaml", folder / "tests")
    return folder


def browse(folder: Path, page: str, *options: str) -> subprocess.CompletedProcess:
    """Open a page in a browser; gives the document and the log."""
    (folder / "page.html").write_text(page)
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", *options]
    command += [f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--dump-dom"]
    return subprocess.run(
        [*command, (folder / "page.html").as_uri()], capture_output=True, text=True, timeout=200
    )


def find_faults(folder: Path, page: str, scheme: str) -> str:
    """What axe-core finds serious in a page, in the dark (`0`) or light (`1`), in a line."""
    axe = (ROOT / "tests/report/axe/axe.min.js").read_text()
    checked = page.replace("<head>", f"<head><script>{axe}</script>")
    options = f"--blink-settings=preferredColorScheme={scheme}", "--virtual-time-budget=60000"
    done = browse(folder, checked.replace("</body>", CHECK_ACCESS), *options)
    return re.search(r"<title>(.*)</title>", done.stdout)[1]


@dataclass(frozen=True)
class Simulated:
    """Files of one simulated chromosome after the data stages."""

    folder: Path
    settings: Settings
    chromosome: str = "1"

    def __getattr__(self, name: str) -> Path:
        """Path of an artifact by its stage, such as `genotypes`."""
        endings = {"samples": ".tsv", "shards": ""}
        return (
            self.folder
            / name
            / (
                "samples.tsv"
                if name == "samples"
                else f"{self.chromosome}{endings.get(name, '.h5')}"
            )
        )

    def drawn(self, stage: str, draw: str) -> Path:
        """Path of masks or neighbours of a draw."""
        return self.folder / stage / draw / f"{self.chromosome}.h5"

    @property
    def people(self):
        """The table of samples."""
        return read_samples(self.samples)


def as_told(section):
    """A section as rules hand it to a step: JSON with sorted keys."""
    return type(section).model_validate_json(
        json.dumps(section.model_dump(mode="json"), sort_keys=True)
    )


def prepare(made: Simulated, vcf: Path, panel: Path, seed: int) -> None:
    """Run the data stages, with roles of the people, masks and neighbours by a seed."""
    settings, chromosome = made.settings, made.chromosome
    samples(vcf, made.samples, people=panel, settings=settings.samples, seed=seed)
    tally = made.folder / f"genotypes/{chromosome}.tally.tsv"
    genotypes(
        vcf, made.samples, made.genotypes, tally, settings=settings.genotypes, chromosome=chromosome
    )
    frequencies(made.genotypes, made.samples, made.frequencies)
    windows(
        made.frequencies,
        made.windows,
        made.folder / f"windows/{chromosome}.tsv",
        settings=settings.windows,
        chromosome=chromosome,
    )
    shards(made.genotypes, made.samples, made.windows, made.shards)
    for draw in ("validation", "test", "001"):
        curriculum = as_told(settings.masks.training) if draw == "001" else None
        fixed = None if curriculum else as_told(FixedMasks(masks=getattr(settings.masks, draw)))
        table = made.folder / f"masks/{draw}/{chromosome}.tsv"
        where = {"draw": draw, "chromosome": chromosome, "seed": seed, "curriculum": curriculum}
        masks(
            made.frequencies, made.windows, made.drawn("masks", draw), table, fixed=fixed, **where
        )
        inputs = made.genotypes, made.samples, made.windows, made.drawn("masks", draw), made.shards
        neighbours(*inputs, made.drawn("neighbours", draw), settings=settings.neighbours, **where)
        if fixed:
            inputs = made.windows, made.drawn("masks", draw), made.shards
            where = {"settings": settings.li_stephens, "chromosome": chromosome, "seed": seed}
            rates(*inputs, made.drawn("rates", draw), **where)


def draw_one_mask(made: Simulated, draw: str, name: str, output: Path) -> None:
    """Draw one of the masks of a fixed draw, by itself."""
    fixed = FixedMasks(masks={name: getattr(made.settings.masks, draw)[name]})
    where = {"draw": draw, "chromosome": made.chromosome, "seed": SEED}
    table = output.with_suffix(".tsv")
    masks(made.frequencies, made.windows, output, table, fixed=as_told(fixed), **where)


def panel_of(made: Simulated) -> PanelFiles:
    """The panel's files as steps that run a network take them."""
    lists = {
        name: [getattr(made, name)] for name in ("genotypes", "frequencies", "windows", "shards")
    }
    return PanelFiles(made.samples, **lists)


def draw_of(made: Simulated, draw: str) -> DrawFiles:
    """Masks, neighbours and rates of a draw; an epoch has the rates of validation."""
    rated = draw if draw in ("validation", "test") else "validation"
    stages = ("masks", draw), ("neighbours", draw), ("rates", rated)
    return DrawFiles(*([made.drawn(stage, of)] for stage, of in stages))


def files_of(folder: Path) -> list[Path]:
    """The four files of an epoch."""
    return [folder / name for name in EPOCH_FILES]


def epoch_of(folder: Path) -> EpochFiles:
    """The four files of an epoch as steps take them."""
    return EpochFiles(*files_of(folder))


def random_haplotypes(generator: np.random.Generator, people: int, sites: int) -> np.ndarray:
    """Haplotypes int8 [2n, S] with frequencies of all sizes."""
    share = generator.beta(0.3, 0.6, sites)
    return (generator.random((2 * people, sites)) < share).astype(np.int8)


def tables_of(folder: Path) -> EvaluationTables:
    """The tables of an evaluation, by their names in its folder."""
    return EvaluationTables(*(folder / f"{name}.tsv" for name in TABLES))


def evaluate(into, predictions, simulated, trained):
    evaluation(
        tables_of(into), into / "summary.json", samples=simulated.samples, chromosomes=["1"],
        genotypes=[simulated.genotypes], frequencies=[simulated.frequencies],
        predictions=[predictions], prediction_chromosomes=["1"],
        histories=[trained / "history.json"], rates=[simulated.folder / "masks/test/1.tsv"],
        draws=["test"], peers=[], settings=simulated.settings.evaluation, seed=SEED,
    )  # fmt: skip


def train(simulated, before, after, epoch=1, **changes):
    tiny = simulated.settings
    settings = tiny.training_of("copying").model_copy(update=changes)
    training(
        epoch_of(before), epoch_of(after), after / "metrics.tsv", model="copying", epoch=epoch,
        network=tiny.network["copying"], settings=settings, seed=SEED, threads=2, gpus=0,
        panel=panel_of(simulated), draw=draw_of(simulated, "001"),
        validation=draw_of(simulated, "validation"),
    )  # fmt: skip
    return json.loads((after / "history.json").read_text())


def gather_imputer(made: Simulated, output: Path, trained: Path | None = None) -> Path:
    """An imputer's folder, of the panel alone or with the network `copying` of an epoch's folder."""
    network = {}
    if trained:
        network = {"weights": trained / "best.safetensors", "history": trained / "history.json"}
        network["network"] = made.settings.network["copying"]
    stages = ("genotypes", "frequencies", "windows", "shards")
    imputer(
        output, **{stage: [getattr(made, stage)] for stage in stages}, chromosomes=[made.chromosome],
        model=output.name, neighbours=made.settings.neighbours, copying=made.settings.li_stephens,
        seed=SEED, **network,
    )  # fmt: skip
    return output


def batch_of(seed: int = 1, hidden_rate: float = 0.5) -> tuple[Batch, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    true = torch.randint(0, 2, (2 * PEOPLE, SITES), generator=generator, dtype=torch.int8)
    hidden = torch.rand(SITES, generator=generator) < hidden_rate
    length = CORE.stop - CORE.start
    frequency = torch.rand(SITES, generator=generator)
    batch = Batch(
        alleles=true.masked_fill(hidden, -1),
        references=torch.randint(
            0, 2, (2 * PEOPLE, NEIGHBOURS, SITES), generator=generator, dtype=torch.uint8
        ),
        reference_valid=torch.ones(2 * PEOPLE, NEIGHBOURS, dtype=torch.bool),
        hidden=hidden,
        core=CORE,
        centimorgan=torch.rand(SITES, generator=generator).sort().values / 10,
        frequency=frequency,
        population_frequency=frequency[CORE].expand(2 * PEOPLE, length),
        genotype_frequency=torch.full((PEOPLE, length, 3), 1 / 3),
        mosaic=mosaic_of(length, generator),
    )
    return batch, true[:, CORE]


def mosaic_of(length: int, generator: torch.Generator) -> PanelPosterior:
    """Two sites a place; the neighbours hold a part of the weight, the rest of the panel the other."""
    weights = torch.rand(2 * PEOPLE, length // 2, NEIGHBOURS + 2, generator=generator)
    posterior = (weights / weights.sum(-1, keepdim=True))[..., :NEIGHBOURS]
    place = torch.arange(length) // 2
    alternate = torch.rand(2 * PEOPLE, length, generator=generator)
    return PanelPosterior(
        alternate, posterior, place, 2 * torch.arange(length // 2), torch.arange(length // 2) / 100
    )


class PlainPanel:
    """A panel of haplotypes 0/1 uint8 [2n, S] in memory, read as a `ShardSet` is.

    Where a ploidy is given, second haplotypes that there are not are left out.
    """

    def __init__(self, panel: np.ndarray, ploidy: Ploidy | None = None) -> None:
        if len(panel) % 2:
            # The last one's second haplotype is not there.
            panel = np.concatenate([panel, panel[-1:]])
            ploidy = assume_diploid(len(panel) // 2)
            ploidy.people[:, -1] = 1
        self.panel = panel
        self.ploidy = ploidy or assume_diploid(len(panel) // 2)
        self.reference_haplotypes = int(self.ploidy.count_haplotypes().max())

    def by_site(self, sites: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.haplotypes(sites).T)

    def iterate_packed(self, sites: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for some in np.array_split(sites, 2):
            if len(some):
                # Some sites before the first that are not asked for.
                padded = np.pad(self.haplotypes(some), ((0, 0), (3, 0)), constant_values=1)
                yield pack(padded), 3 + np.arange(len(some))

    def haplotypes(self, sites: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        stretch = self.ploidy.find_stretch(sites[:1]) if len(sites) else [0]
        haploid = self.ploidy.people[stretch[0]] == 1
        there = self.panel[~(np.arange(len(self.panel)) % 2 & np.repeat(haploid, 2)).astype(bool)]
        return there[:, sites] if rows is None else there[rows][:, sites]

    def of_people(self, sites: np.ndarray, people: np.ndarray) -> np.ndarray:
        rows = np.stack([2 * people, 2 * people + 1], axis=1).ravel()
        alleles = self.panel[rows][:, sites].astype(np.int8)
        return mark_absent(alleles, sites, self.ploidy.take(people))
