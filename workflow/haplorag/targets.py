"""A user's target file, matched to the panel and held on disk so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag import store
from haplorag.blocks import Reader
from haplorag.errors import InputError
from haplorag.imputed import Site
from haplorag.imputing import Panel
from haplorag.matching import FATES, SiteMatcher, is_swapped


@dataclass(frozen=True)
class Target:
    """One chromosome of a target: its store, the record of each panel site int [site] (-1 untyped), each record's fate."""

    path: Path
    people: int
    record: np.ndarray
    swapped: np.ndarray
    fates: pd.DataFrame

    def read_haplotypes(self, sites: np.ndarray) -> np.ndarray:
        """Alleles int8 [2n, C] at panel sites, in the panel's REF and ALT, -1 where untyped or missing."""
        found = np.full((2 * self.people, len(sites)), -1, dtype=np.int8)
        columns = np.flatnonzero(self.record[sites] >= 0)
        if len(columns):
            records = self.record[sites[columns]]
            order = np.argsort(records)
            with store.opening_arrays(self.path, "genotypes") as file:
                alleles = store.read_calls(file, records[order], np.arange(self.people))
            turned = self.swapped[records[order]] & (alleles >= 0)
            found[:, columns[order]] = np.where(turned, 1 - alleles, alleles)
        return found

    def unused(self) -> Iterator[tuple[int, int]]:
        """Position and record of target sites that were not used, in order."""
        used = np.zeros(len(self.swapped), dtype=bool)
        used[self.record[self.record >= 0]] = True
        return ((int(self.fates["position"][record]), int(record)) for record in np.flatnonzero(~used))

    def read_unused(self, record: int) -> tuple[Site, np.ndarray]:
        """Site and alleles int8 [n, 2] of one record."""
        row = self.fates.iloc[record]
        with store.opening_arrays(self.path, "genotypes") as file:
            name = file["variants/ID"].asstr()[record]
            return Site(int(row["position"]), name, row["ref"], row["alt"]), file["calldata/GT"][record]


def read_target(path: Path, chromosome: str, people: list[str], panel: Panel, max_unphased: float, scratch: Path) -> Target:
    """Read a chromosome of a target into a store at `scratch` and match its sites to the panel's.

    Raises InputError where more than `max_unphased` of the heterozygous genotypes are unphased.
    """
    reader = Reader(path, chromosome, people, "all_biallelic", "split", listing=True)
    matcher = SiteMatcher(panel.position, panel.ref, panel.alt)
    record = np.full(len(panel.position), -1, dtype=np.int64)
    rows: list[tuple[int, str, str, str]] = []
    swapped: list[bool] = []
    different, unphased = 0, 0
    with store.creating_arrays(scratch, "genotypes") as file:
        writer = store.Appender(file, calls=(len(people), 2))
        for block in reader:
            apart = (block.alleles[..., 0] != block.alleles[..., 1]) & (block.alleles >= 0).all(axis=2)
            different, unphased = different + int(apart.sum()), unphased + int((apart & ~block.phased).sum())
            writer.append(block)
            for position, ref, alt in zip(block.positions.tolist(), block.refs, block.alts, strict=True):
                site, fate = matcher.match(position, ref, alt)
                if site >= 0:
                    record[site] = len(rows)
                rows.append((position, ref, alt, fate))
                swapped.append(is_swapped(fate))
        writer.finish(people)
    if unphased > max_unphased * different:
        raise InputError(
            f"{path}: {unphased} of {different} heterozygous genotypes of chromosome {chromosome} are unphased; phase it "
            f"first, with `beagle gt=TARGET.vcf.gz ref=PANEL.vcf.gz impute=false out=phased`, or Eagle or SHAPEIT likewise"
        )
    rows += [(position, ref, alt, reason) for position, ref, alt, reason in reader.dropped]
    fates = pd.DataFrame(rows, columns=["position", "ref", "alt", "fate"])
    fates["explanation"] = fates["fate"].map(FATES).fillna("left out while reading; not in the output")
    return Target(scratch, len(people), record, np.array(swapped, dtype=bool), fates)
