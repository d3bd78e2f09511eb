"""Says in a sentence what the accuracy of the models comes to."""

from __future__ import annotations

from typing import Any

from haplorag.evaluation.metrics import COMMON, RARE
from haplorag.report.styles import BASELINES, method_label
from haplorag.settings import PANEL_ONLY


def compare_models(mask: str, r2: dict[str, dict[str, float]], models: list[str]) -> dict[str, Any]:
    """The best model beside the best other method at a mask, at rare and at common sites.

    `r2` is by group of sites and method. Where no network was trained, the model over the panel is
    the model. A group without a model or without another method is left out.
    """
    models = models or [PANEL_ONLY]
    sentence: dict[str, Any] = {"mask": mask}
    for group in (RARE, COMMON):
        scores = r2.get(group, {})
        ours = _find_best(scores, [method for method in models if method in scores])
        other = _find_best(scores, [method for method in scores if method not in models])
        if ours is None or other is None:
            continue
        ratio = scores[ours] / scores[other] if scores[other] > 0 else float("inf")
        sentence[group] = {
            "ours": ours,
            "r2": scores[ours],
            "other": method_label(other),
            "other_r2": scores[other],
            # Percent.
            "more": 100 * (ratio - 1),
            "baseline": other in BASELINES,
        }
    return sentence


def _find_best(scores: dict[str, float], methods: list[str]) -> str | None:
    return max(methods, key=lambda method: scores[method], default=None)
