"""The house rules: who imports whom, what every rule carries, how large things may grow, and one
word per stage.
"""

import ast
import re
from pathlib import Path

import pytest

from support import ROOT, parse_module

PACKAGE = ROOT / "workflow/haplorag"
STEPS = sorted(path for path in (PACKAGE / "steps").glob("*.py") if path.stem != "__init__")
CORE = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.parent.name != "steps" and path.stem != "__init__"
)
RULES = {
    match["name"]: match["body"]
    for file in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for match in re.finditer(
        r"^rule (?P<name>\w+):\n(?P<body>(?:(?:    .*)?\n)+)", file.read_text(), re.M
    )
}


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(parse_module(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def uses(path: Path, *libraries: str) -> bool:
    return any(name.split(".")[0] in libraries for name in imports_of(path))


@pytest.mark.parametrize("path", [*STEPS, *CORE], ids=lambda path: path.stem)
def test_only_the_command_line_imports_a_step(path):
    if wing_of(path) == "commands":
        return
    assert not [name for name in imports_of(path) if name.startswith("haplorag.steps")]


def wing_of(path: Path) -> str:
    """The wing a module lies in, or the module's own name where it lies beside the wings."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


BASE = {"alleles", "errors", "prefetch", "seeding", "settings", "io"}
ALLOWED = {
    "alleles": set(), "errors": set(), "prefetch": set(), "seeding": set(), "settings": {"errors"}, "configuration": {"errors", "io", "settings"},
    "io": {"errors"}, "vcf": {"alleles", "errors", "io"}, "panel": BASE, "masking": {"panel", "seeding", "settings"},
    "qc": BASE | {"panel", "vcf"}, "retrieval": BASE | {"panel"}, "li_stephens": BASE | {"panel"},
    "gpu": BASE | {"li_stephens", "network", "panel", "retrieval"},
    "network": BASE, "evaluation": BASE | {"panel", "vcf"},
    "dataset": BASE | {"li_stephens", "network", "panel", "retrieval"},
    "training": BASE | {"dataset", "evaluation", "gpu", "network", "panel"},
    "phasing": BASE | {"li_stephens", "panel", "seeding", "vcf"},
    "imputation": BASE | {"phasing", "dataset", "li_stephens", "network", "panel", "retrieval", "vcf", "qc"},
    "report": BASE | {"evaluation", "panel"}, "pipeline": {"errors", "io"},
    "commands": BASE | {
        "configuration", "evaluation", "imputation", "panel", "pipeline", "qc", "steps", "vcf",
    },
}  # fmt: skip


@pytest.mark.parametrize("path", CORE, ids=lambda path: f"{wing_of(path)}-{path.stem}")
def test_a_wing_imports_only_wings_below_it(path):
    wing = wing_of(path)
    imported = {name.split(".")[1] for name in imports_of(path) if name.startswith("haplorag.")}
    assert imported - {wing} <= ALLOWED[wing]


def test_only_stores_open_data_files():
    openers = {path for path in [*STEPS, *CORE] if uses(path, "h5py", "cyvcf2", "pysam")}
    assert {wing_of(path) for path in openers} <= {
        "io",
        "vcf",
        "panel",
        "steps",
        "evaluation",
        "retrieval",
    }


def test_networks_stay_where_they_belong():
    users = {path for path in [*STEPS, *CORE] if uses(path, "torch")}
    assert {wing_of(path) for path in users} <= {
        "network",
        "training",
        "dataset",
        "gpu",
        "imputation",
        "steps",
    }


@pytest.mark.parametrize("name", RULES)
def test_every_rule_keeps_log_time_environment_resources_and_fingerprint(name):
    for key in ("log:", "benchmark:", "conda:", "resources:", "params:"):
        assert re.search(rf"^    {key}", RULES[name], re.M), key
    assert "**growing(" in RULES[name]
    assert f'code=code("{name}")' in RULES[name]
    assert f"python -m haplorag.steps.{name} " in RULES[name]
    # What a job says, and what it warns of.
    assert RULES[name].rstrip().endswith('f" {logged}"')


@pytest.mark.parametrize(
    "path", [path for path in STEPS if path.stem != "preflight"], ids=lambda path: path.stem
)
def test_a_stage_has_one_word_everywhere(path):
    word = path.stem
    assert word in RULES
    assert (ROOT / f"tests/steps/test_{word}.py").exists()
    assert re.search(rf"^def {word}\(", path.read_text(), re.M)
    assert word in (ROOT / "workflow/Snakefile").read_text()
    assert word in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("path", [*STEPS, *CORE], ids=lambda path: path.stem)
def test_modules_stay_small(path):
    # Settings hold a line for every key; numba wants all kernels in one place.
    limits = {"settings": 560, "forward_backward": 640}
    limit = limits.get(path.stem, 180 if path in STEPS else 400)
    lines = len(path.read_text().splitlines())
    assert lines <= limit


@pytest.mark.parametrize("path", [*STEPS, *CORE], ids=lambda path: path.stem)
def test_public_things_are_described(path):
    tree = parse_module(path)
    described = [
        tree,
        *(node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)),
    ]
    assert not [
        getattr(node, "name", path.stem)
        for node in described
        if not getattr(node, "name", "x").startswith("_") and not ast.get_docstring(node)
    ]


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_conda_and_pip_agree(kind):
    pinned = {
        line
        for line in (ROOT / f"envs/{kind}.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    conda = (ROOT / f"envs/{kind}.yaml").read_text().split("  - pip:\n")[1]
    assert {line.strip(" -") for line in conda.splitlines()} == pinned
    assert all("==" in line for line in pinned)
