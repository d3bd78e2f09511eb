"""How methods are named, ordered and drawn: a method keeps its colour in every figure."""

from __future__ import annotations

# Okabe and Ito's palette, told apart with any colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# What is written and ruled in figures, the sheet they are drawn on, and what stands back.
INK, SHEET, FAINT = "#1c2128", "#ffffff", "#59636e"
# Each colour of a figure on a dark page, as bright as the light one is dark.
ON_DARK = {
    INK: "#e3e7ec", SHEET: "#14181d", FAINT: "#9aa5b1",
    "#0072b2": "#5db1e8", "#d55e00": "#ff9249", "#009e73": "#3fcfa4", "#cc79a7": "#e3a3c7",
    "#e69f00": "#f0b93c", "#56b4e9": "#8fd0f7", "#000000": "#c9d1d9", "#222222": "#f2f4f6",
    "#999999": "#8b949e", "#8c6d46": "#c9a26f", "#5f5f5f": "#a9b2bb",
}  # fmt: skip
BASELINES = {
    "allele_frequency": "#999999",
    "nearest_haplotype": "#8c6d46",
    "neighbour_vote": "#5f5f5f",
    "li_stephens": "#222222",
}
OTHER_TOOLS = {"beagle": "#E69F00", "minimac4": "#009E73"}
PROPER_NAMES = {"beagle": "Beagle", "minimac4": "Minimac4", "li_stephens": "Li and Stephens"}
VARIANTS = ("-", ":", "-.")
MARKERS = "os^DvPX*"


def method_label(method: str) -> str:
    """A method's name as people read it."""
    if method in PROPER_NAMES:
        return PROPER_NAMES[method]
    if is_other_tool(method):
        tool, *variant = method.split("_")
        return " ".join([PROPER_NAMES[tool], *variant])
    # The name of a model is its user's, and stays as it is.
    return method.replace("_", " ") if method in BASELINES else method


def is_other_tool(method: str) -> bool:
    """Whether a method is Beagle or Minimac4, by its name's first word."""
    return method.split("_")[0] in OTHER_TOOLS


def method_styles(methods: list[str]) -> dict[str, dict[str, str]]:
    """Colour, marker and line of each method.

    Baselines and peers keep theirs whatever else is shown.
    """
    ordered = order_methods(methods)
    free = iter(colour for colour in PALETTE * len(ordered) if colour not in OTHER_TOOLS.values())
    styles = {}
    seen = dict.fromkeys(OTHER_TOOLS, 0)
    for number, method in enumerate(ordered):
        line = "--" if method in BASELINES else "-"
        if is_other_tool(method):
            family = method.split("_")[0]
            colour = OTHER_TOOLS[family]
            line = VARIANTS[seen[family] % len(VARIANTS)]
            seen[family] += 1
        else:
            colour = BASELINES.get(method) or next(free)
        marker = MARKERS[number % len(MARKERS)]
        styles[method] = {
            "color": colour,
            "marker": marker,
            "linestyle": line,
            "label": method_label(method),
        }
    return styles


def order_methods(methods: list[str]) -> list[str]:
    """Models first, then peers, then the model over the panel and the plainer baselines."""
    plain = list(reversed(BASELINES))
    return sorted(
        set(methods),
        key=lambda method: (
            plain.index(method) + 1 if method in plain else 0,
            is_other_tool(method),
            method,
        ),
    )
