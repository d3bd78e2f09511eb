"""Renders the HTML pages: one file each, figures and styles inside, nothing fetched."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from haplorag.io.atomic import replacing


def write_page(template: str, output: Path, content: dict[str, Any]) -> int:
    """Fill a template of this package and write the page; gives its number of characters."""
    folder = resources.files("haplorag.report") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(folder)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template(template).render(**content)
    with replacing(output) as temporary:
        temporary.write_text(text)
    return len(text)


def inline_figure(svg: str, name: str) -> str:
    """A figure's SVG without its XML head, its ids told apart from those of other figures."""
    return re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", svg[svg.index("<svg") :])
