"""Renders the HTML pages: one file each, figures and styles inside, nothing fetched."""

from __future__ import annotations

import re
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from haplorag.io.atomic import replacing
from haplorag.report.captions import CAPTIONS, EXAMPLE, Caption
from haplorag.report.styles import INK, ON_DARK


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
    colours = {name_variable(light): (light, dark) for light, dark in ON_DARK.items()}
    text = environment.get_template(template).render(**content, colours=colours)
    with replacing(output) as temporary:
        temporary.write_text(text)
    return len(text)


def inline_figure(svg: str, name: str, title: str) -> str:
    """A figure's SVG for a page: an image with a title, in the page's colours.

    Without its XML head and metadata, ids told apart from those of other figures; colours are CSS
    variables, so that a dark page has a dark figure.
    """
    drawn = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.S)
    drawn = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", drawn)
    for colour in ON_DARK:
        drawn = re.sub(f"{colour}\\b", f"var({name_variable(colour)})", drawn, flags=re.I)
    # What matplotlib does not colour is black.
    label = f'role="img" aria-labelledby="{name}-title" fill="var({name_variable(INK)})"'
    head, rest = drawn.split(">", 1)
    return f'{head} {label}><title id="{name}-title">{escape(title)}</title>{rest}'


def name_variable(colour: str) -> str:
    """The CSS variable of a figure's colour."""
    return f"--c{colour.lower().lstrip('#')}"


def read_figures(paths: dict[str, Path], example: Path | None) -> list[tuple[str, Caption, str]]:
    """Name, caption and SVG of each figure; the example stands before those of the run itself."""
    captions = {**CAPTIONS, "example": EXAMPLE}
    ordered = list(paths.items())
    if example is not None:
        place = list(paths).index("calibration") if "calibration" in paths else len(paths)
        ordered.insert(place, ("example", example))
    return [
        (name, captions[name], inline_figure(path.read_text(), name, captions[name].title))
        for name, path in ordered
    ]
