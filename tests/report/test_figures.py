"""Every figure has a caption, and bins of any size a place and a label."""

import numpy as np

from haplorag.report.axes import label_maf_bin, locate_maf_bins
from haplorag.report.captions import CAPTIONS
from haplorag.report.figures import FIGURES


def test_every_figure_has_a_caption():
    assert list(FIGURES) == list(CAPTIONS)


def test_bins_lie_at_the_log_of_their_middle():
    places = locate_maf_bins(["0-0.001", "0.001-0.01", "0.01-0.1"])
    np.testing.assert_allclose(places, [-3.5, -2.5, -1.5])


def test_very_rare_bins_are_labelled():
    assert label_maf_bin("1e-05-0.001") == "0.001-0.1 %"
