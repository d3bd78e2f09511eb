"""The report: one file that fetches nothing, names nobody, and shows what was measured."""

import hashlib
import json
import re
import shutil
from html.parser import HTMLParser

import pandas as pd
import pytest

from haplorag.evaluation.targets import COLUMNS
from haplorag.io.tables import read_table, write_table
from haplorag.panel.samples import read_samples
from haplorag.report.captions import CAPTIONS
from haplorag.steps.plots import plots
from haplorag.steps.relatives import relatives
from haplorag.steps.report import report
from support import browse, find_faults, needs_chromium, tables_of

PHASING = "haplorag 0.1.0, against the panel, imputed from 4 phases"

# What a report is not given where nothing was judged.
NOTHING = ("evaluation", "figures", "figure_names", "targets", "target_names")


@pytest.fixture(scope="module")
def page(judged, simulated):
    folder = judged[0]
    (folder / "times/peers/guesses").mkdir(parents=True)
    (folder / "times/peers/guesses/1.tsv").write_text("s\th:m:s\tmax_rss\n2.5\t0:00:02\t300\n")
    (folder / "times/training").mkdir()
    (folder / "times/training/001.tsv").write_text("s\th:m:s\tmax_rss\n1.5\t0:00:01\t200\n")
    (folder / "logs/genotypes").mkdir(parents=True)
    (folder / "logs/peers/guesses").mkdir(parents=True)
    said = "09:00:01 cli: took 4.5 CPU seconds, 321 MB at the most\n"
    (folder / "logs/peers/guesses/1.log").write_text(said)
    warned = pd.DataFrame({"module": ["genotypes"], "message": ["x.vcf: star=1"]})
    write_table(folder / "logs/genotypes/1.log.warnings.tsv", warned)
    (folder / "logs/genotypes/1.log").write_text("09:00:01 genotypes: done\n")
    figures = []
    for figure in CAPTIONS:
        figures.append(folder / f"{figure}.svg")
        folders = {"times": folder / "times", "logs": folder / "logs"}
        plots(tables_of(folder), figures[-1], figure=figure, **folders)
    drawn = simulated.genotypes, simulated.frequencies
    relatives(
        simulated.samples, folder / "relatives.tsv", genotypes=[drawn[0]], frequencies=[drawn[1]]
    )
    shutil.copy(figures[0], folder / "example.svg")
    imputed = pd.DataFrame(
        [(3, 40, PHASING, "all", "all", 60, 0.9, 0.75, 50, 0.85, 0.95)],
        columns=["samples", "typed_sites", "phasing", *COLUMNS],
    )
    write_table(folder / "mine.tsv", imputed)
    evaluation = [folder / name for name in ("summary.json", "accuracy.tsv", "differences.tsv")]
    given = {
        "example": folder / "example.svg",
        "targets": [folder / "mine.tsv"],
        "target_names": ["mine"],
    }
    given |= {"evaluation": evaluation, "figures": figures, "figure_names": list(CAPTIONS)}
    return write_report(simulated, folder, **given)


def write_report(simulated, folder, **given):
    """A report into a folder, of an evaluation that lies there or of none."""
    report(
        simulated.samples, folder / "relatives.tsv", folder / "report.html",
        folder / "accuracy_mqc.tsv", folder / "targets_mqc.tsv", chromosomes=["1"],
        genotypes=[simulated.genotypes], tallies=[simulated.folder / "genotypes/1.tally.tsv"],
        windows=[simulated.folder / "windows/1.tsv"], settings=simulated.settings,
        times=folder / "times", logs=folder / "logs", **given,
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


def test_without_an_evaluation_it_says_so(page, judged, simulated, tmp_path):
    for name in ("relatives.tsv", "times", "logs"):
        (tmp_path / name).symlink_to(judged[0] / name)
    text = write_report(simulated, tmp_path, example=None, **{word: [] for word in NOTHING})
    checker = Checker()
    checker.feed(text)
    assert not checker.open
    assert "Nothing was evaluated" in text and "Nothing was evaluated" not in page
    links = re.findall(r'href="#(\w+)"', text)
    assert set(links) <= set(checker.ids) and "accuracy" not in links


def test_it_says_what_the_demo_is(page):
    assert "This panel is the demo" in page and "without any error" in page


def test_it_says_where_it_comes_from(page, simulated):
    sha256 = hashlib.sha256((simulated.folder / "demo/1.vcf.gz").read_bytes()).hexdigest()
    assert sha256 in page and "python -m haplorag.steps.training" in page
    assert '<th scope="row">genotypes/1</th>' in page
    assert "x.vcf: star=1" in page
    assert "genotypes: done" not in page


def test_it_tells_what_jobs_say_they_took_and_nothing_where_they_say_nothing(page):
    said = "<td>2.5</td><td>4.5</td><td>321</td>"
    assert page.count(said) == 2
    assert "<td>1.5</td><td></td><td></td>" in page


def test_it_counts_relatives_and_names_nobody(page, simulated, judged):
    listed = read_table(judged[0] / "relatives.tsv", first=str, second=str)
    assert f"<p>{len(listed):,} pairs of samples look as alike as siblings here" in page
    assert not [name for name in read_samples(simulated.samples)["sample"] if f">{name}<" in page]


CHECK = """<script>
const table = document.querySelector("table.sortable");
const head = table.tHead.querySelectorAll("th")[1];
const column = () => [...table.tBodies[0].rows].map(row => +row.cells[1].dataset.value);
const isSorted = values => values.every((value, at) => !at || values[at - 1] <= value);
const button = head.querySelector("button");
button.click(); const rising = isSorted(column());
button.click(); const falling = isSorted(column().reverse());
const isSeen = figure => figure.getBoundingClientRect().height > 40;
const seen = [...document.querySelectorAll("figure svg")].every(isSeen);
document.title = `sorted ${rising && falling} seen ${seen} faults ${window.faults}`;
</script></body>"""


@needs_chromium
def test_a_browser_shows_and_sorts_it(page, tmp_path):
    watched = page.replace(
        "<head>",
        "<head><script>window.faults = 0; window.onerror = () => { window.faults++; };</script>",
    )
    done = browse(tmp_path, watched.replace("</body>", CHECK))
    assert "<title>sorted true seen true faults 0</title>" in done.stdout
    assert "CONSOLE" not in done.stderr


@needs_chromium
@pytest.mark.parametrize("scheme", ["0", "1"], ids=["dark", "light"])
def test_everybody_can_read_it(page, tmp_path, scheme):
    assert find_faults(tmp_path, page, scheme) == "checked true faults none"


@needs_chromium
def test_tables_are_whole_at_a_usual_width(page, tmp_path):
    measure = """<script>
    const cut = [...document.querySelectorAll(".scroll")].filter(box => box.scrollWidth > box.clientWidth);
    document.title = "cut " + (cut.map(box => box.ariaLabel).join(", ") || "none");
    </script></body>"""
    done = browse(tmp_path, page.replace("</body>", measure), "--window-size=1280,900")
    assert "<title>cut none</title>" in done.stdout


def test_imputed_targets_have_their_place(page):
    assert "mine: 3 samples, 40 sites typed" in page and f"Phased by {PHASING}." in page
    assert "<td>0.850</td><td>0.950</td>" in page


def test_multiqc_finds_its_tables(page, judged):
    lines = (judged[0] / "accuracy_mqc.tsv").read_text().splitlines()
    head = [line for line in lines if line.startswith("# ")]
    assert '# plot_type: "table"' in head and '# id: "haplorag_accuracy"' in head
    described = next(line for line in head if line.startswith("# headers: "))
    shown = json.loads(described.removeprefix("# headers: "))
    assert shown["r2_rare"]["format"].format(0.9876) == "0.988"
    table = pd.read_csv(judged[0] / "accuracy_mqc.tsv", sep="\t", comment="#", index_col="Sample")
    assert table.loc["hide_50, knows", ["r2_rare", "r2_common"]].tolist() == [1, 1]
    targets = pd.read_csv(judged[0] / "targets_mqc.tsv", sep="\t", comment="#")
    assert targets.loc[0, ["Sample", "samples", "typed", "imputed"]].tolist() == ["mine", 3, 40, 60]


def test_it_fetches_nothing(page):
    assert not re.findall(r"(?:src|href)=[\"'](?!#)[^\"']*", page)
    assert "@import" not in page and "url(http" not in page


def test_it_names_nobody(page, simulated):
    assert not [name for name in simulated.people["sample"] if name in page]


def test_it_shows_every_figure_and_mask(page, simulated):
    for figure in (*CAPTIONS, "example"):
        assert f'id="figure-{figure}"' in page
    for mask in simulated.settings.masks.test:
        assert f"Mask {mask}" in page
    assert "knows" in page and "1.000" in page
