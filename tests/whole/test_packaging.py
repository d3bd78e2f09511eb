"""What pip installs and its command, what is pinned, and the workflow as a module of another one,
wherever its checkout lies.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support import ROOT, copy_checkout, parse_module

PACKAGE = ROOT / "workflow/haplorag"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
STEPS = {path.stem for path in (PACKAGE / "steps").glob("[!_]*.py")}
# Where the name that is imported is not the one that is installed.
INSTALLED_AS = {"yaml": "pyyaml", "faiss": "faiss-cpu"}
IMPORTING = """\
module haplorag:
    snakefile: {snakefile!r}
    config: config


use rule * from haplorag
"""


def run(*command: object, **options) -> subprocess.CompletedProcess:
    """Run a command; fails with what it said where it fails."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=200, **options
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy, for setuptools leaves files beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("config", "envs", "profiles", "workflow"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    pip = sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"
    run(*pip, "--wheel-dir", folder, folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def haplorag(wheel, tmp_path_factory):
    """Run the installed command, with nothing of the checkout in reach."""
    folder = tmp_path_factory.mktemp("installed")
    pip = sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"
    run(*pip, "--target", folder, wheel)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return lambda *words: run(folder / "bin/haplorag", *words, env=environment).stdout


def test_the_wheel_holds_the_package_with_its_templates(wheel):
    names = {Path(name) for name in zipfile.ZipFile(wheel).namelist()}
    sources = {path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py")}
    templates = {path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.j2")}
    assert len(templates) == 5
    parts = [Path("workflow/Snakefile"), *(path.relative_to(ROOT) for path in list_workflow())]
    workflow = {Path("haplorag/checkout") / path for path in parts}
    packaged = {name for name in names if name.parts[0] == "haplorag"}
    assert packaged == sources | templates | workflow


def list_workflow() -> list[Path]:
    """Files of the workflow beside the package: rules, configurations, environments, profiles."""
    folders = "workflow/rules", "workflow/report", "config", "envs", "profiles"
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return [path for path in files if path.is_file() and path.suffix not in (".py", ".pyc")]


def test_the_command_lists_every_step(haplorag):
    assert set(re.findall(r"^(\w+) +[A-Z].+\.$", haplorag("step"), re.M)) == STEPS


def test_the_command_runs_a_step(haplorag):
    assert "--roles" in haplorag("step", "samples", "--help")
    assert haplorag("--version") == f"haplorag {PROJECT['version']}\n"


def test_the_command_runs_the_workflow_that_is_in_the_package(haplorag, tmp_path):
    tiny = ROOT / "tests/tiny.yaml"
    plan = haplorag("run", "--dry-run", "--configfile", tiny, "--directory", tmp_path)
    assert jobs_of(plan)["training"] == 4
    assert "haplorag/checkout/profiles" in plan


def test_all_that_is_imported_is_asked_for():
    trees = [parse_module(path) for path in PACKAGE.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    roots = {name.split(".")[0] for name in names} - {
        "haplorag",
        "__main__",
        *sys.stdlib_module_names,
    }
    extras = PROJECT["optional-dependencies"]
    asked = PROJECT["dependencies"] + extras["cpu"] + extras["gpu"]
    assert {canonicalize_name(INSTALLED_AS.get(root, root)) for root in roots} <= {
        canonicalize_name(Requirement(line).name) for line in asked
    }


@pytest.mark.parametrize(
    ("extra", "files"),
    [
        ("cpu", ["cpu"]),
        ("gpu", ["gpu"]),
        ("slurm", ["slurm"]),
        ("docs", ["docs"]),
        ("dev", ["cpu", "slurm", "dev"]),
    ],
)
def test_what_is_pinned_fits_what_is_asked_for(extra, files):
    lines = [line for name in files for line in (ROOT / f"envs/{name}.txt").read_text().split()]
    pins = dict(line.split("==") for line in lines if "==" in line)
    common = PROJECT["dependencies"] if extra in ("cpu", "gpu") else []
    for line in common + PROJECT["optional-dependencies"][extra]:
        wanted = Requirement(line)
        if wanted.name != "haplorag":
            assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), line


def snakemake(folder: Path, *arguments: str) -> str:
    """Run Snakemake on the tiny configuration in a folder, with no path to any package set."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    tiny = ROOT / "tests/tiny.yaml"
    command = ["snakemake", *arguments, "--cores", "2", "--configfile", tiny]
    return run(*command, cwd=folder, env=environment).stdout


def jobs_of(plan: str) -> Counter:
    """Jobs per rule of a dry run."""
    return Counter(re.findall(r"^(?:rule|localrule) (\w+):", plan, re.M))


@pytest.fixture(scope="module", params=["plain", "bob's $(touch pwned) out"])
def checkout(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("checkouts") / request.param
    folder.mkdir()
    return copy_checkout(folder, compiled=True)


@pytest.fixture
def importing(checkout, tmp_path) -> Path:
    """A folder elsewhere whose workflow is nothing but this one as a module."""
    text = IMPORTING.format(snakefile=str(checkout / "workflow/Snakefile"))
    (tmp_path / "Snakefile").write_text(text)
    return tmp_path


def test_a_workflow_that_imports_this_one_plans_the_same(checkout, importing):
    ours, theirs = snakemake(checkout, "--dry-run"), snakemake(importing, "--dry-run")
    assert jobs_of(ours)["training"] == 4
    assert jobs_of(theirs) == jobs_of(ours)
    for plan in (ours, theirs):
        assert f"{checkout}/workflow/haplorag/report/templates/report.html.j2" in plan


def test_jobs_of_an_imported_workflow_run_its_code(checkout, importing):
    init = checkout / "workflow/haplorag/__init__.py"
    init.write_text("import sys\n\nprint(__file__, file=sys.stderr)\n")
    # Not even that of the logger, which is installed, comes before it.
    snakemake(importing, "results/demo/panel.tsv", "--logger", "haplorag")
    assert str(init) in (importing / "results/logs/demo/demo.log").read_text()
    # The name of a folder is no command.
    assert not list(importing.rglob("pwned")) and not list(checkout.rglob("pwned"))


def test_no_shell_reads_the_path_of_a_checkout():
    """What make puts into a command is read by a shell: a path in it might be a command."""
    recipes = [line for line in (ROOT / "Makefile").read_text().splitlines() if line[:1] == "\t"]
    assert recipes and not [line for line in recipes if "$(CURDIR)" in line]
