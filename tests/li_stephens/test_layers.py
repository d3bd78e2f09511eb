"""The layers that correct an answer: they learn what there is to learn, and the same again."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from haplorag.li_stephens.layers import _draw_layers, _find_slopes, expit, train_layers
from haplorag.settings import MixtureSettings
from support import ROOT

SETTINGS = MixtureSettings(
    people=1, centimorgans=1, pairs=1, evident=0, width=16, epochs=4, learning_rate=0.01
)

LONGER = SETTINGS.model_copy(update={"epochs": 60, "learning_rate": 0.03})


def make_examples(count):
    """Answers that are right but where the first two features differ in sign."""
    generator = np.random.default_rng(1)
    features = generator.normal(size=(count, 3)).astype(np.float32)
    start = generator.normal(size=count).astype(np.float32)
    logit = start + np.where(features[:, 0] * features[:, 1] < 0, 2, -1)
    answers = generator.random(count) < 1 / (1 + np.exp(-logit))
    return features, start, answers


def correct(layers, features, start):
    hidden = features
    for number, (weight, bias) in enumerate(layers):
        hidden = (hidden * (1 + np.tanh(hidden / 2)) / 2 if number else hidden) @ weight.T + bias
    return start + hidden[:, 0]


def cross_entropy(logit, answers):
    return (np.logaddexp(0, logit) - logit * answers).mean()


def test_they_learn_what_corrects_the_answer():
    features, start, answers = make_examples(20_000)
    layers = train_layers(features[5000:], start[5000:], answers[5000:], LONGER, 1)
    found = correct(layers, features[:5000], start[:5000])
    true = start + np.where(features[:, 0] * features[:, 1] < 0, 2, -1)
    before, after, least = (
        cross_entropy(logit[:5000], answers[:5000]) for logit in (start, found, true)
    )
    assert after < least + 0.1 * (before - least)


@pytest.mark.parametrize("count", [1, 128, 300])
def test_slopes_are_those_of_the_mean_cross_entropy(count):
    features, start, answers = make_examples(count)
    generator = np.random.default_rng(2)
    layers = _draw_layers([3, 5, 4, 1], generator)
    layers[-1] = generator.normal(size=(1, 4)), np.array([0.3])
    layers = [tuple(part.astype(np.float64) for part in layer) for layer in layers]
    slopes = _find_slopes(layers, features, start, answers)
    for layer, number in ((0, 0), (1, 0), (1, 1), (2, 0), (2, 1)):
        part = layers[layer][number]
        at = (0,) * part.ndim
        losses = []
        for step in (1e-4, -2e-4):
            part[at] += step
            losses.append(cross_entropy(correct(layers, features, start), answers))
        part[at] += 1e-4
        expected = (losses[0] - losses[1]) / 2e-4
        assert slopes[2 * layer + number][at] == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_logistic_function_of_any_value_is_told_without_a_warning(kind):
    values = np.array([-1e30, -1e3, -50, -1.5, 0, 1.5, 50, 1e3, 1e30], dtype=kind)
    with np.errstate(over="raise", invalid="raise"):
        found = expit(values)
    assert found.dtype == kind
    np.testing.assert_allclose(found, (1 + np.tanh(values / 2)) / 2, atol=1e-7)
    np.testing.assert_array_equal(found[2:], 1 / (1 + np.exp(-values[2:])))


TRAIN = """
import hashlib
from test_layers import SETTINGS, make_examples, train_layers
layers = train_layers(*make_examples(5000), SETTINGS, 3)
print(hashlib.sha256(b"".join(part.tobytes() for layer in layers for part in layer)).hexdigest())
"""


def test_with_any_threads_of_blas_the_bytes_are_the_same():
    path = f"{ROOT / 'workflow'}:{ROOT / 'tests'}:{ROOT / 'tests/li_stephens'}"
    said = {
        subprocess.run(
            [sys.executable, "-c", TRAIN], check=True, capture_output=True,
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": threads},
        ).stdout
        for threads in ("1", "2")
    }  # fmt: skip
    layers = train_layers(*make_examples(5000), SETTINGS, 3)
    here = hashlib.sha256(b"".join(part.tobytes() for layer in layers for part in layer))
    assert said == {here.hexdigest().encode() + b"\n"}
