"""Fixtures that several files of tests use: a small simulated panel, a model trained on it, and
what is made of them.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

# Kernels of the GPU run by Triton's interpreter where there is none; it is asked for before Triton
# is loaded.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

from haplorag.configuration import read_settings
from haplorag.evaluation.predictions import create_predictions
from haplorag.imputation import mixing
from haplorag.io.hdf5 import creating_arrays, read_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.panel.samples import find_samples
from haplorag.settings import Settings
from haplorag.steps.baselines import baselines
from haplorag.steps.demo import demo
from haplorag.steps.exports import exports
from haplorag.steps.predictions import predictions
from haplorag.steps.training import training
from support import (
    SEED,
    Simulated,
    draw_of,
    draw_one_mask,
    epoch_of,
    evaluate,
    gather_imputer,
    panel_of,
    prepare,
    read_config,
)

# Small panels have few examples; what is learned from them is tested all the same.
mixing.LEAST_EXAMPLES = 5000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: workers that share the files end together."""
    items.sort(key=lambda item: (item.path.stem != "test_workflow", "whole" not in item.path.parts))


@pytest.fixture
def config() -> dict:
    """The default configuration as a fresh dictionary."""
    return read_config()


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The tiny configuration, checked."""
    return read_settings(read_config("tests/tiny.yaml"))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory, settings) -> Simulated:
    """Chromosome 1 of a small simulated panel, from VCF to the neighbours of validation, test and
    epoch 001.
    """
    made = Simulated(tmp_path_factory.mktemp("simulated"), settings)
    folder = made.folder
    vcf, panel = folder / "demo/1.vcf.gz", folder / "demo/panel.tsv"
    target, truth = folder / "demo/target.vcf.gz", folder / "demo/target.truth.vcf.gz"
    demo(panel, target, truth, vcf=[vcf], chromosomes=["1"], settings=settings.demo, seed=SEED)
    prepare(made, vcf, panel, SEED)
    return made


@pytest.fixture(scope="session")
def trained(simulated) -> Path:
    """Folder of the `copying` model after epoch 001; epoch 000 lies beside it."""
    from haplorag.steps.untrained import untrained

    folder = simulated.folder / "training/copying"
    tiny = simulated.settings
    common = {
        "model": "copying",
        "network": tiny.network["copying"],
        "seed": SEED,
        "threads": 2,
        "gpus": 0,
    }
    common |= {"settings": tiny.training_of("copying"), "panel": panel_of(simulated)}
    common |= {"validation": draw_of(simulated, "validation")}
    before, after = epoch_of(folder / "000"), epoch_of(folder / "001")
    untrained(before, **common)
    draw = draw_of(simulated, "001")
    training(before, after, folder / "001/metrics.tsv", epoch=1, draw=draw, **common)
    return folder / "001"


@pytest.fixture(scope="session")
def judged(simulated, trained):
    """Evaluation of made-up methods: one knows the truth, others add more or less noise to it."""
    folder = simulated.folder / "judged"
    hidden = read_arrays(simulated.drawn("masks", "test"), "masks")
    people = find_samples(simulated.people, "test")
    truth = read_arrays(simulated.genotypes, "genotypes", "calldata/GT")["calldata/GT"][
        :, people
    ].swapaxes(0, 1)
    noise = np.random.default_rng(1).random(truth.shape)
    said = (
        np.stack([truth, 0.5 * truth + 0.5 * noise, 0.9 * truth + 0.1 * noise])
        .astype(np.float16)[:, None]
        .repeat(len(hidden["names"]), axis=1)
    )
    said[:, ~np.broadcast_to(hidden["hidden"][:, None, :, None], said.shape[1:])] = np.nan
    with creating_arrays(folder / "1.h5", "predictions") as file:
        file.attrs["sources"] = describe_provenance(
            ("neighbours", simulated.drawn("neighbours", "test"))
        )
        methods = ["knows", "guesses", "nearly"]
        create_predictions(file, methods, hidden["names"].tolist(), people, said.shape)
        file["probability"][:] = said
    evaluate(folder, folder / "1.h5", simulated, trained)
    return folder, truth, said, hidden


@pytest.fixture(scope="session")
def imputer_folder(simulated, trained):
    """An imputer with a network."""
    return gather_imputer(simulated, simulated.folder / "imputer/copying", trained)


@pytest.fixture(scope="session")
def panel_imputer(simulated):
    """An imputer without a network."""
    return gather_imputer(simulated, simulated.folder / "imputer/li_stephens")


@pytest.fixture(scope="session")
def exported(simulated):
    """VCFs of the reference and, for one test mask, of the target; masks of that one."""
    folder = simulated.folder / "exports"
    panel = simulated.genotypes, simulated.samples
    drawn = folder / "masks.h5"
    draw_one_mask(simulated, "test", "hide_50", drawn)
    exports(*panel, folder / "reference.vcf.gz", role="reference", chromosome="1")
    exports(*panel, folder / "target.vcf.gz", role="test", masks=drawn, chromosome="1")
    return folder


@pytest.fixture(scope="session")
def baseline_predictions(simulated):
    path = simulated.folder / "baselines/1.h5"
    files = {"panel": panel_of(simulated), "draw": draw_of(simulated, "test")}
    mixing = simulated.settings.li_stephens.mixture
    baselines(path, vote_neighbours=8, batch_people=5, mixing=mixing, name="1", seed=SEED, **files)
    return read_arrays(path, "predictions")


@pytest.fixture(scope="session")
def model_predictions(simulated, trained):
    path = simulated.folder / "predictions/copying/1.h5"
    predictions(
        trained / "best.safetensors", path, model="copying",
        network=simulated.settings.network["copying"], batch_people=4, threads=2, gpus=0,
        panel=panel_of(simulated), draw=draw_of(simulated, "test"),
    )  # fmt: skip
    return read_arrays(path, "predictions")
