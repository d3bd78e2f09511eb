"""Keeps what is known of a target's variants on a chromosome, and settles the fate of each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from haplorag.imputation.diagnosis import Diagnosis
from haplorag.imputation.imputer import PanelChromosome
from haplorag.imputation.site_matching import Match, SiteMatcher, is_swapped
from haplorag.vcf.biallelic import Block, SiteFate
from haplorag.vcf.fates import LEFT_OUT, UNWRITTEN, USED
from haplorag.vcf.header import Header
from haplorag.vcf.position import list_remarks
from haplorag.vcf.records import Record

FATE_COLUMNS = ["position", "ref", "alt", "fate", "remarks"]
FATES = [*USED, *LEFT_OUT]
USED_CODES = [FATES.index(fate) for fate in USED]
SWAPPED_CODES = [FATES.index(fate) for fate in USED if is_swapped(fate)]


@dataclass(frozen=True)
class SettledSites:
    """Which record each panel site is, int64 [site] (-1 untyped); whether a record's alleles change
    places, bool [record]; and each record's fate, a place in `FATES` int8 [record].
    """

    record: np.ndarray
    swapped: np.ndarray
    fates: np.ndarray


class SiteLog:
    """The variants of one chromosome, in the order of their store, a few bytes each.

    `missing` and `heterozygous` count genotypes of each person, int64 [n]; `alternate` and `known`
    count alleles of each variant. `diagnosis` counts those between the panel's first site and its
    last.
    """

    def __init__(self, panel: PanelChromosome, people: int) -> None:
        self.panel = panel
        self._reach = int(panel.position[0]), int(panel.position[-1])
        self.diagnosis = Diagnosis()
        self.missing = np.zeros(people, dtype=np.int64)
        self.heterozygous = np.zeros(people, dtype=np.int64)
        self.positions, self.alternate, self.known = array("i"), array("i"), array("i")
        self.refs: list[str] = []
        self.alts: list[str] = []
        self.remarks: list[str] = []
        self._fate, self._palindromic = array("b"), array("b")
        # Records and the panel's sites they are, pair by pair.
        self._row, self._site = array("i"), array("i")

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def last(self) -> int:
        """The greatest position of the panel's sites and the target's."""
        return max(self._reach[1], *self.positions[-1:])

    def add(self, block: Block, matcher: SiteMatcher) -> None:
        """Take the next variants, and match them to the panel's."""
        calls = block.alleles
        self.missing += (calls == -1).any(axis=2).sum(axis=0)
        different = (calls >= 0).all(axis=2) & (calls[..., 0] != calls[..., 1])
        self.heterozygous += different.sum(axis=0)
        self.alternate.extend((calls > 0).sum(axis=(1, 2)).tolist())
        self.known.extend((calls >= 0).sum(axis=(1, 2)).tolist())
        self.refs += block.refs
        self.alts += block.alts
        self.remarks += block.remarks
        for position, ref, alt in zip(
            block.positions.tolist(), block.refs, block.alts, strict=True
        ):
            self._add_match(position, matcher.match(position, ref, alt))

    def _add_match(self, position: int, match: Match) -> None:
        for site in match.sites:
            self._row.append(len(self.positions))
            self._site.append(site)
        self.positions.append(position)
        self._fate.append(FATES.index(match.fate))
        self._palindromic.append(match.palindromic and bool(match.sites))
        if self._reach[0] <= position <= self._reach[1]:
            self.diagnosis.add(match)

    def settle(self, trusts_palindromes: bool) -> SettledSites:
        """Decide which record each panel site is.

        Of several that are the same site that with the most known alleles is used, of equals one
        that names ALT, then the first. Palindromes are used only where the file as a whole tells
        their strand.
        """
        fates = np.array(self._fate, dtype=np.int8)
        if not trusts_palindromes:
            fates[np.array(self._palindromic, dtype=bool)] = FATES.index("palindromic_unsure")
        row, site = np.array(self._row, dtype=np.int64), np.array(self._site, dtype=np.int64)
        usable = np.isin(fates, USED_CODES)[row]
        row, site = row[usable], site[usable]
        named = fates[row] != FATES.index("hom_ref")
        # The last of several stays.
        order = np.lexsort((-row, named, np.array(self.known)[row]))
        record = np.full(len(self.panel.position), -1, dtype=np.int64)
        record[site[order]] = row[order]
        fates[np.setdiff1d(row, record)] = FATES.index("duplicate_site")
        return SettledSites(record, np.isin(fates, SWAPPED_CODES), fates)

    def tabulate(self, settled: SettledSites, dropped: list[SiteFate]) -> pd.DataFrame:
        """A row for each record of the store, then for each that was left out while reading."""
        fates = np.array(FATES, dtype=object)[settled.fates]
        columns = [self.positions, self.refs, self.alts, fates, self.remarks]
        kept = pd.DataFrame(dict(zip(FATE_COLUMNS, columns, strict=True)))
        left_out = pd.DataFrame(dropped, columns=FATE_COLUMNS)
        table = pd.concat([kept, left_out] if dropped else [kept], ignore_index=True)
        return explain_fates(table)

    def compare_frequencies(self, record: np.ndarray, swapped: np.ndarray) -> pd.DataFrame:
        """Panel sites that are typed: their row, ALT frequency in the target and in the panel, and
        how many alleles of the target are known.
        """
        sites = np.flatnonzero(record >= 0)
        rows = record[sites]
        known = np.array(self.known)[rows]
        share = np.array(self.alternate)[rows] / np.maximum(known, 1)
        there = np.where(swapped[rows], 1 - share, share)
        panel = self.panel.frequencies.frequency[sites].astype(float)
        facts = {"site": sites, "target": there, "panel": panel, "known": known}
        return pd.DataFrame(facts)[known > 0]


def explain_fates(table: pd.DataFrame) -> pd.DataFrame:
    """Add what each fate means, and whether such records come out of the imputation."""
    table["explanation"] = table["fate"].map(
        {
            **{fate: told.meaning for fate, told in USED.items()},
            **{fate: f"{told.meaning}; not used" for fate, told in LEFT_OUT.items()},
            **{fate: told.meaning for fate, told in UNWRITTEN.items()},
        }
    )
    return table


def list_elsewhere(name: str, fate: str, records: Iterator[Record], header: Header) -> pd.DataFrame:
    """Rows of a chromosome that the imputer does not have, or that is not wanted."""
    length = header.lengths.get(name, 0)
    rows = [
        (record.position, record.ref, alt, fate, remarks)
        for record in records
        for remarks in [",".join(list_remarks(record, [], length))]
        for alt in record.alts or ["."]
    ]
    return explain_fates(pd.DataFrame(rows, columns=FATE_COLUMNS)).assign(chromosome=name)
