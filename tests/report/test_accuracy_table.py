"""Runs are compared method by method, with the first run as the measure."""

import pandas as pd
import pytest

from haplorag.report.accuracy_table import tabulate_runs


def test_cells_tell_the_difference_from_the_first_run():
    rows = [
        ("copying", "before", "rare", 0.5),
        ("copying", "after", "rare", 0.6),
        ("tokens", "after", "rare", 0.4),
    ]
    table = pd.DataFrame(rows, columns=["method", "run", "group", "value"])
    groups, tabulated = tabulate_runs(table, ["before", "after"])
    assert groups == ["rare"]
    assert [row[:2] for row in tabulated] == [
        ("copying", "before"),
        ("copying", "after"),
        ("tokens", "after"),
    ]
    assert tabulated[0][2] == [(0.5, None)]
    assert tabulated[1][2] == [(0.6, pytest.approx(0.1))]
    assert tabulated[2][2] == [(0.4, None)]
