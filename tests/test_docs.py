"""The documents follow the code: pictures, links, paths and names that they mention."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from haplorag.vcf.fates import LEFT_OUT, REMARKS, UNWRITTEN, USED
from support import ROOT, parse_module

PACKAGE = ROOT / "workflow/haplorag"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PICTURES = ROOT / "docs/pictures"
# A path from the root; one with a placeholder such as <word> or {rule} stands for many.
PATH = re.compile(
    r"(?<![\w/.-])(?:tests|workflow|config|docs|benchmarks|profiles|envs)/[^\s`,;:)|\"'\]]*"
)
CODE_NAME = re.compile(r"([\w/]+\.py)::(\w+)")


def load_draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", ROOT / "docs/draw.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def anchors_of(document: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def names_of(path: Path) -> set[str]:
    """Functions, classes, methods and constants that a module defines."""
    names = set()
    for node in ast.walk(parse_module(path)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {
                part.id
                for target in targets
                for part in ast.walk(target)
                if isinstance(part, ast.Name)
            }
    return names


def test_pictures_are_those_of_the_code():
    drawn = load_draw().draw_pictures()
    assert {path.name for path in PICTURES.iterdir()} == set(drawn)
    for name, text in drawn.items():
        assert (PICTURES / name).read_text() == text, "run: python docs/draw.py"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    for link in links:
        file, _, anchor = link.partition("#")
        if re.match(r"\w+:", link):
            continue
        target = document.parent / file if file else document
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_paths_exist(document):
    for found in PATH.findall(document.read_text()):
        path = found.rstrip(".").partition("::")[0]
        if not re.search(r"[<{]|__pycache__", path):
            assert list(ROOT.glob(path)), path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_names_are_defined(document):
    for file, name in CODE_NAME.findall(document.read_text()):
        assert name in names_of(PACKAGE / file), f"{file}::{name}"


def test_what_holds_against_faults_is_tested():
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    rows = re.findall(r"^\|.*\|$", (ROOT / "docs/faults.md").read_text(), re.M)
    shown = [name for row in rows for name in re.findall(r"`([a-z]+(?:_[a-z]+){2,})`", row)]
    assert len(shown) > 10
    for name in shown:
        assert f"def test_{name}" in tests, name


def test_every_wing_is_described():
    wings = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    text = (ROOT / "docs/architecture.md").read_text()
    assert wings == set(re.findall(r"^\| `(\w+)` \|", text, re.M))


def test_the_table_of_fates_is_made_from_the_code():
    words = {"both": "panel, target"}
    rows = [
        f"| `{name}` | {words.get(fate.where, fate.where)} | {done} | {meaning} |"
        for done, fates in (
            ("used", USED),
            ("left out", LEFT_OUT),
            ("not written", UNWRITTEN),
            ("kept", REMARKS),
        )
        for name, fate in fates.items()
        for meaning in [fate.meaning.replace("|", "\\|")]
    ]
    text = (ROOT / "docs/input.md").read_text()
    shown = text.split("vcf/fates.py -->")[1].split("<!-- end of fates")[0].strip().splitlines()[2:]
    assert shown == rows, "write the rows of vcf/fates.py into docs/input.md"


def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("material", reason="needs mkdocs-material: make docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    commands = (tmp_path / "commands.html").read_text()
    assert "haplorag impute" in commands and "haplorag report" in commands
    configuration = (tmp_path / "configuration.html").read_text()
    keys = {"imputation.truth", "training.learning_rate", "li_stephens.mismatch", "seed"}
    assert not [key for key in keys if f"<code>{key}</code>" not in configuration]
