"""What a user should know of a target before and after it is imputed, as tables of figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from haplorag.imputation.diagnosis import Diagnosis
from haplorag.imputation.imputer import PanelChromosome
from haplorag.imputation.site_log import SiteLog
from haplorag.panel.frequencies import MAF_EDGES
from haplorag.vcf.fates import LEFT_OUT, REMARKS, UNWRITTEN, USED

# Frequencies that differ by more than the first, and by more than chance: a chi-square of one
# degree of freedom, p below 1e-6.
OUTLYING, CHI_SQUARE = 0.2, 24.0
USABLE = (0.3, 0.8)
BIN_EDGES = np.array([0.0, *MAF_EDGES, 0.5])
LOW_CALL_RATE = 0.5
# Men are outside the pseudo-autosomal ends of X (those of GRCh37 and GRCh38, rounded) all
# homozygous: F, the share of expected heterozygotes that are lacking, is 1 in them, 0 in women.
PAR_ENDS = (2_800_000, 154_900_000)
MALE_F, FEMALE_F = 0.8, 0.2


@dataclass(frozen=True)
class ChromosomeQuality:
    """A chromosome of a target as it came.

    `windows` has a row a window, `frequencies` one a typed site; `missing`, `heterozygous` and
    `x_inbreeding` (F on X, NaN elsewhere) are by person, over `variants` variants.
    """

    windows: pd.DataFrame
    frequencies: pd.DataFrame
    missing: np.ndarray
    heterozygous: np.ndarray
    x_inbreeding: np.ndarray
    variants: int


def describe_chromosome(
    sites: SiteLog, record: np.ndarray, swapped: np.ndarray
) -> ChromosomeQuality:
    """Describe a chromosome whose sites are settled; F is for `measure_inbreeding` to add."""
    panel = sites.panel
    compared = sites.compare_frequencies(record, swapped)
    frequencies = _mark_outliers(compared, panel.shards.reference_haplotypes)
    frequencies.insert(0, "position", panel.position[frequencies["site"]])
    nowhere = np.full(len(sites.missing), np.nan)
    return ChromosomeQuality(
        _count_overlap(panel, np.array(sites.positions), record),
        frequencies,
        sites.missing,
        sites.heterozygous,
        nowhere,
        len(sites),
    )


def _mark_outliers(compared: pd.DataFrame, reference: int) -> pd.DataFrame:
    """Add whether a frequency is unlike the panel's of `reference` haplotypes, by more than
    chance.
    """
    ours, theirs, known = (compared[word].to_numpy() for word in ("target", "panel", "known"))
    pooled = (ours * known + theirs * reference) / (known + reference)
    variance = pooled * (1 - pooled) * (1 / known + 1 / reference)
    square = np.divide((ours - theirs) ** 2, variance, out=np.zeros(len(known)), where=variance > 0)
    return compared.assign(outlier=(np.abs(ours - theirs) > OUTLYING) & (square > CHI_SQUARE))


def _count_overlap(
    panel: PanelChromosome, positions: np.ndarray, record: np.ndarray
) -> pd.DataFrame:
    """Windows from their first site to their last, bp: the panel's sites, those that are typed, and
    the target's own variants.
    """
    cores = panel.windows.cores
    start, end = panel.position[cores[:, 0]], panel.position[cores[:, 1] - 1]
    typed = np.concatenate([[0], np.cumsum(record >= 0)])
    own = np.searchsorted(positions, end, "right") - np.searchsorted(positions, start)
    return pd.DataFrame(
        {
            "start": start,
            "end": end,
            "sites": cores[:, 1] - cores[:, 0],
            "typed": typed[cores[:, 1]] - typed[cores[:, 0]],
            "own": own,
        }
    )


def measure_inbreeding(
    haplotypes: np.ndarray, frequency: np.ndarray, position: np.ndarray
) -> np.ndarray:
    """F of each person outside the pseudo-autosomal ends of X: float [n], NaN where nothing tells.

    Haplotypes int8 [2n, T] at typed sites, below 0 where an allele is missing or absent; ALT
    frequency in the panel and position in bp [T]. As PLINK's --check-sex (Purcell et al. 2007,
    doi:10.1086/519795); a person who has single alleles has F 1.
    """
    inside = (position > PAR_ENDS[0]) & (position < PAR_ENDS[1])
    first, second = (haplotypes[half::2][:, inside] for half in (0, 1))
    likely = 2 * frequency[inside] * (1 - frequency[inside])
    both, single = (first >= 0) & (second >= 0), (first >= 0) & (second < 0)
    expected = (both * likely).sum(axis=1)
    found = (both & (first != second)).sum(axis=1)
    inbreeding = np.full(len(first), np.nan)
    np.divide(found, expected, out=inbreeding, where=expected > 0)
    return np.where(single.sum(axis=1) > both.sum(axis=1), 1.0, 1 - inbreeding)


class PhasingTold(NamedTuple):
    """What is told of how a target was phased: by what program, from how many phases it is imputed,
    of each chromosome, as the file calls it, how many people had something to choose, and how many
    relative phases that was in all.
    """

    tool: str = ""
    phases: int = 1
    people: Mapping[str, int] = MappingProxyType({})
    chosen: int = 0

    def describe(self) -> str:
        """The program, and how many phases count; nothing where none was at work."""
        many = f", imputed from {self.phases} phases" if self.phases > 1 else ""
        return f"{self.tool}, against the panel{many}" if self.people else ""

    def explain(self) -> str:
        """As a sentence for people."""
        if not self.people:
            return "nothing was left to phase"
        people = max(self.people.values())
        return (
            f"{self.chosen:,} relative phases of heterozygotes were chosen in {people:,} people by "
            f"{self.describe()}"
        )

    def format_header(self) -> str:
        """The line of a VCF's header, if there is something to tell."""
        return f"##haplorag_phasing={self.describe()}\n" if self.people else ""


@dataclass
class ImputedQuality:
    """What the imputation of a chromosome gave: ALT frequency in the panel, estimated R2 and
    whether typed, by site; and by person what is left unexplained at untyped sites, of how much.
    """

    frequency: np.ndarray
    r2: np.ndarray
    typed: np.ndarray
    unexplained: np.ndarray
    variance: np.ndarray


class Written(NamedTuple):
    """How much was written: people, and sites of the panel that they had typed and had not."""

    people: int
    typed: int
    imputed: int

    @property
    def genotypes(self) -> int:
        """Of all people at all sites."""
        return self.people * (self.typed + self.imputed)

    def describe(self) -> str:
        """As people say it."""
        return f"{self.people:,} people, {self.typed:,} sites typed and {self.imputed:,} imputed"


def count_written(imputed: list[ImputedQuality], people: int) -> Written:
    """How much of a target was written, on all its chromosomes."""
    sites = sum(len(part.typed) for part in imputed)
    typed = sum(int(part.typed.sum()) for part in imputed)
    return Written(people, typed, sites - typed)


class QualityWatch:
    """Adds up how much is known of each person while windows are imputed."""

    def __init__(self, frequency: np.ndarray, typed: np.ndarray, people: int) -> None:
        self._frequency, self._typed = frequency, typed
        self._unexplained, self._variance = np.zeros(people), np.zeros(people)

    def add(self, sites: np.ndarray, known: np.ndarray, probability: np.ndarray) -> None:
        """Take haplotypes at sites int [L]: known alleles int8 [2n, L] and probabilities of ALT
        float [2n, L]. Only alleles that are imputed (-1) count.
        """
        share = self._frequency[sites].astype(np.float64)
        imputed = known == -1
        # Not by BLAS, whose last bits differ with how many people there are.
        left = (probability * (1 - probability) * imputed).sum(axis=1, dtype=np.float64)
        self._unexplained += left.reshape(-1, 2).sum(axis=1)
        variance = (imputed * (share * (1 - share))).sum(axis=1)
        self._variance += variance.reshape(-1, 2).sum(axis=1)

    def finish(self, sites: np.ndarray, r2: np.ndarray) -> ImputedQuality:
        """What was seen, with the estimated R2 float [L] of the sites int [L] that were written."""
        facts = self._frequency[sites], r2, self._typed[sites]
        return ImputedQuality(*facts, self._unexplained, self._variance)


@dataclass(frozen=True)
class TargetQuality:
    """All of a target: tables of fates and people, of the accuracy once it is imputed, its
    chromosomes as the file calls them, and how it was phased, which is None before it is.
    """

    records: dict[str, int]
    diagnosis: Diagnosis
    chromosomes: dict[str, ChromosomeQuality]
    fates: pd.DataFrame
    people: pd.DataFrame
    accuracy: pd.DataFrame | None
    phasing: PhasingTold | None = None

    def explain(self) -> list[tuple[str, str]]:
        """What was found, as questions and answers."""
        phased = [] if self.phasing is None else [("Phase", self.phasing.explain())]
        return [*self.diagnosis.explain(), *phased]

    def gather(self, what: str) -> pd.DataFrame:
        """`windows` or `frequencies` of all chromosomes."""
        parts = [
            getattr(part, what).assign(chromosome=name) for name, part in self.chromosomes.items()
        ]
        return pd.concat(parts, ignore_index=True)


def tell_sexes(people: int, chromosomes: list[ChromosomeQuality]) -> tuple[np.ndarray, np.ndarray]:
    """F on X of each person, NaN where nothing tells, and the sex it tells, or nothing."""
    inbreeding = np.full(people, np.nan)
    for part in chromosomes:
        inbreeding = np.where(np.isnan(inbreeding), part.x_inbreeding, inbreeding)
    sex = np.select([inbreeding > MALE_F, inbreeding < FEMALE_F], ["male", "female"], "")
    return inbreeding, sex


def tabulate_people(
    names: list[str],
    chromosomes: list[ChromosomeQuality],
    imputed: list[ImputedQuality],
    gender: np.ndarray,
) -> pd.DataFrame:
    """A row a person: call rate, heterozygosity, and of X F, the sex it tells and that which they
    are said to be of, `gender`; expected r2.

    The expected r2 is the share of the variance at untyped sites that is explained, as far as
    probabilities are honest: 1 - sum p (1 - p) / sum f (1 - f).
    """
    variants = sum(part.variants for part in chromosomes)
    missing = sum(part.missing for part in chromosomes)
    heterozygous = sum(part.heterozygous for part in chromosomes)
    inbreeding, sex = tell_sexes(len(names), chromosomes)
    table = pd.DataFrame({"sample": names, "call_rate": 1 - missing / max(variants, 1)})
    table["heterozygosity"] = heterozygous / np.maximum(variants - missing, 1)
    table["x_f"], table["sex"], table["gender"] = inbreeding, sex, gender
    if imputed:
        left = sum(part.unexplained for part in imputed)
        variance = sum(part.variance for part in imputed)
        share = np.full(len(names), np.nan)
        table["expected_r2"] = 1 - np.divide(left, variance, out=share, where=variance > 0)
    return table


def tabulate_accuracy(imputed: list[ImputedQuality]) -> pd.DataFrame:
    """A row a bin of MAF in the panel: imputed sites, their mean estimated R2, and how many reach
    each of `USABLE`.
    """
    frequency = np.concatenate([part.frequency for part in imputed])
    r2 = np.concatenate([part.r2 for part in imputed])
    untyped = ~np.concatenate([part.typed for part in imputed])
    maf = np.minimum(frequency, 1 - frequency)[untyped]
    place = np.clip(np.searchsorted(BIN_EDGES, maf, "right") - 1, 0, len(BIN_EDGES) - 2)
    rows = []
    for number, (low, high) in enumerate(pairwise(BIN_EDGES)):
        values = r2[untyped][place == number]
        reached = {f"r2_{limit:g}": int((values >= limit).sum()) for limit in USABLE}
        mean = float(values.mean()) if len(values) else float("nan")
        rows.append({"maf": f"{low:g}-{high:g}", "sites": len(values), "mean_r2": mean, **reached})
    return pd.DataFrame(rows)


def tabulate_fates(fates: pd.DataFrame) -> pd.DataFrame:
    """How many alleles of records had each fate, then how many each remark, with its meaning."""
    counted = fates["fate"].value_counts()
    remarks = fates["remarks"].str.split(",").explode().value_counts()
    rows = [
        (what, name, int(count[name]), told[name].meaning)
        for what, told, count in (
            ("used", USED, counted), ("not used", LEFT_OUT, counted),
            ("not written", UNWRITTEN, counted), ("remark", REMARKS, remarks),
        )
        for name in told
        if name in count
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["what", "name", "alleles", "meaning"])


def list_figures(quality: TargetQuality) -> pd.DataFrame:
    """All figures of a target in one long table: part, name, measure, value."""
    rows: list[tuple[str, str, str, object]] = [
        ("records", chromosome, "records", number) for chromosome, number in quality.records.items()
    ]
    fates = quality.fates[["what", "name", "alleles"]].itertuples(index=False)
    rows += [(what, name, "alleles", number) for what, name, number in fates]
    words = ("build", "strand", "swapping", "variants", "matched", "overlap", "flips", "swaps")
    rows += [("diagnosis", "", word, getattr(quality.diagnosis, word)) for word in words]
    if quality.phasing is not None:
        rows.append(("phasing", "", "tool", quality.phasing.tool or "none"))
        rows.append(("phasing", "", "phases", quality.phasing.phases))
        for chromosome, number in quality.phasing.people.items():
            rows.append(("phasing", chromosome, "people", number))
    for chromosome, part in quality.chromosomes.items():
        outliers = int(part.frequencies["outlier"].sum())
        rows.append(("frequencies", chromosome, "compared", len(part.frequencies)))
        rows.append(("frequencies", chromosome, "outliers", outliers))
        for window in part.windows.itertuples(index=False):
            where = f"{chromosome}:{window.start}-{window.end}"
            for measure in ("sites", "own", "typed"):
                rows.append(("window", where, measure, getattr(window, measure)))
    people, accuracy = quality.people, quality.accuracy
    rows.append(("people", "", "people", len(people)))
    rows.append(("people", "", "mean_call_rate", people["call_rate"].mean()))
    if accuracy is not None:
        rows += [
            ("accuracy", f"MAF {row['maf']}", measure, row[measure])
            for row in accuracy.to_dict("records")
            for measure in accuracy.columns[1:]
        ]
    shown = [(*row[:3], f"{row[3]:.6g}" if isinstance(row[3], float) else row[3]) for row in rows]
    return pd.DataFrame(shown, columns=["part", "name", "measure", "value"])
