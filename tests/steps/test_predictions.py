"""Predictions of a trained model: at hidden sites only, better than the baselines."""

import numpy as np

from haplorag.evaluation.baselines import copy_nearest
from haplorag.evaluation.metrics import dosage_r2_by_site
from haplorag.io.hdf5 import read_arrays
from haplorag.panel.haplotypes import open_shards
from haplorag.panel.samples import find_samples
from haplorag.panel.windows import read_windows


def test_hidden_sites_of_test_people(simulated, model_predictions):
    assert model_predictions["methods"].tolist() == ["copying"]
    np.testing.assert_array_equal(
        model_predictions["people"], find_samples(simulated.people, "test")
    )
    hidden = read_arrays(simulated.drawn("masks", "test"), "masks")["hidden"]
    known = ~np.isnan(model_predictions["probability"][0])
    np.testing.assert_array_equal(known, np.broadcast_to(hidden[:, None, :, None], known.shape))


def test_the_model_beats_its_nearest_neighbour(simulated, model_predictions):
    truth = read_arrays(simulated.genotypes, "genotypes", "calldata/GT")["calldata/GT"][
        :, model_predictions["people"]
    ].swapaxes(0, 1)
    found, cut = (
        read_arrays(simulated.drawn("neighbours", "test"), "neighbours"),
        read_windows(simulated.windows),
    )
    packed = open_shards(simulated.shards)
    hidden = read_arrays(simulated.drawn("masks", "test"), "masks")["hidden"]
    for mask in range(len(hidden)):
        nearest = np.zeros(truth.shape)
        for window, (start, stop) in enumerate(cut.cores):
            items = (found["mask"] == mask) & (found["window"] == window)
            alleles = packed.haplotypes(np.arange(start, stop))[
                found["ids"][items].reshape(-1, found["ids"].shape[2])
            ]
            copied = copy_nearest(alleles, found["distances"][items].reshape(len(alleles), -1), 1)
            nearest[:, start:stop] = copied.reshape(-1, 2, stop - start).swapaxes(1, 2)
        scores = [
            np.nanmean(
                dosage_r2_by_site(
                    values[:, hidden[mask]].sum(axis=2), truth[:, hidden[mask]].sum(axis=2)
                )
            )
            for values in (model_predictions["probability"][0, mask].astype(float), nearest)
        ]
        assert scores[0] > scores[1] + 0.02
