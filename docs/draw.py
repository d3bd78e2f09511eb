"""Draws the pictures of docs/architecture.md from the code itself: `python docs/draw.py`.

`pictures/wings.svg` shows which wing of the package imports which, `pictures/data_flow.svg` which
rule on the way from a panel to an imputed VCF reads what another rule wrote.
"""

from __future__ import annotations

import ast
import re
from html import escape
from itertools import accumulate, combinations, pairwise
from pathlib import Path
from statistics import mean
from textwrap import wrap
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs/pictures"
Graph = dict[str, set[str]]
Point = tuple[float, float]
# Names of parameters and text.
Definition = tuple[list[str], str]

SANS = "Verdana, 'DejaVu Sans', Arial, sans-serif"
MONO = "'DejaVu Sans Mono', Menlo, Consolas, monospace"
INK, SOFT, LINE = "#1f2933", "#52606d", "#7b8794"
# Fill and frame: what everything stands on, wings, steps; then one for each act of the workflow.
BASE, WING, STEP = ("#eef1f4", "#9aa5b1"), ("#e3f0fa", "#4a90c2"), ("#fdf0d5", "#d29922")
ACTS = {"prepare": WING, "train": ("#e6f4ea", "#4b9b62"), "use": STEP}
# Acts that stand one above the other.
COLUMNS = (("prepare",), ("train", "use"))
FLOOR = {"errors", "prefetch", "seeding", "settings", "configuration", "io"}

# The picture of the wings, in pixels.
WING_WIDTH, WING_HEIGHT, LAYER_HEIGHT, GAP, MARGIN = 138, 40, 96, 20, 24
SWEEPS = 24
# The picture of the data.
RULE_WIDTH, RULE_HEIGHT, RULE_STEP, COLUMN_STEP, HEAD = 340, 88, 116, 420, 28
LETTERS = 46
# An arrow is straight for so long before its tip.
STRAIGHT = 9
DASHES = ' stroke-dasharray="6 4"'


def draw_pictures() -> dict[str, str]:
    """The text of every picture, by the name of its file."""
    return {
        "wings.svg": draw_wings(read_imports()),
        "data_flow.svg": draw_data_flow(read_rules()),
        "accuracy.svg": draw_accuracy((ROOT / "docs/experiments.md").read_text()),
    }


def read_imports() -> Graph:
    """Which wing imports which; a module beside the wings stands for itself."""
    package = ROOT / "workflow/haplorag"
    graph: Graph = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).parts
        wing = parts[0] if len(parts) > 1 else path.stem
        if wing != "__init__":
            graph.setdefault(wing, set()).update(_list_wings(path) - {wing})
    return graph


def _list_wings(path: Path) -> set[str]:
    """The wings that a module imports from."""
    nodes = ast.walk(ast.parse(path.read_text()))
    modules = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.split(".")[1] for name in modules if name.startswith("haplorag.")}


def reduce_graph(graph: Graph) -> Graph:
    """The graph without the edges that others imply."""
    return {
        node: {end for end in ends if not any(end in reach(graph, by) for by in ends - {end})}
        for node, ends in graph.items()
    }


def reach(graph: Graph, start: str) -> set[str]:
    """All nodes to which a way leads from `start`."""
    found: set[str] = set()
    pending = list(graph[start])
    while pending:
        node = pending.pop()
        if node not in found:
            found.add(node)
            pending += graph[node]
    return found


def draw_wings(imports: Graph) -> str:
    """The wings in layers, each above what it imports."""
    graph = reduce_graph(imports)
    layers, chains = _lay_layers(graph)
    layers = _order_layers(layers, chains)
    centre = _place_nodes(layers, chains)
    height = {node: len(layers) - number for number, layer in enumerate(layers) for node in layer}
    middle: dict[str, Point] = {
        node: (centre[node], height[node] * LAYER_HEIGHT) for node in centre
    }
    width = max(centre[node] + _width(node) / 2 for node in centre) + MARGIN
    parts = [_curve(points) for points in _trace(chains, middle)]
    for node in graph:
        x, y = middle[node]
        colour = STEP if node == "steps" else BASE if node in FLOOR else WING
        wide = width - 2 * MARGIN if node == "steps" else WING_WIDTH
        x = width / 2 if node == "steps" else x
        parts += _box(x - wide / 2, y - WING_HEIGHT / 2, wide, WING_HEIGHT, colour)
        parts.append(_text(x, y + 5, node, size=15, weight="bold", anchor="middle"))
    parts.append(_text(MARGIN, 26, "Who imports whom in workflow/haplorag", size=17, weight="bold"))
    note = "An arrow leads to what is imported; those that others imply are left out."
    parts.append(_text(MARGIN, 48, note, size=13, fill=SOFT))
    return _svg(width, len(layers) * LAYER_HEIGHT + WING_HEIGHT, parts)


def _width(node: str) -> int:
    """What a node takes of its layer; `a>b@2` only leads an arrow past it."""
    return 12 if "@" in node else WING_WIDTH


def _lay_layers(graph: Graph) -> tuple[list[list[str]], list[list[str]]]:
    """Nodes by layer from the floor up, and each edge as a chain with one node a layer."""
    height: dict[str, int] = {}
    while len(height) < len(graph):
        for node in sorted(graph.keys() - height.keys()):
            if graph[node] <= height.keys():
                height[node] = max((height[end] + 1 for end in graph[node]), default=0)
    layers = [
        sorted(node for node in graph if height[node] == at)
        for at in range(max(height.values()) + 1)
    ]
    chains = []
    for start in sorted(graph):
        for end in sorted(graph[start]):
            between = [f"{start}>{end}@{at}" for at in range(height[start] - 1, height[end], -1)]
            for node in between:
                layers[int(node.split("@")[1])].append(node)
            chains.append([start, *between, end])
    return layers, chains


def _order_layers(layers: list[list[str]], chains: list[list[str]]) -> list[list[str]]:
    """The order in which fewest arrows cross, of those that sweeping up and down comes by."""
    links = [link for chain in chains for link in pairwise(chain)]
    best = layers
    for sweep in range(SWEEPS):
        rank = {node: number for layer in layers for number, node in enumerate(layer)}
        upward = sweep % 2 == 0
        ordered = []
        for layer in layers if upward else layers[::-1]:
            wish = {
                node: mean(rank[end] for end in ends) if ends else rank[node]
                for node in layer
                for ends in [_list_ends(node, links, upward)]
            }
            ordered.append(sorted(layer, key=lambda node: (wish[node], node)))
            rank |= {node: number for number, node in enumerate(ordered[-1])}
        layers = ordered if upward else ordered[::-1]
        best = min(best, layers, key=lambda tried: _count_crossings(tried, links))
    return best


def _list_ends(node: str, links: list[tuple[str, str]], below: bool) -> list[str]:
    """The nodes that a node is linked to, below it or above it."""
    if below:
        return [end for start, end in links if start == node]
    return [start for start, end in links if end == node]


def _count_crossings(layers: list[list[str]], links: list[tuple[str, str]]) -> int:
    rank = {node: number for layer in layers for number, node in enumerate(layer)}
    level = {node: number for number, layer in enumerate(layers) for node in layer}
    return sum(
        level[one[0]] == level[two[0]]
        and (rank[one[0]] - rank[two[0]]) * (rank[one[1]] - rank[two[1]]) < 0
        for one, two in combinations(links, 2)
    )


def _place_nodes(layers: list[list[str]], chains: list[list[str]]) -> dict[str, float]:
    """Centres of the nodes: near to what they are linked to, in order, and never overlapping."""
    links = [link for chain in chains for link in pairwise(chain)]
    centre = {
        node: at
        for layer in layers
        for node, at in zip(layer, _push(layer, [0.0] * len(layer)), strict=True)
    }
    for _ in range(SWEEPS):
        for layer in [*layers, *layers[::-1]]:
            wishes = []
            for node in layer:
                ends = _list_ends(node, links, below=True) + _list_ends(node, links, below=False)
                ends = [end for end in ends if end != "steps"] or [node]
                wishes.append(mean(centre[end] for end in ends))
            centre |= dict(zip(layer, _push(layer, wishes), strict=True))
    left = min(at - _width(node) / 2 for node, at in centre.items())
    return {node: round(at - left + MARGIN, 1) for node, at in centre.items()}


def _push(layer: list[str], wishes: list[float]) -> list[float]:
    """Places nearest to the wishes by least squares, as order and room allow; arrows weigh more."""
    room = [(_width(one) + _width(two)) / 2 + GAP for one, two in pairwise(layer)]
    offsets = list(accumulate(room, initial=0.0))
    # Runs of nodes that stand as close as they may: their weight, and their wish for the first.
    runs: list[tuple[int, float, int]] = []
    for node, wish, offset in zip(layer, wishes, offsets, strict=True):
        run = (4 if "@" in node else 1, wish - offset, 1)
        while runs and runs[-1][1] >= run[1]:
            weight, place, count = runs.pop()
            both = weight + run[0]
            run = both, (weight * place + run[0] * run[1]) / both, count + run[2]
        runs.append(run)
    places = [place for _, place, count in runs for _ in range(count)]
    return [place + offset for place, offset in zip(places, offsets, strict=True)]


def _trace(chains: list[list[str]], middle: dict[str, Point]) -> list[list[Point]]:
    """The points each arrow goes through: from the lower edge of a box to the upper edge of one.

    Arrows that begin or end at the same box share out its edge, in the order they come from.
    """
    half = WING_HEIGHT / 2
    traced = [[middle[node] for node in chain] for chain in chains]
    for here, beside, edge in ((0, 1, half), (-1, -2, -half - 3)):
        for node in {chain[here] for chain in chains}:
            sharing = [number for number, chain in enumerate(chains) if chain[here] == node]
            sharing.sort(key=lambda number: traced[number][beside][0])
            for number, share in zip(sharing, _spread(len(sharing)), strict=True):
                x, y = middle[node]
                x = traced[number][beside][0] if node == "steps" else x + share
                traced[number][here] = x, y + edge
    return traced


def _spread(count: int) -> list[float]:
    """Evenly spaced places about the middle of a box."""
    step = min(26.0, (WING_WIDTH - 30) / max(count - 1, 1))
    return [(number - (count - 1) / 2) * step for number in range(count)]


class Rule(NamedTuple):
    """A rule: its act, the paths it writes under the results, and the rules whose output it reads.

    `files` are what it reads from elsewhere, by their keys in the configuration.
    """

    act: str
    writes: list[str]
    reads: set[str]
    files: list[str]


def read_rules() -> dict[str, Rule]:
    """Every rule by name, as the files of the acts have it."""
    folder = ROOT / "workflow/rules"
    texts = {path.stem: path.read_text() for path in sorted(folder.glob("*.smk"))}
    known = _read_definitions("\n".join(texts.values()))
    rules = {
        name: _read_rule(act, body, known)
        for act in ACTS
        for name, body in re.findall(r"^rule (\w+):\n((?:(?:    .*)?\n)+)", texts[act], re.M)
    }
    # The first epoch goes on from where `untrained` wrote, in the folder of `training`.
    rules["training"].reads.add("untrained")
    return {
        name: rule._replace(reads=(rule.reads & rules.keys()) - {name})
        for name, rule in rules.items()
    }


def _read_rule(act: str, body: str, known: dict[str, Definition]) -> Rule:
    reads = _expand(_find_section(body, "input"), known)
    paths = re.findall(r'\{results\}/([^"]+)"', _expand(_find_section(body, "output"), known))
    pairs = re.findall(r"rules\.(\w+)\.|\{results\}/(\w+)/", reads)
    keys = r"settings\.((?:panel|samples|imputation)\.(?:vcf|people|map|roles|targets))\b"
    return Rule(
        act,
        [path.replace("{{", "{").replace("}}", "}") for path in paths],
        {word for pair in pairs for word in pair if word},
        list(dict.fromkeys(re.findall(keys, reads))),
    )


def _read_definitions(text: str) -> dict[str, Definition]:
    """Functions and values that rules name, as parameters and text, where paths are in them."""
    functions = re.findall(r"^def (\w+)\((.*?)\):\n((?:(?:    .*)?\n)+)", text, re.M)
    values = re.findall(r"^(\w+) = ((?:.*\n)(?:[ )}\]].*\n)*)", text, re.M)
    known = {name: (re.findall(r"\w+", given), body) for name, given, body in functions}
    known |= {name: ([], body) for name, body in values}
    return {
        name: held for name, held in known.items() if re.search(r"results\}/|_of_epoch\(", held[1])
    }


def _find_section(body: str, word: str) -> str:
    """The text of a rule's `input` or `output`."""
    found = re.search(rf"^    {word}:\n((?:        .*\n)+)", body, re.M)
    return found[1] if found else ""


def _expand(text: str, known: dict[str, Definition]) -> str:
    """The text with the definitions that it names in their place, and theirs in turn."""
    for name, (parameters, body) in known.items():
        for call in re.findall(rf"(?<![\w.]){name}\b(?:\(([^()]*)\))?(?! *=)", text):
            filled = body
            for parameter, value in zip(parameters, re.findall(r'"([^"]*)"', call), strict=False):
                filled = filled.replace(f"{{{parameter}}}", value)
            rest = {other: held for other, held in known.items() if other != name}
            text = _expand(filled, rest) + text
    return text


def draw_data_flow(rules: dict[str, Rule]) -> str:
    """The rules that an imputed VCF needs, in the columns of their acts."""
    graph = {name: rule.reads for name, rule in rules.items()}
    needed = {"imputation"} | reach(graph, "imputation")
    graph = {name: graph[name] for name in rules if name in needed}
    # The model over the panel imputes without what training leaves.
    alone = {**graph, "imputer": graph["imputer"] - {"training"}}
    always = {"imputation"} | reach(alone, "imputation")
    short = reduce_graph({name: alone[name] for name in always})
    corner, heads = _place_rules({name: rules[name].act for name in graph})
    parts = [
        _text(MARGIN, 26, "From a panel and a target to an imputed VCF", size=17, weight="bold")
    ]
    notes = (
        "A box is a rule: what it writes under results/, and what it reads. A name with a dot is",
        "a key of the configuration and stands for the file it names. An arrow leads to the rule",
        "that reads; those that others imply are left out. Dashed is what only a network needs.",
    )
    parts += [
        _text(MARGIN, 48 + 18 * row, note, size=13, fill=SOFT) for row, note in enumerate(notes)
    ]
    for act, (x, y) in heads.items():
        head = f"{act}: workflow/rules/{act}.smk"
        parts.append(_text(x, y, head, size=14, weight="bold"))
    for name, ends in reduce_graph(graph).items():
        for end in sorted(ends | short.get(name, set())):
            level = corner[end][0] != corner[name][0]
            parts.append(_curve(_join(corner[end], corner[name]), level))
    for name in graph:
        reads = [other for other in graph if other in graph[name]]
        parts += _draw_rule(name, rules[name], reads, corner[name], dashed=name not in always)
    bottom = max(y for _, y in corner.values()) + RULE_HEIGHT
    return _svg(2 * MARGIN + COLUMN_STEP + RULE_WIDTH, bottom + MARGIN, parts)


# Tools of the picture of accuracy, as the tables of docs/experiments.md name them, and colours.
TOOLS = {"haplorag": "#0072B2", "Beagle 5.4": "#E69F00", "Minimac4": "#009E73"}
BINS = ("0-0.5 %", "0.5-1 %", "1-5 %", "5-50 %")


def read_accuracy(text: str) -> dict[str, list[float]]:
    """Mean r2 at the array mask by tool, a value a bin, from the tables of the experiments."""
    number = r" (?:\*\*)?([\d.]+)(?:\*\*)? \|"
    ours = re.search(rf"^\| array \|{number * 4}", text, re.M)
    block = re.search(r"^\| array \| Li and Stephens.*\n((?:\|   \|.*\n)+)", text, re.M)
    if ours is None or block is None:
        raise ValueError("docs/experiments.md: the tables have no rows of the array mask")
    found = {"haplorag": ours}
    for tool in ("Beagle 5.4", "Minimac4"):
        found[tool] = re.search(rf"^\|   \| {tool} \|{number * 4}", block[1], re.M)
    return {tool: [float(value) for value in row.groups()] for tool, row in found.items()}


def draw_accuracy(text: str) -> str:
    """What each tool leaves unexplained, 1 - mean r2, as bars by bin of MAF."""
    r2 = read_accuracy(text)
    height, bar, step, left, top = 190, 34, 150, 30, 92
    scale = height / max(1 - value for values in r2.values() for value in values)
    title = "Unexplained variance (1 - r2) of imputed alleles, lower is better"
    note = "1000 Genomes, 375 people, sites of a genotyping array typed; by minor allele frequency"
    parts = [
        _text(left, 26, title, size=17, weight="bold"),
        _text(left, 48, note, size=13, fill=SOFT),
    ]
    for place, name in enumerate(BINS):
        x = left + place * step
        parts.append(_text(x + 1.5 * bar, top + height + 22, name, size=13, anchor="middle"))
        for number, (tool, values) in enumerate(r2.items()):
            tall = (1 - values[place]) * scale
            corner = f'x="{x + number * bar:g}" y="{top + height - tall:.1f}"'
            size = f'width="{bar - 4}" height="{tall:.1f}"'
            parts.append(f'<rect {corner} {size} fill="{TOOLS[tool]}"/>')
            middle, label = x + number * bar + bar / 2 - 2, f"{1 - values[place]:.3f}"
            above = top + height - tall - 5
            parts.append(_text(middle, above, label, size=11, anchor="middle"))
    for number, (tool, colour) in enumerate(TOOLS.items()):
        x, y = left + number * 150, top + height + 40
        parts.append(f'<rect x="{x}" y="{y}" width="14" height="14" fill="{colour}"/>')
        parts.append(_text(x + 20, y + 12, tool, size=13))
    return _svg(left + len(BINS) * step + 50, top + height + 70, parts)


def _place_rules(
    acts: dict[str, str],
) -> tuple[dict[str, Point], dict[str, Point]]:
    """Corners of the rules' boxes, and where the heads of the acts stand, given the rules' acts."""
    corner: dict[str, Point] = {}
    heads: dict[str, Point] = {}
    for column, stacked in enumerate(COLUMNS):
        x, y = MARGIN + column * COLUMN_STEP, 104.0
        for act in stacked:
            heads[act] = x, y + 18
            y += HEAD
            for name in (name for name, of in acts.items() if of == act):
                corner[name] = x, y
                y += RULE_STEP
    return corner, heads


def _draw_rule(name: str, rule: Rule, reads: list[str], corner: Point, dashed: bool) -> list[str]:
    """A rule as a box: its name, the first of what it writes, and what it reads."""
    x, y = corner
    parts = _box(x, y, RULE_WIDTH, RULE_HEIGHT, ACTS[rule.act], dashed)
    parts.append(_text(x + 12, y + 22, name, size=15, weight="bold"))
    parts.append(_text(x + 12, y + 41, rule.writes[0], size=13, family=MONO))
    lines = wrap("reads " + ", ".join([*rule.files, *reads]), LETTERS)
    for number, line in enumerate(lines):
        parts.append(_text(x + 12, y + 60 + 16 * number, line, size=12, fill=SOFT))
    return parts


def _join(start: Point, end: Point) -> list[Point]:
    """The ends of an arrow between two boxes, given their corners."""
    if start[0] == end[0]:
        x = start[0] + 0.85 * RULE_WIDTH
        return [(x, start[1] + RULE_HEIGHT), (x, end[1] - 3)]
    return [
        (start[0] + RULE_WIDTH, start[1] + RULE_HEIGHT / 2),
        (end[0] - 3, end[1] + RULE_HEIGHT / 2),
    ]


def _curve(points: list[Point], level: bool = False) -> str:
    """An arrow through points, upright at each of them, or level."""
    tip_x, tip_y = points[-1]
    last = (tip_x - STRAIGHT, tip_y) if level else (tip_x, tip_y - STRAIGHT)
    (x, y), *rest = *points[:-1], last
    path = [f"M{x:g},{y:g}"]
    for to_x, to_y in rest:
        across, down = (x + to_x) / 2, (y + to_y) / 2
        bends = (across, y, across, to_y) if level else (x, down, to_x, down)
        path.append("C{:g},{:g} {:g},{:g}".format(*bends) + f" {to_x:g},{to_y:g}")
        x, y = to_x, to_y
    path.append(f"L{tip_x:g},{tip_y:g}")
    style = f'fill="none" stroke="{LINE}" stroke-width="1.5" marker-end="url(#tip)"'
    return f'<path d="{" ".join(path)}" {style}/>'


def _box(
    x: float, y: float, width: float, height: float, colour: tuple[str, str], dashed: bool = False
) -> list[str]:
    fill, frame = colour
    size = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"'
    style = f'fill="{fill}" stroke="{frame}" stroke-width="1.5"'
    return [f"<rect {size} {style}{DASHES if dashed else ''}/>"]


def _text(
    x: float, y: float, words: str, *, size: int, fill: str = INK, family: str = SANS,
    weight: str = "normal", anchor: str = "start",
) -> str:  # fmt: skip
    style = f'font-family="{family}" font-size="{size}" font-weight="{weight}" fill="{fill}"'
    return f'<text x="{x:g}" y="{y:g}" {style} text-anchor="{anchor}">{escape(words)}</text>'


def _svg(width: float, height: float, parts: list[str]) -> str:
    """A whole picture, on white so that it reads in dark surroundings too."""
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8"'
        f' markerHeight="8" orient="auto"><path d="M0,0.5 L8,4 L0,7.5 Z" fill="{LINE}"/></marker></defs>'
    )
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', tip, ground, *parts, "</svg>"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for file, picture in draw_pictures().items():
        (PICTURES / file).write_text(picture)
