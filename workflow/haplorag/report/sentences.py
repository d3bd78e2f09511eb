"""Says in words what the accuracy comes to: how good, beside what, and for which alleles."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from haplorag.evaluation.differences import select_pair
from haplorag.evaluation.metrics import COMMON, RARE
from haplorag.report.styles import BASELINES, method_label, order_methods
from haplorag.settings import PANEL_ONLY, Mask, PeerSettings

HIDDEN_AS = {
    "random": "chosen at random",
    "span": "chosen in stretches",
    "maf_stratified": "chosen by frequency class",
    "af_guided": "rare ones more often",
    "array": "as a genotyping array leaves them",
}


class Verdict(NamedTuple):
    """A method's r2 at a group of sites, that of another one, and their difference in words."""

    ours: float
    other: float
    words: str


class Comparison(NamedTuple):
    """A method beside another one: labels, what the other one is (`other tool`, `simpler method`
    or `default`), verdicts by group of sites."""

    ours: str
    other: str
    kind: str
    verdicts: dict[str, Verdict]


class MaskWords(NamedTuple):
    """What is said of a mask: its name, what it hides, the method a reader is told of first and its
    r2 by group of sites, and what is set beside what."""

    mask: str
    hidden: str
    ours: str
    scores: dict[str, float]
    found: list[Comparison]


def describe_mask(mask: Mask) -> str:
    """What a mask hides, in words."""
    if mask.rate is None:
        return "sites hidden that a file names"
    return f"{100 * mask.rate:g} % of sites hidden, {HIDDEN_AS.get(mask.strategy, mask.strategy)}"


def describe_difference(value: float, low: float, high: float) -> str:
    """A difference in r2 with its interval: within it, there is none."""
    if low == high:
        return f"{abs(value):.3f} {'higher' if value >= 0 else 'lower'} (no interval was asked for)"
    interval = f"95\u00a0% interval {_write(low)} to {_write(high)}"
    if low <= 0 <= high:
        return f"no difference ({interval})"
    return f"{'better' if value > 0 else 'worse'} by {_write(abs(value))} ({interval})"


def _write(value: float) -> str:
    """A small number with as many digits as show it."""
    digits = 3 if abs(value) >= 0.0095 or value == 0 else 4
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def speak_of_mask(
    name: str,
    mask: Mask,
    r2: dict[str, dict[str, float]],
    differences: pd.DataFrame,
    model: str,
    trained: list[str],
) -> MaskWords:
    """What there is to say of a mask, given r2 by group of sites and method, and the differences.

    `model` is the method that imputes, `trained` are the networks.
    """
    ours = choose_ours(r2, model)
    mine = (differences["mask"] == name) & (differences["population"] == "")
    found = compare_with_others(r2, differences[mine], ours, trained)
    scores = {group: r2[group][ours] for group in (COMMON, RARE) if ours in r2.get(group, {})}
    return MaskWords(name, describe_mask(mask), method_label(ours), scores, found)


def compare_with_others(
    r2: dict[str, dict[str, float]],
    differences: pd.DataFrame,
    ours: str,
    models: list[str],
) -> list[Comparison]:
    """A method beside the best other tool (or the best simpler method), then each trained model
    beside the model over the panel.

    `r2` is by group of sites and method at a mask, `differences` the rows of that mask over
    everybody.
    """
    scores = r2.get(COMMON) or r2.get(RARE) or {}
    tools = [method for method in scores if method not in {*models, *BASELINES}]
    plain = [method for method in scores if method in BASELINES and method != ours]
    pairs = []
    if best := max(tools or plain, key=scores.__getitem__, default=None):
        pairs.append((ours, best, "other tool" if tools else "simpler method"))
    trained = [(model, PANEL_ONLY, "default") for model in models]
    pairs += [pair for pair in trained if {*pair[:2]} <= scores.keys() and pair[:2] != pairs[0][:2]]
    return [_compare(r2, differences, *pair) for pair in pairs]


def _compare(
    r2: dict[str, dict[str, float]], differences: pd.DataFrame, ours: str, other: str, kind: str
) -> Comparison:
    rows = select_pair(differences, ours, other).set_index("kind")
    verdicts = {}
    for group in (COMMON, RARE):
        scores = r2.get(group, {})
        if {ours, other} <= scores.keys() and group in rows.index:
            row = rows.loc[group]
            words = describe_difference(row["value"], row["low"], row["high"])
            verdicts[group] = Verdict(scores[ours], scores[other], words)
    return Comparison(method_label(ours), method_label(other), kind, verdicts)


def choose_ours(r2: dict[str, dict[str, float]], model: str) -> str:
    """The method that a reader is told of first: what imputes, else the first of the judged."""
    judged = [method for scores in r2.values() for method in scores]
    return model if model in judged else order_methods(judged)[0]


def describe_peer(peer: PeerSettings) -> str:
    """What another tool is, and how it was run."""
    if peer.tool is None:
        return "The dosages of a VCF that was given."
    told = f"with {peer.arguments}" if peer.arguments else "with its default arguments"
    return f"{method_label(peer.tool)}, run {told} on the same reference and the same typed sites."
