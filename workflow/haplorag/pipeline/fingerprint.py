"""A short hash of what a module means: its code and that of the project modules it imports.

Comments and docstrings do not count.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# How a step is called and checked says nothing about what it computes; nor does the page beside an
# imputed VCF, for which nobody imputes again.
SKIPPED = {
    "haplorag",
    "haplorag.settings",
    "haplorag.configuration",
    "haplorag.errors",
    "haplorag.pipeline",
    "haplorag.pipeline.cli",
    "haplorag.pipeline.failures",
    "haplorag.pipeline.logs",
    "haplorag.report.qc_page",
}


def hash_module(name: str) -> str:
    """Hash module `name` (dotted, `haplorag.`...), 16 hex digits.

    Every project module that it reaches through imports counts.
    """
    pending = [name]
    seen: dict[str, str] = {}
    while pending:
        module = pending.pop()
        if module in seen or (module in SKIPPED and module != name):
            continue
        tree = ast.parse(_find_source(module).read_text())
        seen[module] = ast.dump(_drop_docstrings(tree))
        pending += _list_imports(tree)
    return hashlib.sha256(
        "".join(f"{module}\n{seen[module]}\n" for module in sorted(seen)).encode()
    ).hexdigest()[:16]


def _find_source(module: str) -> Path:
    path = ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _list_imports(tree: ast.Module) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [
        name for name in names if name.split(".")[0] == "haplorag" and _find_source(name).exists()
    ]


def _drop_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(
            node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        ) and ast.get_docstring(node):
            node.body = node.body[1:]
    return tree
