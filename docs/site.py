"""Pages of the site that are made when it is built: mkdocs calls the functions `on_*`.

The README is the first page, other documents of the root are pages too; the commands are described
from their own --help, the configuration from the comments of its file and the types of its keys.
"""

import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
# Documents outside docs/, by the page that they become.
DOCUMENTS = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not files of docs/."""
    pages = {page: (ROOT / name).read_text() for page, name in DOCUMENTS.items()}
    pages["commands.md"] = describe_commands()
    pages["configuration.md"] = describe_configuration()
    pages["cite.md"] = describe_citation()
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links between documents of the repository to the pages that they have become."""
    of_document = {name: page_name for page_name, name in DOCUMENTS.items()}

    def lead(found: re.Match[str]) -> str:
        target, anchor = found[1], found[2] or ""
        plain = target.removeprefix("../")
        if plain in of_document:
            return f"]({of_document[plain]}{anchor})"
        return f"]({plain.removeprefix('docs/')}{anchor})"

    return re.sub(r"\]\((?!\w+:)([\w./-]+)(#[\w-]+)?\)", lead, markdown)


def describe_commands() -> str:
    """What each command and each step says of itself."""
    parts = [
        "# Commands\n\nMade from what `haplorag COMMAND --help` says. Steps are called by the rules"
        " of the workflow; `haplorag step NAME --help` has the same text.\n"
    ]
    environment = {"COLUMNS": "84", "NO_COLOR": "1", "TERM": "dumb"}
    for command in list_commands():
        words = [sys.executable, "-m", "haplorag.commands.main", command]
        text = run([*words, *([] if command == "step" else ["--help"])], environment)
        text = text.replace("python -m haplorag.commands.main", "haplorag")
        parts.append(f"## haplorag {command}\n\n```text\n{text}\n```\n")
    return "\n".join(parts) + "\n" + describe_steps()


def list_commands() -> list[str]:
    """Names of the commands, in the order in which `haplorag --help` lists them."""
    from haplorag.commands.main import app

    return [command.callback.__name__ for command in app.registered_commands]


def describe_steps() -> str:
    """The parameters of the steps, as their docstrings have them."""
    parts = ["## Steps\n"]
    for path in sorted((ROOT / "workflow/haplorag/steps").glob("[!_]*.py")):
        module = importlib.import_module(f"haplorag.steps.{path.stem}")
        step = getattr(module, path.stem)
        text = inspect.getdoc(step) or ""
        names = ", ".join(f"`{name}`" for name in inspect.signature(step).parameters)
        parts.append(f"### {path.stem}\n\n{text}\n\nTakes {names}.\n")
    return "\n".join(parts)


def run(words: list[str], environment: dict[str, str]) -> str:
    """What a command prints, without escapes and blanks at the ends of lines."""
    path = {"PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env={**os.environ, **path, **environment},
        check=False,
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    return "\n".join(line.rstrip() for line in plain.splitlines()).strip("\n")


def describe_configuration() -> str:
    """Every key of the configuration: its value, its type, and its comment, section by section."""
    parts = [
        "# Configuration\n\nMade from `config/config.yaml` and the types in"
        " `workflow/haplorag/settings.py`. An overlay names only what differs; a key that does not"
        " exist or a value out of range stops a run before any job.\n"
    ]
    types = dict(list_types())
    sections = dict(list_keys((ROOT / "config/config.yaml").read_text()))
    single = [name for name, rows in sections.items() if len(rows) == 1]
    general = {"General": [row for name in single for row in sections.pop(name)]}
    for section, rows in {**general, **sections}.items():
        parts.append(f"## {section}\n")
        parts.append("| key | value | type | meaning |\n|---|---|---|---|")
        for key, value, comment in rows:
            cells = f"`{key}`", f"`{value}`" if value else "", types.get(key, ""), comment
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        parts.append("")
    return "\n".join(parts)


def list_keys(text: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Sections of the configuration's text; of each key its full name, value and comment."""
    sections: dict[str, list[tuple[str, str, str]]] = {}
    parents: list[tuple[int, str]] = []
    line_of_key = re.compile(r"( *)(?:- )?([\w]+):(?: +([^#]*?))?(?: +# (.*))?$")
    for line in text.splitlines():
        more = re.fullmatch(r" *# +(.*)", line)
        found = line_of_key.fullmatch(line)
        if more and sections and not line.startswith("#"):
            rows = sections[list(sections)[-1]]
            rows[-1] = (*rows[-1][:2], f"{rows[-1][2]} {more[1]}".strip())
        if not found or line.startswith("#"):
            continue
        indent = len(found[1])
        parents = [parent for parent in parents if parent[0] < indent]
        key = ".".join([*(name for _, name in parents), found[2]])
        parents.append((indent, found[2]))
        section = key.split(".")[0]
        sections.setdefault(section, []).append((key, found[3] or "", found[4] or ""))
    yield from sections.items()


def list_types() -> Iterator[tuple[str, str]]:
    """The type of each key, in words."""
    from haplorag.settings import Settings

    yield from list_section(Settings, "")


def list_section(section: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """Types of the keys of a section and of those below it."""
    for name, held in section.model_fields.items():
        kind = held.annotation
        if hasattr(kind, "model_fields"):
            yield from list_section(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", name_type(kind, held.metadata)


def name_type(kind: Any, metadata: list[Any]) -> str:
    """A type and its bounds in words."""
    if choices := [str(value) for value in get_args(kind) if isinstance(value, str)]:
        return " or ".join(choices)
    signs = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    bounds = [
        f"{sign} {getattr(one, word):g}"
        for one in metadata
        for word, sign in signs.items()
        if isinstance(getattr(one, word, None), int | float)
    ]
    return ", ".join([name_plain(kind), *bounds])


def name_plain(kind: Any) -> str:
    """A type in a word or two, without its bounds."""
    words = {int: "integer", float: "number", str: "text", bool: "true or false"}
    words |= {type(None): "null", dict: "mapping", list: "list"}
    if kind in words:
        return words[kind]
    origin = get_origin(kind)
    if origin in words:
        return words[origin]
    if origin is Annotated:
        return name_plain(get_args(kind)[0])
    return " or ".join(name_plain(part) for part in get_args(kind)) or "text"


def describe_citation() -> str:
    """How to cite haplorag, from CITATION.cff."""
    text = (ROOT / "CITATION.cff").read_text()
    return f"# How to cite\n\n```yaml\n{text}```\n\nPlease cite the methods it builds on as well: see [what is computed](method.md).\n"
