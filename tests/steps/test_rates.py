"""Rates of copying: of each mask, in a file that others read."""

import numpy as np

from haplorag.io.hdf5 import read_arrays
from haplorag.li_stephens.model_store import match_models, read_models
from haplorag.panel.windows import read_windows
from haplorag.steps.rates import rates
from support import SEED


def test_they_are_estimated_where_a_site_is_typed(simulated):
    models = read_models(simulated.drawn("rates", "test"))
    masks = read_arrays(simulated.drawn("masks", "test"), "masks")
    assert list(models) == masks["names"].tolist()
    settings = simulated.settings.li_stephens
    for hidden, model in zip(masks["hidden"], models.values(), strict=True):
        np.testing.assert_array_equal(model.mismatch[hidden], np.float32(settings.mismatch))
        assert len(np.unique(model.mismatch[~hidden])) > 3
        assert (np.diff(model.distance) >= 0).all()
        assert model.settings == tuple(settings.settings)


def test_without_rounds_they_are_those_assumed(simulated, tmp_path):
    settings = simulated.settings.li_stephens.model_copy(update={"estimation_rounds": 0})
    inputs = simulated.windows, simulated.drawn("masks", "test"), simulated.shards
    rates(*inputs, tmp_path / "r.h5", settings=settings, chromosome="1", seed=SEED)
    centimorgan = read_windows(simulated.windows).centimorgan
    for model in read_models(tmp_path / "r.h5").values():
        assert (model.mismatch == np.float32(settings.mismatch)).all()
        expected = (centimorgan - centimorgan[0]) * settings.switches_per_cm
        np.testing.assert_allclose(model.distance, expected)


def test_they_are_the_same_again(simulated, tmp_path):
    inputs = simulated.windows, simulated.drawn("masks", "test"), simulated.shards
    settings = simulated.settings.li_stephens
    again = tmp_path / "r.h5"
    rates(*inputs, again, settings=settings, chromosome="1", seed=SEED, threads=2)
    assert again.read_bytes() == simulated.drawn("rates", "test").read_bytes()


def test_other_masks_take_the_mean(simulated):
    models = read_models(simulated.drawn("rates", "validation"))
    assert match_models(models, list(models)) == list(models.values())
    (mean,) = match_models(models, ["of an epoch"])
    expected = np.mean([model.distance for model in models.values()], axis=0)
    np.testing.assert_allclose(mean.distance, expected)
