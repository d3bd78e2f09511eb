"""Every figure is drawn from its table, the same twice, each method in its own colour."""

from html import escape

import pytest

from haplorag.evaluation.differences import read_differences
from haplorag.report.accuracy_figures import draw_populations
from haplorag.report.axes import save_svg
from haplorag.report.captions import CAPTIONS
from haplorag.report.styles import method_styles
from haplorag.steps.plots import plots
from support import tables_of


@pytest.mark.parametrize("figure", CAPTIONS)
def test_figures_are_drawn_and_repeat(judged, figure, tmp_path):
    for name in ("guesses", "nearly"):
        times = tmp_path / "times/peers" / name
        times.mkdir(parents=True)
        (times / "1.tsv").write_text("s\th:m:s\tmax_rss\n1.5\t0:00:01\t200\n")
    # Of the other nothing is known but its time.
    said = tmp_path / "logs/peers/guesses/1.log"
    said.parent.mkdir(parents=True)
    said.write_text("09:00:01 cli: took 2.5 CPU seconds, 222 MB at the most\n")
    for name in ("a.svg", "b.svg"):
        folders = {"times": tmp_path / "times", "logs": tmp_path / "logs"}
        plots(tables_of(judged[0]), tmp_path / name, figure=figure, **folders)
    text = (tmp_path / "a.svg").read_text()
    assert "</svg>" in text and len(text) > 5000
    assert text == (tmp_path / "b.svg").read_text()


@pytest.mark.parametrize("name", [r"$\frac{1}$", "$x$", "a_b^c", "<b>", "&amp;", "$"])
def test_names_as_markup_are_drawn_as_they_are(judged, name, tmp_path):
    """A population whose name is a formula, or a tag."""
    table = read_differences(tables_of(judged[0]).differences)
    first = next(filter(None, table["population"]))
    table["population"] = table["population"].replace(first, name)
    save_svg(draw_populations(table), tmp_path / "a.svg")
    assert f">{escape(name, quote=False)}<" in (tmp_path / "a.svg").read_text()


def test_a_method_keeps_its_colour():
    some, more = (
        method_styles(["copying", "beagle"]),
        method_styles(["nearest_haplotype", "beagle", "minimac4", "copying"]),
    )
    assert some["beagle"]["color"] == more["beagle"]["color"]
    assert some["copying"]["color"] == more["copying"]["color"]
    assert len({style["color"] for style in more.values()}) == 4
