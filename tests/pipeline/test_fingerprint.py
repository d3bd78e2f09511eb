"""A fingerprint moves with meaning and with nothing else."""

import shutil
import sys
import threading
from pathlib import Path

import pytest

from haplorag.pipeline import fingerprint
from haplorag.steps.baselines import baselines
from haplorag.steps.imputation import imputation
from haplorag.steps.neighbours import neighbours
from support import ROOT, SEED, draw_of, evaluate, panel_of, train

PACKAGE = ROOT / "workflow/haplorag"
STEPS = [path.stem for path in (PACKAGE / "steps").glob("[!_]*.py")]


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    (tmp_path / "inner").mkdir()
    files = {
        "step.py": (
            '"""A step."""\nfrom haplorag.core import Tool, work\n\n'
            'def run():\n    """Run."""\n    return work(Tool())\n'
        ),
        "core.py": (
            "from math import exp\nfrom haplorag.inner.deep import LIMIT, value as deep_value\n"
            "class Tool:\n    def use(self):\n        return exp(1)\n"
            "def work(tool):\n    return tool.use() + deep_value(LIMIT)\n"
            "def idle():\n    return exp(2)\n"
        ),
        "inner/__init__.py": "",
        "inner/deep.py": "LIMIT = 1\nSPARE = 5\ndef value(x):\n    return x\n",
        "other.py": "from cmath import exp\nvalue = 2\ndef deep():\n    return 1\n",
        "settings.py": "value = 3\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def edit(path, old, new):
    """Whether an edit changes the fingerprint of the step."""
    before = fingerprint.hash_module("haplorag.step")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return before != fingerprint.hash_module("haplorag.step")


def append(path, text):
    """Whether the fingerprint changes with more code in a module."""
    before = fingerprint.hash_module("haplorag.step")
    path.write_text(path.read_text() + text)
    return before != fingerprint.hash_module("haplorag.step")


def test_comments_docstrings_and_layout_do_not_count(package):
    assert not edit(
        package / "step.py", "    return work(Tool())", "    # why\n    return (work( Tool() ))"
    )
    assert not edit(package / "step.py", '"""Run."""', '"""Run it."""')


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("step.py", "work(Tool())", "work(Tool()) + 1"),
        ("core.py", "tool.use()", "2 * tool.use()"),
        # A method, whose name nobody knows to be one of this class.
        ("core.py", "return exp(1)", "return exp(3)"),
        ("inner/deep.py", "return x", "return -x"),
        ("inner/deep.py", "LIMIT = 1", "LIMIT = 2"),
        # The same code, of which a name means something else.
        ("core.py", "from math import exp", "from cmath import exp"),
        ("core.py", "value as deep_value", "LIMIT as deep_value"),
        ("core.py", "haplorag.inner.deep import LIMIT,", "haplorag.other import value as LIMIT, "),
    ],
)
def test_what_is_reached_counts(package, name, old, new):
    assert edit(package / name, old, new)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core.py", "def unused():\n    return 1\n"),
        ("core.py", "class Unused:\n    pass\n"),
        ("core.py", "import json\ndef unused():\n    return json\n"),
        ("inner/deep.py", "MORE = 7\n"),
        ("inner/deep.py", "def unused(x=1, *, y: int = 2):\n    return x\n"),
    ],
)
def test_what_nothing_reaches_does_not_count(package, name, text):
    assert not append(package / name, text)
    assert not edit(package / "core.py", "return exp(2)", "return exp(4)")
    assert not edit(package / "inner/deep.py", "SPARE = 5", "SPARE = 6")


def test_modules_that_are_not_imported_do_not_count(package):
    assert not edit(package / "other.py", "2", "3")


def test_settings_do_not_count(package):
    (package / "step.py").write_text("from haplorag import settings\n")
    assert not edit(package / "settings.py", "3", "4")


# What runs when a module is imported counts, whoever reaches its names.
@pytest.mark.parametrize(
    "text",
    [
        "import sys\nsys.setrecursionlimit(99)\n",
        "if LIMIT:\n    value = abs\n",
        "TABLE = {}\nTABLE['x'] = 1\n",
        "NOTED = print(1)\n",
        "for LIMIT in (1, 2):\n    pass\n",
        "def note(f):\n    return f\n@note\ndef unused():\n    return 1\n",
        "def note():\n    return 1\ndef unused(x=note()):\n    return x\n",
        "class Base:\n    pass\nclass Unused(Base):\n    pass\n",
        "class Unused:\n    seen = value(LIMIT)\n",
        "def __getattr__(name):\n    return 1\n",
        "def value(x):\n    return 2\n",
    ],
)
def test_what_a_module_does_when_it_is_imported_counts(package, text):
    assert append(package / "inner/deep.py", text)


def test_what_is_done_on_import_counts_in_its_order(package):
    append(package / "inner/deep.py", "print(1)\nprint(2)\n")
    assert edit(package / "inner/deep.py", "print(1)\nprint(2)", "print(2)\nprint(1)")


# Where the text does not tell what is reached, more counts: a name that only data could say.
@pytest.mark.parametrize(
    "text",
    [
        "from haplorag import other\nuse = getattr(other, input())\n",
        "def use():\n    from haplorag import other\n    return getattr(other, input())\n",
        "import haplorag.other\n",
        "import haplorag.other as use\n",
        "from haplorag.other import *\n",
        "import sys\ndef use():\n    return sys.modules[input()]\n",
        "from sys import modules\n",
        "from importlib import import_module as use\n",
        "import importlib\ndef use():\n    return importlib.util.find_spec(input())\n",
        "def use():\n    return eval(input())\n",
        "def use():\n    return globals()[input()]\n",
        "class Use:\n    def all(self):\n        return self.__subclasses__()\n",
        "class Use:\n    def __init_subclass__(cls):\n        pass\n",
    ],
)
def test_where_nobody_can_tell_all_counts(package, text):
    append(package / "core.py", text)
    assert edit(package / "other.py", "    return 1", "    return 2")


def test_a_function_imported_where_it_is_used_counts(package):
    append(package / "step.py", "def more():\n    from haplorag.other import deep\n    deep()\n")
    assert edit(package / "other.py", "    return 1", "    return 2")


def test_an_import_by_half_a_name_is_refused(package):
    append(package / "other.py", "from .core import work\n")
    with pytest.raises(ValueError, match="line 5"):
        fingerprint.hash_module("haplorag.other")


def test_a_spare_function_in_every_module_changes_no_step(tmp_path, monkeypatch):
    shutil.copytree(PACKAGE, tmp_path / "haplorag")
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path / "haplorag")
    before = [fingerprint.hash_module(f"haplorag.steps.{step}") for step in STEPS]
    for path in (tmp_path / "haplorag").rglob("*.py"):
        if path.parent.name != "steps":
            path.write_text(path.read_text() + "\n\ndef spare_function():\n    return 1\n")
    assert [fingerprint.hash_module(f"haplorag.steps.{step}") for step in STEPS] == before


def record(run) -> set[tuple[str, str]]:
    """The definitions of the package that a call runs, as module and name."""
    seen = set()

    def look(frame, event, argument):
        if event == "call":
            seen.add((frame.f_code.co_filename, frame.f_code.co_qualname.split(".")[0]))

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    paths = [(Path(file), name) for file, name in seen if name[0] != "<"]
    return {
        (".".join(["haplorag", *path.relative_to(PACKAGE).with_suffix("").parts]), name)
        for path, name in paths
        if path.is_relative_to(PACKAGE)
    }


def test_all_that_steps_run_counts(simulated, trained, judged, panel_imputer, tmp_path):
    """What is called while they run is among what they are said to reach."""
    where = {"draw": "test", "chromosome": "1", "seed": SEED}
    drawn = simulated.drawn("masks", "test")
    searched = simulated.genotypes, simulated.samples, simulated.windows, drawn, simulated.shards
    copied = {"panel": panel_of(simulated), "draw": draw_of(simulated, "test"), "batch_people": 5}
    copied |= {"mixing": simulated.settings.li_stephens.mixture, "name": "1", "seed": SEED}
    target = panel_imputer, simulated.folder / "demo/target.vcf.gz"
    # Without its page of quality, which counts for nothing.
    told = {"settings": simulated.settings.imputation}
    runs = {
        "neighbours": lambda: neighbours(
            *searched, tmp_path / "n.h5", settings=simulated.settings.neighbours, **where
        ),
        "baselines": lambda: baselines(tmp_path / "b.h5", vote_neighbours=8, **copied),
        "evaluation": lambda: evaluate(tmp_path, judged[0] / "1.h5", simulated, trained),
        "imputation": lambda: imputation(
            *target, tmp_path / "o.vcf.gz", tmp_path / "o.sites.tsv", **told
        ),
        "training": lambda: train(simulated, trained.parent / "000", tmp_path / "001"),
    }
    for step, run in runs.items():
        name = f"haplorag.steps.{step}"
        reached = fingerprint.list_reached(name)
        known = {
            (path, bound)
            for path, module in fingerprint._read_imported([name]).items()
            for piece in module.pieces
            if (path, piece.text) in reached
            for bound in piece.binds
        }
        ran = {place for place in record(run) if place[0] not in fingerprint.SKIPPED}
        assert len(ran) > 30 and ran <= known, (step, sorted(ran - known))
