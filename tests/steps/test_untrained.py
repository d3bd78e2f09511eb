"""First weights: a function of seed and name, judged before any training."""

import json

from haplorag.steps.untrained import untrained
from support import SEED, draw_of, epoch_of, panel_of


def test_history_begins_with_the_untrained_network(trained):
    history = json.loads((trained.parent / "000/history.json").read_text())
    assert [entry["epoch"] for entry in history["epochs"]] == [0]
    judged = history["epochs"][0]["validation"]
    assert set(judged) == {"array", "hide_50"}
    assert 0 < judged["hide_50"]["all"]["r2"] <= 1
    assert history["parameters"] > 1000 and not history["stopped"]


def test_same_seed_same_weights(trained, simulated, tmp_path):
    tiny = simulated.settings
    common = {
        "network": tiny.network["copying"],
        "seed": SEED,
        "threads": 2,
        "gpus": 0,
        "panel": panel_of(simulated),
        "validation": draw_of(simulated, "validation"),
    }
    for model in ("copying", "other"):
        untrained(
            epoch_of(tmp_path / model), model=model, settings=tiny.training_of("copying"), **common
        )
    first = (trained.parent / "000/weights.safetensors").read_bytes()
    assert (tmp_path / "copying/weights.safetensors").read_bytes() == first
    assert (tmp_path / "other/weights.safetensors").read_bytes() != first
