"""Baselines say what their names promise."""

import numpy as np

from haplorag.io.hdf5 import read_arrays
from haplorag.panel.haplotypes import open_shards
from haplorag.panel.windows import read_windows
from haplorag.steps.baselines import METHODS


def test_only_hidden_sites_are_predicted(simulated, baseline_predictions):
    hidden = read_arrays(simulated.drawn("masks", "test"), "masks")["hidden"]
    predicted = ~np.isnan(baseline_predictions["probability"])
    np.testing.assert_array_equal(predicted.all(axis=(0, 2, 4)), hidden)
    np.testing.assert_array_equal(predicted.any(axis=(0, 2, 4)), hidden)


def test_the_frequency_is_everyones(simulated, baseline_predictions):
    frequency = read_arrays(simulated.frequencies, "frequencies", "frequency")["frequency"]
    row = baseline_predictions["probability"][METHODS.index("allele_frequency"), 0, 3, :, 1]
    known = ~np.isnan(row)
    np.testing.assert_allclose(row[known], frequency[known], atol=5e-4)


def test_the_nearest_is_a_haplotype_of_the_panel(simulated, baseline_predictions):
    cut = read_windows(simulated.windows)
    panel = open_shards(simulated.shards).haplotypes(np.arange(*cut.cores[0]))
    row = baseline_predictions["probability"][
        METHODS.index("nearest_haplotype"), 0, 2, : cut.cores[0, 1], 0
    ]
    known = ~np.isnan(row)
    assert (panel[:, known] == row[known]).all(axis=1).any()
