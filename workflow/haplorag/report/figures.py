"""The figures of the report by name: which function draws each, and how it is written."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from haplorag.report.accuracy_figures import (
    draw_accuracy,
    draw_along,
    draw_calibration,
    draw_differences,
    draw_populations,
    draw_recall,
)
from haplorag.report.run_figures import draw_costs, draw_learning, draw_masks, draw_resources

FIGURES: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "accuracy": draw_accuracy,
    "differences": draw_differences,
    "populations": draw_populations,
    "along": draw_along,
    "calibration": draw_calibration,
    "costs": draw_costs,
    "recall": draw_recall,
    "learning": draw_learning,
    "masks": draw_masks,
    "resources": draw_resources,
}
