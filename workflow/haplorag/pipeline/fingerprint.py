"""A short hash of what a step means: of the definitions that it reaches, in its own module and in
those of the project that it imports, and of what these do when they are imported.

Python finds a definition by its name. So one counts if its name stands, whatever it means there, in
any code that counts already; one that is named nowhere does not, nor do comments and docstrings. Of
a class all counts, and all of a module that is imported as such or by `*`. Where code is found in
another way than by a name in the text, the whole package counts.
"""

from __future__ import annotations

import ast
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
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
# Functions, and attributes, that find code in another way than by a name in the text.
FINDERS = {
    "eval",
    "exec",
    "globals",
    "importlib",
    "import_module",
    "runpy",
    "pkgutil",
    "__import__",
}
HOOKS = {"__import__", "__globals__", "__subclasses__", "__init_subclass__"}
SCOPES = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef


@dataclass(frozen=True)
class Piece:
    """A statement of a module: what it binds, its text, the names in it, and whether it does
    something when the module is imported, beyond binding names.
    """

    binds: set[str]
    text: str
    names: set[str]
    acts: bool


@dataclass(frozen=True)
class Module:
    """The pieces of a module; the modules of the project that it imports, and whether each of them
    as such; whether it finds code in another way than by its name.
    """

    pieces: list[Piece]
    imports: dict[str, bool]
    is_dynamic: bool


def hash_module(name: str) -> str:
    """Hash what module `name` (dotted, `haplorag.`...) means, 16 hex digits."""
    texts = "\n".join(f"{module} {text}" for module, text in sorted(list_reached(name)))
    return hashlib.sha256(texts.encode()).hexdigest()[:16]


def list_reached(name: str) -> set[tuple[str, str]]:
    """All that counts of module `name` and of those that it imports: pieces, as module and text."""
    modules = _read_imported([name])
    if any(module.is_dynamic for module in modules.values()):
        modules = _read_imported(_list_package())
        whole = set(modules)
    else:
        imports = [module.imports.items() for module in modules.values()]
        whole = {name, *(path for path, as_such in chain(*imports) if as_such)}
    by_name = defaultdict(list)
    pending = []
    for path, module in modules.items():
        for piece in module.pieces:
            for bound in piece.binds:
                by_name[bound].append((path, piece))
            if piece.acts or path in whole:
                pending.append((path, piece))
    reached: set[tuple[str, str]] = set()
    named: set[str] = set()
    while pending:
        path, piece = pending.pop()
        reached.add((path, piece.text))
        for other in piece.names - named:
            pending += by_name[other]
        named |= piece.names
    return reached


def _read_imported(pending: list[str]) -> dict[str, Module]:
    """Modules with all that they import, and that these import in turn, by name."""
    modules: dict[str, Module] = {}
    first = pending[0]
    while pending:
        name = pending.pop()
        if name not in modules and (name not in SKIPPED or name == first):
            modules[name] = _read_module(_find_source(name).read_text())
            pending += [*modules[name].imports, *_list_parents(name)]
    return modules


@cache
def _read_module(text: str) -> Module:
    """Take the text of a module apart."""
    tree = _drop_docstrings(ast.parse(text))
    imports: dict[str, bool] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for module, as_such in _list_imports(node):
                imports[module] = imports.get(module, False) or as_such
    own = {
        name
        for node in tree.body
        if not isinstance(node, ast.Import | ast.ImportFrom) or any(_list_imports(node))
        for name in _list_bound(node)
    }
    pieces: list[Piece] = []
    bound: set[str] = set()
    for node in tree.body:
        for part in _split_import(node):
            binds = _list_bound(part)
            acts = not binds or not bound.isdisjoint(binds) or _acts(part, own)
            bound |= binds
            # What is done is done in its order.
            number = sum(piece.acts for piece in pieces) if acts else ""
            names = set(_list_names(part))
            pieces.append(Piece(binds, f"{number} {ast.dump(part)}", names, acts))
    return Module(pieces, imports, any(map(_is_dynamic, ast.walk(tree))))


def _split_import(node: ast.stmt) -> Iterator[ast.stmt]:
    """An import as one for each name that it binds; any other statement as it is."""
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield ast.ImportFrom(node.module, [alias], node.level)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            yield ast.Import([alias])
    else:
        yield node


def _list_imports(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, bool]]:
    """Modules of the project that are imported, and whether as such, or all of them."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            found = [(alias.name, True)]
        elif node.level:
            raise ValueError(f"line {node.lineno}: a module is imported by its whole name here")
        else:
            found = [(f"{node.module}.{alias.name}", True), (str(node.module), alias.name == "*")]
        yield from (one for one in found if _is_module(one[0]))


def _list_bound(node: ast.stmt) -> set[str]:
    """Names that a statement of a module binds; none where it may do more than that."""
    if isinstance(node, SCOPES):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _list_names(node: ast.AST) -> Iterator[str]:
    """All names in a statement, of attributes and of what it imports too."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.Attribute):
            yield inner.attr
        elif isinstance(inner, ast.alias):
            yield inner.name


def _acts(node: ast.stmt, own: set[str]) -> bool:
    """Whether a statement that binds names may do more when it is imported.

    A value does unless it is plain, and a definition where names of the project, `own`, stand in
    what is evaluated with it.
    """
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__" or node.names[0].name == "*"
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return node.value is not None and any(_list_names(node.value))
    if not isinstance(node, SCOPES):
        return False
    evaluated = (name for part in _list_evaluated(node) for name in _list_names(part))
    return node.name.startswith("__") or not own.isdisjoint(evaluated)


def _list_evaluated(node: ast.stmt) -> Iterator[ast.AST]:
    """What is evaluated of a definition where it stands, annotations left out."""
    if isinstance(node, ast.ClassDef):
        yield from [*node.decorator_list, *node.bases, *node.keywords]
        for inner in node.body:
            yield from _list_evaluated(inner)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        defaults = [*node.args.defaults, *node.args.kw_defaults]
        yield from [*node.decorator_list, *(one for one in defaults if one is not None)]
    elif not isinstance(node, ast.AnnAssign):
        yield node
    elif node.value is not None:
        yield node.value


def _is_dynamic(node: ast.AST) -> bool:
    """Whether code may be found in another way than by its name."""
    if isinstance(node, ast.Attribute):
        return node.attr in HOOKS or ast.unparse(node) == "sys.modules"
    if isinstance(node, ast.ImportFrom) and node.module == "sys":
        return any(alias.name == "modules" for alias in node.names)
    names = {ast.Name: "id", ast.alias: "name", ast.FunctionDef: "name"}
    return getattr(node, names.get(type(node), ""), "") in FINDERS | HOOKS


def _is_module(name: str) -> bool:
    return name.split(".")[0] == "haplorag" and _find_source(name).exists()


def _find_source(module: str) -> Path:
    path = ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _list_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:number]) for number in range(1, len(parts))]


def _list_package() -> list[str]:
    paths = [path.relative_to(ROOT).with_suffix("") for path in ROOT.rglob("*.py")]
    names = [".".join(["haplorag", *path.parts]) for path in paths]
    return [name.removesuffix(".__init__") for name in names]


def _drop_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, *SCOPES)) and ast.get_docstring(node):
            node.body = node.body[1:]
    return tree
