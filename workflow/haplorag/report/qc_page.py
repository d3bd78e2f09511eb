"""The page on the quality of a target: its tables in, one self-contained page out."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from haplorag.report.axes import save_svg
from haplorag.report.html import inline_figure, write_page
from haplorag.report.qc_figures import draw_frequencies, draw_overlap, draw_people

LOW_CALL_RATE, MOST_ROWS = 0.95, 50
# Windows with fewer typed sites know little.
FEW_TYPED = 20


@dataclass(frozen=True)
class QualityContent:
    """What a page shows: tables as `imputation.target_qc` makes them.

    `accuracy` is None for a target that was not imputed, `refusal` says why.
    """

    title: str
    verdicts: list[tuple[str, str]]
    records: dict[str, int]
    fates: pd.DataFrame
    frequencies: pd.DataFrame
    windows: pd.DataFrame
    people: pd.DataFrame
    accuracy: pd.DataFrame | None
    refusal: str | None = None


def write_qc_page(output: Path, content: QualityContent) -> None:
    """Write the page. People are called by their row, never by name."""
    frequencies, windows = content.frequencies, content.windows
    figures = {
        "frequencies": draw_frequencies(frequencies),
        "overlap": draw_overlap(windows),
        "people": draw_people(content.people),
    }
    outliers = frequencies[frequencies["outlier"]]
    worst = (outliers["target"] - outliers["panel"]).abs().sort_values(ascending=False).index
    fields = {
        "title": content.title,
        "refusal": content.refusal,
        "verdicts": content.verdicts,
        "records": content.records,
        "fates": _list_rows(content.fates),
        "alleles": int(content.fates.loc[content.fates["what"] != "remark", "alleles"].sum()),
        "figures": {name: _inline(figure, name) for name, figure in figures.items()},
        "compared": len(frequencies),
        "outliers": len(outliers),
        "worst": _list_rows(outliers.loc[worst[:MOST_ROWS]]),
        "windows": len(windows),
        "weak": _list_rows(windows[windows["typed"] < FEW_TYPED].head(MOST_ROWS)),
        "weak_windows": int((windows["typed"] < FEW_TYPED).sum()),
        "people": _summarise_people(content.people),
        "odd_people": _list_odd_people(content.people),
        "accuracy": None if content.accuracy is None else _list_rows(content.accuracy),
    }
    write_page("qc.html.j2", output, fields)


def _inline(figure: Figure, name: str) -> str:
    svg = io.StringIO()
    save_svg(figure, svg)
    return inline_figure(svg.getvalue(), name, name)


def _list_rows(table: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _summarise_people(people: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Least, median and greatest of each measure."""
    words = {
        "call_rate": "call rate",
        "heterozygosity": "heterozygosity",
        "expected_r2": "expected r2",
        "x_f": "F on X",
    }
    rows = []
    for column, word in words.items():
        if column in people and people[column].notna().any():
            low, middle, high = people[column].quantile([0, 0.5, 1]).tolist()
            rows.append((word, f"{low:.3f}", f"{middle:.3f}", f"{high:.3f}"))
    return rows


def _list_odd_people(people: pd.DataFrame) -> list[tuple[int, str]]:
    """Rows of the table of people that somebody should look at, and why."""
    found = []
    middle = people["heterozygosity"].median()
    spread = 1.4826 * (people["heterozygosity"] - middle).abs().median()
    for row, person in enumerate(people.itertuples(index=False), start=1):
        reasons = []
        if person.call_rate < LOW_CALL_RATE:
            reasons.append(f"call rate {person.call_rate:.3f}")
        if spread > 0 and abs(person.heterozygosity - middle) > 5 * spread:
            reasons.append(f"heterozygosity {person.heterozygosity:.3f}, far from the median")
        if person.x_f == person.x_f and not person.sex:
            reasons.append(f"F {person.x_f:.2f} on X is neither a man's nor a woman's")
        if person.sex and person.gender and person.sex != person.gender:
            reasons.append(
                f"{person.sex} by X (F {person.x_f:.2f}), but said to be {person.gender}"
            )
        if reasons:
            found.append((row, "; ".join(reasons)))
    return found[:MOST_ROWS]
