"""Runs side by side: every method of every run, and how far it is from the first."""

import pytest

from haplorag.errors import InputError
from haplorag.evaluation.tables import read_accuracy
from haplorag.io.tables import write_table
from haplorag.steps.comparison import comparison


@pytest.fixture
def page(judged, tmp_path):
    path = judged[0] / "accuracy.tsv"
    better = read_accuracy(path)
    better["value"] = better["value"].where(better["method"] != "guesses", better["value"] + 0.0124)
    write_table(tmp_path / "better.tsv", better)
    comparison(
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


def test_a_table_of_an_older_version_is_refused(judged, tmp_path):
    older = read_accuracy(judged[0] / "accuracy.tsv").drop(columns="kind")
    write_table(tmp_path / "older.tsv", older)
    with pytest.raises(InputError, match="has no column `kind`"):
        comparison(tmp_path / "page.html", runs=["before"], accuracies=[tmp_path / "older.tsv"])
