"""Predictions of a trained model: at hidden sites only, better than the baselines."""

import numpy as np
import pytest

from haplorag.io import hdf5 as store
from haplorag.evaluation.metrics import copy_nearest, dosage_r2_by_site
from haplorag.panel.samples import find_people
from haplorag.steps.predictions import predictions
from haplorag.panel.windows import open_shards, read_windows


@pytest.fixture(scope="module")
def said(simulated, trained):
    path = simulated.folder / "predictions/copying/1.h5"
    drawn = (simulated.drawn(stage, "test") for stage in ("masks", "neighbours"))
    panel = simulated.genotypes, simulated.samples, simulated.frequencies, simulated.windows
    predictions(
        trained / "best.safetensors", *panel, *drawn, simulated.shards, path, model="copying",
        network=simulated.settings.network["copying"], batch_people=4, threads=2, gpus=0,
    )  # fmt: skip
    return store.read_arrays(path, "predictions")


def test_hidden_sites_of_test_people(simulated, said):
    assert said["methods"].tolist() == ["copying"]
    np.testing.assert_array_equal(said["people"], find_people(simulated.people, "test"))
    hidden = store.read_arrays(simulated.drawn("masks", "test"), "masks")["hidden"]
    known = ~np.isnan(said["probability"][0])
    np.testing.assert_array_equal(known, np.broadcast_to(hidden[:, None, :, None], known.shape))


def test_the_model_beats_its_nearest_neighbour(simulated, said):
    truth = store.read_arrays(simulated.genotypes, "genotypes", "calldata/GT")["calldata/GT"][:, said["people"]].swapaxes(0, 1)
    found, cut = store.read_arrays(simulated.drawn("neighbours", "test"), "neighbours"), read_windows(simulated.windows)
    packed = open_shards(simulated.shards)
    hidden = store.read_arrays(simulated.drawn("masks", "test"), "masks")["hidden"]
    for mask in range(len(hidden)):
        nearest = np.zeros(truth.shape)
        for window, (start, stop) in enumerate(cut.cores):
            items = (found["mask"] == mask) & (found["window"] == window)
            alleles = packed.haplotypes(np.arange(start, stop))[found["ids"][items].reshape(-1, found["ids"].shape[2])]
            copied = copy_nearest(alleles, found["distances"][items].reshape(len(alleles), -1), 1)
            nearest[:, start:stop] = copied.reshape(-1, 2, stop - start).swapaxes(1, 2)
        scores = [
            np.nanmean(dosage_r2_by_site(values[:, hidden[mask]].sum(axis=2), truth[:, hidden[mask]].sum(axis=2)))
            for values in (said["probability"][0, mask].astype(float), nearest)
        ]
        assert scores[0] > scores[1] + 0.02
