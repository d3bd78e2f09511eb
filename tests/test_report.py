"""The report: one file that fetches nothing, names nobody, and shows what was measured."""

import re
from html.parser import HTMLParser

import pytest

from conftest import ROOT
from haplorag.captions import CAPTIONS
from haplorag.steps.plots import plots
from haplorag.steps.report import report
from test_evaluation import TABLES, judged

__all__ = ["judged"]


@pytest.fixture(scope="module")
def page(judged, simulated):
    folder = judged[0]
    (folder / "times/training").mkdir(parents=True)
    (folder / "times/training/001.tsv").write_text("s\th:m:s\tmax_rss\n1.5\t0:00:01\t200\n")
    figures = []
    for figure in CAPTIONS:
        figures.append(folder / f"{figure}.svg")
        plots(*(folder / f"{name}.tsv" for name in TABLES), figures[-1], figure=figure, times=folder / "times")
    report(
        folder / "summary.json", folder / "accuracy.tsv", simulated.samples, ROOT / "workflow/report/report.html.j2",
        folder / "report.html", tallies=[simulated.folder / "genotypes/1.tally.tsv"],
        windows=[simulated.folder / "windows/1.tsv"], figures=figures, settings=simulated.settings, times=folder / "times",
    )  # fmt: skip
    return (folder / "report.html").read_text()


class Checker(HTMLParser):
    """Notes ids, and fails where tags do not close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.ids = [], []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in {"meta", "link", "br", "img", "hr", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_it_is_whole_and_closed(page):
    checker = Checker()
    checker.feed(page)
    assert not checker.open
    assert len(set(checker.ids)) == len(checker.ids)


def test_it_fetches_nothing(page):
    assert not re.findall(r"(?:src|href)=[\"'](?!#)[^\"']*", page)
    assert "@import" not in page and "url(http" not in page


def test_it_names_nobody(page, simulated):
    assert not [name for name in simulated.people["sample"] if name in page]


def test_it_shows_every_figure_and_mask(page, simulated):
    for figure in CAPTIONS:
        assert f'id="figure-{figure}"' in page
    for mask in simulated.settings.masks.test:
        assert f"Mask {mask}" in page
    assert "knows" in page and "1.000" in page
