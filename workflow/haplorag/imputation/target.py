"""A user's target file, matched to the panel and held on disk so that memory does not grow with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.errors import InputError
from haplorag.imputation.imputer import PanelChromosome
from haplorag.imputation.site_matching import FATES, SiteMatcher, is_swapped
from haplorag.io.hdf5 import creating_arrays, opening_arrays
from haplorag.panel.genotype_store import GenotypeAppender, read_haplotypes
from haplorag.vcf.biallelic import BiallelicReader
from haplorag.vcf.writer import Site

log = logging.getLogger(__name__)
FEW_SITES = 20
MOST_MISSING = 0.5
LEAST_CORRELATION = 0.3
PHASE = "run `beagle gt=TARGET.vcf.gz ref=PANEL.vcf.gz impute=false out=phased` to phase it, or Eagle or SHAPEIT likewise"


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
            with opening_arrays(self.path, "genotypes") as file:
                alleles = read_haplotypes(file, records[order], np.arange(self.people))
            turned = self.swapped[records[order]] & (alleles >= 0)
            found[:, columns[order]] = np.where(turned, 1 - alleles, alleles)
        return found

    def unused(self) -> Iterator[tuple[int, int]]:
        """Position and record of target sites that were not used, in order."""
        used = np.zeros(len(self.swapped), dtype=bool)
        used[self.record[self.record >= 0]] = True
        return (
            (int(self.fates["position"][record]), int(record)) for record in np.flatnonzero(~used)
        )

    def read_unused(self, record: int) -> tuple[Site, np.ndarray]:
        """Site and alleles int8 [n, 2] of one record."""
        row = self.fates.iloc[record]
        with opening_arrays(self.path, "genotypes") as file:
            name = file["variants/ID"].asstr()[record]
            return Site(int(row["position"]), name, row["ref"], row["alt"]), file["calldata/GT"][
                record
            ]


def read_target(
    path: Path,
    chromosome: str,
    people: list[str],
    panel: PanelChromosome,
    max_unphased: float,
    scratch: Path,
) -> Target:
    """Read a chromosome of a target into a store at `scratch` and match its sites to the panel's.

    Raises InputError where more than `max_unphased` of the heterozygous genotypes are unphased.
    """
    reader = BiallelicReader(path, chromosome, people, "all_biallelic", "split", listing=True)
    matcher = SiteMatcher(panel.position, panel.ref, panel.alt)
    record = np.full(len(panel.position), -1, dtype=np.int64)
    rows: list[tuple[int, str, str, str]] = []
    swapped: list[bool] = []
    missing, seen = np.zeros(len(people), dtype=np.int64), 0
    shares: list[tuple[float, float]] = []
    with creating_arrays(scratch, "genotypes") as file:
        writer = GenotypeAppender(file, calls=(len(people), 2))
        for block in reader:
            missing, seen = (
                missing + (block.alleles < 0).any(axis=2).sum(axis=0),
                seen + len(block.positions),
            )
            share = np.maximum(block.alleles, 0).mean(axis=(1, 2))
            writer.append(block)
            for number, (position, ref, alt) in enumerate(
                zip(block.positions.tolist(), block.refs, block.alts, strict=True)
            ):
                site, fate = matcher.match(position, ref, alt)
                if site >= 0:
                    record[site] = len(rows)
                    there = 1 - share[number] if is_swapped(fate) else share[number]
                    shares.append((there, float(panel.frequencies.frequency[site])))
                rows.append((position, ref, alt, fate))
                swapped.append(is_swapped(fate))
        writer.finish(people)
    reader.check_phase(max_unphased, PHASE)
    rows += [(position, ref, alt, reason) for position, ref, alt, reason in reader.dropped]
    reader.warn_notes()
    _warn(path, chromosome, rows, missing, seen, np.array(shares).reshape(-1, 2))
    fates = pd.DataFrame(rows, columns=["position", "ref", "alt", "fate"])
    fates["explanation"] = (
        fates["fate"].map(FATES).fillna("left out while reading; not in the output")
    )
    return Target(scratch, len(people), record, np.array(swapped, dtype=bool), fates)


def _warn(
    path: Path,
    chromosome: str,
    rows: list[tuple[int, str, str, str]],
    missing: np.ndarray,
    seen: int,
    shares: np.ndarray,
) -> None:
    """Warn of what became of records, of people with many missing genotypes, and of frequencies that are not the panel's.

    Raises InputError where no record is a site of the panel.
    """
    if not len(shares):
        raise InputError(
            f"{path}: overlap=0: none of its {len(rows)} records on chromosome {chromosome} (the first at {rows[0][0]}) is a "
            f"site of the panel; use the panel's genome build, or an imputer that was made for this one"
        )
    first: dict[str, int] = {}
    for position, _, _, fate in rows:
        first.setdefault(fate, position)
    counts = pd.Series([fate for *_, fate in rows]).value_counts()
    odd = [
        f"{fate}={number} (first at {chromosome}:{first[fate]})"
        for fate, number in counts.items()
        if fate != "typed"
    ]
    if odd:
        log.warning(
            "%s: %s; the table of sites explains each; fix the file where it is not meant",
            path,
            ", ".join(odd),
        )
    if len(shares) < FEW_SITES:
        log.warning(
            "%s: overlap=%d sites on %s are too few to impute from; use a denser file",
            path,
            len(shares),
            chromosome,
        )
    if missing.any():
        log.warning(
            "%s: missing_calls=%d are imputed as if untyped in those people; fix them if known",
            path,
            missing.sum(),
        )
    if low := int((missing > MOST_MISSING * seen).sum()):
        log.warning(
            "%s: samples_low_call_rate=%d people lack most genotypes; remove them", path, low
        )
    if (
        len(shares) >= FEW_SITES
        and shares.std(axis=0).all()
        and np.corrcoef(shares.T)[0, 1] < LEAST_CORRELATION
    ):
        share = np.corrcoef(shares.T)[0, 1]
        log.warning(
            "%s: its frequencies at %d sites of chromosome %s correlate with the panel's by %.2f only; fix REF and ALT, or "
            "use a panel nearer to these people", path, len(shares), chromosome, share,
        )  # fmt: skip
