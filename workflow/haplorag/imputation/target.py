"""A user's target file, matched to the panel and held on disk: memory does not grow with it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.errors import InputError
from haplorag.imputation.imputer import Imputer, PanelChromosome, open_panel_chromosome
from haplorag.imputation.site_matching import FATES, SiteMatcher, is_swapped
from haplorag.io.hdf5 import creating_arrays, opening_arrays
from haplorag.panel.genotype_store import (
    GenotypeAppender,
    iterate_site_blocks,
    iterate_site_names,
    read_haplotypes,
)
from haplorag.vcf.biallelic import BiallelicReader, Block
from haplorag.vcf.chromosomes import match_chromosome
from haplorag.vcf.header import Header
from haplorag.vcf.position import Rules
from haplorag.vcf.reader import iterate_chromosomes
from haplorag.vcf.writer import Site

log = logging.getLogger(__name__)
FEW_SITES = 20
MOST_MISSING = 0.5
LEAST_CORRELATION = 0.3
PHASE = (
    "run `beagle gt=TARGET.vcf.gz ref=PANEL.vcf.gz impute=false out=phased` to phase it, "
    "or Eagle or SHAPEIT likewise"
)


@dataclass(frozen=True)
class TargetChromosome:
    """One chromosome of a target, as the imputer calls it (`chromosome`) and as its file does
    (`name`).

    Its genotypes are in a store at `path`; `record` int64 [site] is the record that each panel site
    is (-1 untyped), `swapped` bool [record] whether its alleles change places, and `fates` has a
    row for each record of the store, then for each that was left out while reading.
    """

    chromosome: str
    name: str
    path: Path
    people: int
    record: np.ndarray
    swapped: np.ndarray
    fates: pd.DataFrame

    @property
    def typed(self) -> np.ndarray:
        """Panel sites that the target has, int64 [T], in order."""
        return np.flatnonzero(self.record >= 0)

    def read_haplotypes(self, sites: np.ndarray) -> np.ndarray:
        """Alleles int8 [2n, C] at panel sites, in the panel's REF and ALT.

        -1 where untyped or missing.
        """
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

    def iterate_unused(self) -> Iterator[tuple[Site, np.ndarray]]:
        """Target sites that were not used, in order, with their alleles int8 [n, 2]."""
        used = np.zeros(len(self.swapped), dtype=bool)
        used[self.record[self.record >= 0]] = True
        unused = np.flatnonzero(~used)
        if not len(unused):
            return
        columns = (self.fates[word].to_numpy()[unused] for word in ("position", "ref", "alt"))
        with opening_arrays(self.path, "genotypes") as file:
            names = iterate_site_names(file, unused)
            calls = (row for block in iterate_site_blocks(file, unused) for row in block)
            for position, ref, alt, name, alleles in zip(*columns, names, calls, strict=True):
                yield Site(int(position), name, ref, alt), alleles


def read_target(
    path: Path, header: Header, imputer: Imputer, max_unphased: float, scratch: Path
) -> list[TargetChromosome]:
    """Read a target once: its chromosomes that the imputer has, in the file's order.

    Each goes into a store in the folder `scratch`; its sites are matched to the panel's. Raises
    InputError where no chromosome is the imputer's, none of a chromosome's sites is the panel's, or
    more than `max_unphased` of the heterozygous genotypes are unphased.
    """
    found: list[TargetChromosome] = []
    others: Counter[str] = Counter()
    for name, records in iterate_chromosomes(path, header):
        chromosome = match_chromosome(name, imputer.chromosomes)
        if chromosome is None:
            others[name] += sum(1 for _ in records)
            continue
        reader = BiallelicReader(
            path, chromosome, header.samples, Rules("all_biallelic"), header=header,
            records=records, listing=True,
        )  # fmt: skip
        panel = open_panel_chromosome(imputer, chromosome)
        store = scratch / f"{chromosome}.h5"
        found.append(_read_chromosome(reader, name, panel, max_unphased, store))
    if not found:
        raise InputError(
            f"{path}: has none of the imputer's chromosomes {', '.join(imputer.chromosomes)}; "
            "fix its names or its build"
        )
    _warn_of_chromosomes(path, imputer.chromosomes, found, others)
    return found


def _warn_of_chromosomes(
    path: Path, wanted: list[str], found: list[TargetChromosome], others: Counter[str]
) -> None:
    there = {target.chromosome for target in found}
    if lacking := [chromosome for chromosome in wanted if chromosome not in there]:
        log.warning("chromosomes that are not in the target are left out: %s", ", ".join(lacking))
    if others:
        log.warning(
            "%s: other_chromosome=%d records are on chromosomes that the imputer does not have "
            "(%s); they are not in the output", path, others.total(), ", ".join(others),
        )  # fmt: skip


class _SiteLog:
    """Matches a chromosome's sites to the panel's, block by block, and keeps each one's fate."""

    def __init__(self, panel: PanelChromosome, people: int) -> None:
        self._frequency = panel.frequencies.frequency
        self._matcher = SiteMatcher(panel.position, panel.ref, panel.alt)
        self.record = np.full(len(panel.position), -1, dtype=np.int64)
        self.rows: list[tuple[int, str, str, str]] = []
        self.swapped: list[bool] = []
        # ALT frequency of used sites in the target and in the panel.
        self.frequencies: list[tuple[float, float]] = []
        self.missing = np.zeros(people, dtype=np.int64)

    def add(self, block: Block) -> None:
        """Take the next sites."""
        self.missing += (block.alleles < 0).any(axis=2).sum(axis=0)
        share = np.maximum(block.alleles, 0).mean(axis=(1, 2)).tolist()
        sites = zip(block.positions.tolist(), block.refs, block.alts, share, strict=True)
        for position, ref, alt, alternate in sites:
            site, fate = self._matcher.match(position, ref, alt)
            swapped = is_swapped(fate)
            if site >= 0:
                self.record[site] = len(self.rows)
                there = 1 - alternate if swapped else alternate
                self.frequencies.append((there, float(self._frequency[site])))
            self.rows.append((position, ref, alt, fate))
            self.swapped.append(swapped)


def _read_chromosome(
    reader: BiallelicReader, name: str, panel: PanelChromosome, max_unphased: float, store: Path
) -> TargetChromosome:
    people = reader.people
    sites = _SiteLog(panel, len(people))
    with creating_arrays(store, "genotypes") as file:
        writer = GenotypeAppender(file, calls=(len(people), 2))
        for block in reader:
            writer.append(block)
            sites.add(block)
        writer.finish(people)
    reader.check_phase(max_unphased, PHASE)
    kept = len(sites.rows)
    sites.rows += [(one.position, one.ref, one.alt, one.fate) for one in reader.dropped]
    reader.warn_notes()
    if not sites.frequencies:
        raise InputError(
            f"{reader.path}: overlap=0: none of its {len(sites.rows)} records on chromosome "
            f"{reader.chromosome} (the first at {sites.rows[0][0]}) is a site of the panel; use "
            "the panel's genome build, or an imputer that was made for this one"
        )
    for oddity in _find_oddities(reader.chromosome, sites, kept):
        log.warning("%s: %s", reader.path, oddity)
    fates = pd.DataFrame(sites.rows, columns=["position", "ref", "alt", "fate"])
    left_out = "left out while reading; not in the output"
    fates["explanation"] = fates["fate"].map(FATES).fillna(left_out)
    swapped = np.array(sites.swapped, dtype=bool)
    return TargetChromosome(
        reader.chromosome, name, store, len(people), sites.record, swapped, fates
    )


def _find_oddities(chromosome: str, sites: _SiteLog, kept: int) -> Iterator[str]:
    """Sites that were not taken as they are, missing genotypes, frequencies unlike the panel's."""
    if fates := _count_fates(chromosome, sites.rows):
        yield f"{fates}; the table of sites explains each; fix the file where it is not meant"
    used = len(sites.frequencies)
    if used < FEW_SITES:
        yield f"overlap={used} sites on {chromosome} are too few to impute from; use a denser file"
    if sites.missing.any():
        yield (
            f"missing_calls={sites.missing.sum()} are imputed as if untyped in those people; "
            "fix them if known"
        )
    if low := int((sites.missing > MOST_MISSING * kept).sum()):
        yield f"samples_low_call_rate={low} people lack most genotypes; remove them"
    correlation = _correlate(np.array(sites.frequencies))
    if used >= FEW_SITES and correlation < LEAST_CORRELATION:
        yield (
            f"its frequencies at {used} sites of chromosome {chromosome} correlate with the "
            f"panel's by {correlation:.2f} only; fix REF and ALT, or use a panel nearer to these "
            "people"
        )


def _count_fates(chromosome: str, rows: list[tuple[int, str, str, str]]) -> str:
    """How many records had each fate but the usual one, the most frequent first."""
    first: dict[str, int] = {}
    for position, _, _, fate in rows:
        first.setdefault(fate, position)
    counts = Counter(fate for *_, fate in rows)
    del counts["typed"]
    return ", ".join(
        f"{fate}={number} (first at {chromosome}:{first[fate]})"
        for fate, number in counts.most_common()
    )


def _correlate(pairs: np.ndarray) -> float:
    """Correlation of two columns [S, 2]; 1 where one of them does not vary."""
    return float(np.corrcoef(pairs.T)[0, 1]) if pairs.std(axis=0).all() else 1.0
