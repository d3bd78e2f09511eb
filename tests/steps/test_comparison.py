"""Runs side by side: every method of every run, and how far it is from the first."""

import pytest

from haplorag.io.tables import read_table, write_table
from haplorag.steps.comparison import comparison
from support import ROOT


@pytest.fixture
def page(judged, tmp_path):
    path = judged[0] / "accuracy.tsv"
    better = read_table(path, mask=str, chromosome=str, population=str, group=str)
    better["value"] = better["value"].where(better["method"] != "guesses", better["value"] + 0.0124)
    write_table(tmp_path / "better.tsv", better)
    template = ROOT / "workflow/haplorag/report/templates/comparison.html.j2"
    comparison(
        template,
        tmp_path / "page.html",
        runs=["before", "after"],
        accuracies=[path, tmp_path / "better.tsv"],
    )
    return (tmp_path / "page.html").read_text()


def test_differences_are_shown(page):
    assert page.count("+0.012") >= 3
    assert "<td>before</td>" in page and "<td>after</td>" in page


def test_it_fetches_nothing(page):
    assert "<svg" in page and "src=" not in page and "@import" not in page
