"""What tests share: the checkout, a small simulated panel carried through the data stages, and a model trained on it."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from haplorag.configuration import merge, read_settings
from haplorag.panel.samples import read_samples
from haplorag.settings import FixedMasks, Settings
from haplorag.steps.demo import demo
from haplorag.steps.frequencies import frequencies
from haplorag.steps.genotypes import genotypes
from haplorag.steps.masks import masks
from haplorag.steps.neighbours import neighbours
from haplorag.steps.samples import samples
from haplorag.steps.shards import shards
from haplorag.steps.windows import windows

ROOT = Path(__file__).resolve().parent.parent
SEED = 5
SOURCES = ("Snakefile", "workflow", "config", "profiles", "envs")


def read_config(*overlays: str) -> dict:
    """The configuration, with overlays (paths from the root) laid over it."""
    merged: dict = {}
    for name in ("config/config.yaml", *overlays):
        merge(merged, yaml.safe_load((ROOT / name).read_text()))
    return merged


def copy_checkout(folder: Path, compiled: bool = False) -> Path:
    """Copy what a run needs of this checkout into a folder; with the machine code, where time is short."""
    ignore = None if compiled else shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        source = ROOT / name
        shutil.copytree(source, folder / name, ignore=ignore) if source.is_dir() else shutil.copy(source, folder)
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "tests/tiny.yaml", folder / "tests")
    return folder


@pytest.fixture
def config() -> dict:
    """The default configuration as a fresh dictionary."""
    return read_config()


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The tiny configuration, checked."""
    return read_settings(read_config("tests/tiny.yaml"))


@dataclass(frozen=True)
class Simulated:
    """Files of one simulated chromosome after the data stages."""

    folder: Path
    settings: Settings

    def __getattr__(self, name: str) -> Path:
        """Path of an artifact by its stage, such as `genotypes`."""
        endings = {"samples": ".tsv", "shards": ""}
        return self.folder / name / ("samples.tsv" if name == "samples" else f"1{endings.get(name, '.h5')}")

    def drawn(self, stage: str, draw: str) -> Path:
        """Path of masks or neighbours of a draw."""
        return self.folder / stage / draw / "1.h5"

    @property
    def people(self):
        """The table of samples."""
        return read_samples(self.samples)


def as_told(section):
    """A section as rules hand it to a step: JSON with sorted keys."""
    return type(section).model_validate_json(json.dumps(section.model_dump(mode="json"), sort_keys=True))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory, settings) -> Simulated:
    """Chromosome 1 of a small simulated panel, from VCF to the neighbours of validation, test and epoch 001."""
    made = Simulated(tmp_path_factory.mktemp("simulated"), settings)
    folder = made.folder
    vcf, panel = folder / "demo/1.vcf.gz", folder / "demo/panel.tsv"
    target, truth = folder / "demo/target.vcf.gz", folder / "demo/target.truth.vcf.gz"
    demo(panel, target, truth, vcf=[vcf], chromosomes=["1"], settings=settings.demo, seed=SEED)
    prepare(made, vcf, panel, SEED)
    return made


def prepare(made: Simulated, vcf: Path, panel: Path, seed: int) -> None:
    """Run the data stages, with roles of the people, masks and neighbours by a seed."""
    settings = made.settings
    samples(vcf, panel, made.samples, settings=settings.samples, seed=seed)
    tally = made.folder / "genotypes/1.tally.tsv"
    genotypes(vcf, made.samples, made.genotypes, tally, settings=settings.genotypes, chromosome="1")
    frequencies(made.genotypes, made.samples, made.frequencies)
    windows(made.frequencies, made.windows, made.folder / "windows/1.tsv", settings=settings.windows, chromosome="1")
    shards(made.genotypes, made.samples, made.windows, made.shards)
    for draw in ("validation", "test", "001"):
        curriculum = as_told(settings.masks.training) if draw == "001" else None
        fixed = None if curriculum else as_told(FixedMasks(masks=getattr(settings.masks, draw)))
        table = made.folder / f"masks/{draw}/1.tsv"
        where = {"draw": draw, "chromosome": "1", "seed": seed, "curriculum": curriculum}
        masks(made.frequencies, made.windows, made.drawn("masks", draw), table, fixed=fixed, **where)
        inputs = made.genotypes, made.samples, made.windows, made.drawn("masks", draw), made.shards
        neighbours(*inputs, made.drawn("neighbours", draw), settings=settings.neighbours, **where)


def panel_of(made: Simulated) -> dict:
    """The panel's files as steps that run a network take them."""
    return {
        "samples": made.samples,
        "genotypes": [made.genotypes],
        "frequencies": [made.frequencies],
        "windows": [made.windows],
        "shards": [made.shards],
        "validation_masks": [made.drawn("masks", "validation")],
        "validation_neighbours": [made.drawn("neighbours", "validation")],
    }


EPOCH_FILES = ("weights.safetensors", "state.pt", "best.safetensors", "history.json")


def files_of(folder: Path) -> list[Path]:
    """The four files of an epoch."""
    return [folder / name for name in EPOCH_FILES]


@pytest.fixture(scope="session")
def trained(simulated) -> Path:
    """Folder of the `copying` model after epoch 001; epoch 000 lies beside it."""
    from haplorag.steps.training import training
    from haplorag.steps.untrained import untrained

    folder = simulated.folder / "training/copying"
    tiny = simulated.settings
    common = {"model": "copying", "network": tiny.network["copying"], "seed": SEED, "threads": 2, "gpus": 0}
    common |= {"settings": tiny.training_of("copying"), **panel_of(simulated)}
    untrained(*files_of(folder / "000"), **common)
    drawn = {"masks": [simulated.drawn("masks", "001")], "neighbours": [simulated.drawn("neighbours", "001")]}
    training(*files_of(folder / "000"), *files_of(folder / "001"), folder / "001/metrics.tsv", epoch=1, **drawn, **common)
    return folder / "001"


def random_haplotypes(generator: np.random.Generator, people: int, sites: int) -> np.ndarray:
    """Haplotypes int8 [2n, S] with frequencies of all sizes."""
    share = generator.beta(0.3, 0.6, sites)
    return (generator.random((2 * people, sites)) < share).astype(np.int8)
