"""Every figure has a caption, and bins of any size a place and a label."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from haplorag.report.accuracy_figures import draw_along, draw_differences
from haplorag.report.axes import label_maf_bin, locate_maf_bins, scale_as_log
from haplorag.report.captions import CAPTIONS
from haplorag.report.figures import FIGURES


def test_every_figure_has_a_caption():
    assert list(FIGURES) == list(CAPTIONS)


def test_bins_lie_at_the_log_of_their_middle():
    places = locate_maf_bins(["0-0.001", "0.001-0.01", "0.01-0.1"])
    np.testing.assert_allclose(places, [-3.5, -2.5, -1.5])


@pytest.mark.parametrize(("low", "high"), [(0.6, 1.0), (0.3, 1.0), (0.002, 0.1), (1, 20_000)])
def test_a_log_axis_has_ticks_to_read_by_and_not_too_many(low, high):
    axis = Figure(figsize=(3, 2)).subplots()
    axis.plot([0, 1], [low, high])
    scale_as_log(axis.yaxis, pd.Series([low, high]))
    bottom, top = axis.get_ylim()
    seen = [tick for tick in axis.yaxis.get_majorticklocs() if bottom <= tick <= top]
    assert 3 <= len(seen) <= 8


def test_very_rare_bins_are_labelled():
    assert label_maf_bin("1e-05-0.001") == "0.001-0.1 %"


def along(*differences):
    """Two stretches of a chromosome, with the reference `b` and a method at each difference."""
    rows = [("half", "b", "", "1", 1000 * place, 9, 0.9, 0.8, 1.0) for place in (1, 2)]
    for number, apart in enumerate(differences):
        named = "half", f"m{number}", "b", "1"
        rows += [(*named, 1000 * place, 9, apart, apart, apart) for place in (1, 2)]
    columns = [
        "mask",
        "method",
        "versus",
        "chromosome",
        "centre_bp",
        "sites",
        "value",
        "low",
        "high",
    ]
    return pd.DataFrame(rows, columns=columns)


def test_a_legend_has_the_methods_of_all_panels():
    """Where masks have different references, a panel has methods that another has not."""
    rows = [
        (mask, method, versus, versus, "", group, kind, 0.01, 0.0, 0.02)
        for mask, method, versus in (("array", "ours", "beagle"), ("half", "beagle", "ours"))
        for group, kind in (("0-0.5", "maf_bin"), ("all", "all"))
    ]
    head = "mask", "method", "versus", "reference", "population", "group", "kind"
    figure = draw_differences(pd.DataFrame(rows, columns=[*head, "value", "low", "high"]))
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(named) == ["Beagle", "ours"]


def test_methods_far_from_the_reference_do_not_flatten_the_others():
    both = draw_along(along(0.01, -0.5))
    assert [text.get_text() for text in both.legends[0].get_texts()] == ["m0"]
    alone = draw_along(along(-0.5))
    assert len(alone.axes) == 1 and not alone.legends
