"""A user's target file, matched to the panel and held on disk: memory does not grow with it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.errors import InputError
from haplorag.imputation.diagnosis import Diagnosis
from haplorag.imputation.imputer import Imputer, open_panel_chromosome
from haplorag.imputation.oddities import find_oddities
from haplorag.imputation.region import Region
from haplorag.imputation.site_log import SiteLog, explain_fates, list_elsewhere
from haplorag.imputation.site_matching import SiteMatcher
from haplorag.imputation.target_ploidy import tell_ploidy_of_store
from haplorag.imputation.target_qc import (
    ChromosomeQuality,
    ImputedQuality,
    TargetQuality,
    describe_chromosome,
    measure_inbreeding,
    tabulate_accuracy,
    tabulate_fates,
    tabulate_people,
)
from haplorag.io.hdf5 import creating_arrays, opening_arrays
from haplorag.panel.genotype_store import (
    GenotypeAppender,
    PhaseAppender,
    iterate_phases,
    iterate_site_blocks,
    iterate_site_names,
    read_haplotypes,
    read_phases,
)
from haplorag.panel.ploidy import Ploidy
from haplorag.phasing.units import PHASED, UNPHASED
from haplorag.qc.ploidy import settle_haploid
from haplorag.vcf.biallelic import BiallelicReader
from haplorag.vcf.chromosomes import match_both, plain_name
from haplorag.vcf.fates import OUTSIDE
from haplorag.vcf.header import Header
from haplorag.vcf.position import Rules
from haplorag.vcf.reader import check_counts, iterate_chromosomes
from haplorag.vcf.records import Record
from haplorag.vcf.writer import Site

log = logging.getLogger(__name__)
X = ("X", "23")
READING = Rules("all_biallelic", hom_ref=True)
PHASE = "set phasing.method to panel or beagle, or phase it with a program of your own"


@dataclass(frozen=True)
class TargetChromosome:
    """One chromosome of a target, as the imputer calls it (`chromosome`) and as its file does
    (`name`).

    Its genotypes are in a store at `path`; `record` int64 [site] is the record that each panel site
    is (-1 untyped), `swapped` bool [record] whether its alleles change places, and `fates` has a
    row for each record of the store, then for each that was left out while reading. `last` is the
    greatest position of the panel's sites and its own. `ploidy` says by the panel's sites who has
    one haplotype. `phased` int8 [2n, T] are the haplotypes at typed sites where some people,
    `rephased` bool [n], were phased after reading. Where there is a `region`, nothing else is
    imputed and written.
    """

    chromosome: str
    name: str
    path: Path
    people: int
    record: np.ndarray
    swapped: np.ndarray
    fates: pd.DataFrame
    last: int
    ploidy: Ploidy
    phased: np.ndarray | None = None
    rephased: np.ndarray | None = None
    region: Region | None = None

    def is_wanted(self, positions: np.ndarray) -> np.ndarray:
        """Which positions int [S] are to be written: bool [S]."""
        if self.region is None:
            return np.ones(len(positions), dtype=bool)
        return self.region.holds(positions)

    @property
    def typed(self) -> np.ndarray:
        """Panel sites that the target has, int64 [T], in order."""
        return np.flatnonzero(self.record >= 0)

    def read_haplotypes(self, sites: np.ndarray) -> np.ndarray:
        """Alleles int8 [2n, C] at panel sites, in the panel's REF and ALT.

        -1 where untyped or missing, ABSENT where somebody has no second haplotype.
        """
        found = np.full((2 * self.people, len(sites)), -1, dtype=np.int8)
        columns = np.flatnonzero(self.record[sites] >= 0)
        if len(columns) and self.phased is not None:
            found[:, columns] = self.phased[:, np.searchsorted(self.typed, sites[columns])]
        elif len(columns):
            records = self.record[sites[columns]]
            order = np.argsort(records)
            with opening_arrays(self.path, "genotypes") as file:
                alleles = read_haplotypes(file, records[order], np.arange(self.people))
            turned = self.swapped[records[order]] & (alleles >= 0)
            found[:, columns[order]] = np.where(turned, 1 - alleles, alleles)
        return self._settle(found, sites)

    def _settle(self, haplotypes: np.ndarray, sites: np.ndarray) -> np.ndarray:
        """Haplotypes int8 [2n, C] in which those who have one haplotype have one allele."""
        haploid = self.ploidy.find_haploid(sites)
        if not haploid.any():
            return haplotypes
        alleles = haplotypes.reshape(self.people, 2, -1).transpose(2, 0, 1)
        settled, _ = settle_haploid(alleles, haploid)
        return np.ascontiguousarray(settled.transpose(1, 2, 0)).reshape(haplotypes.shape)

    def read_names(self, sites: np.ndarray) -> list[str]:
        """Ids of the records that panel sites are, `.` where there is none."""
        names = ["."] * len(sites)
        records = self.record[sites]
        columns = np.flatnonzero(records >= 0)
        order = columns[np.argsort(records[columns], kind="stable")]
        with opening_arrays(self.path, "genotypes") as file:
            found = dict.fromkeys(np.unique(records[order]).tolist(), ".")
            found = dict(zip(found, iterate_site_names(file, np.array(list(found))), strict=True))
        for column in order.tolist():
            names[column] = found[int(records[column])]
        return names

    def read_phases(self, sites: np.ndarray) -> np.ndarray | None:
        """Phases int32 [n, C] of genotypes at typed panel sites as `vcf.records.Record` has them;
        None where all are phased with all others.
        """
        records = self.record[sites]
        order = np.argsort(records)
        with opening_arrays(self.path, "genotypes") as file:
            phases = read_phases(file, records[order])
        if phases is None:
            return None
        found = np.empty((self.people, len(sites)), dtype=np.int32)
        found[:, order] = phases.T
        return found

    def iterate_records(self) -> Iterator[tuple[Site, np.ndarray, np.ndarray]]:
        """All records that were kept, as `iterate_unused`, those at typed sites with their phase
        here and in the alleles of the file.
        """
        typed = self.typed
        columns = {int(record): column for column, record in enumerate(self.record[typed])}
        everything = self._iterate(np.arange(len(self.swapped)))
        for record, (site, alleles, unphased) in enumerate(everything):
            column = columns.get(record)
            if column is not None and self.phased is not None:
                found = self.phased[:, column].reshape(-1, 2)
                alleles = np.where(self.swapped[record] & (found >= 0), 1 - found, found)
                unphased = np.zeros_like(unphased)
            yield site, alleles, unphased

    def iterate_unused(self) -> Iterator[tuple[Site, np.ndarray, np.ndarray]]:
        """Target sites that are wanted and were not used, in order, with their alleles int8 [n, 2]
        and which genotypes are not phased, bool [n]: in people who were phased after reading also
        those of phase sets, which may have been turned.
        """
        written = self.is_wanted(self.fates["position"].to_numpy()[: len(self.swapped)])
        written[self.record[self.record >= 0]] = False
        yield from self._iterate(np.flatnonzero(written))

    def _iterate(self, records: np.ndarray) -> Iterator[tuple[Site, np.ndarray, np.ndarray]]:
        if not len(records):
            return
        columns = (self.fates[word].to_numpy()[records] for word in ("position", "ref", "alt"))
        with opening_arrays(self.path, "genotypes") as file:
            names = iterate_site_names(file, records)
            calls = (row for block in iterate_site_blocks(file, records) for row in block)
            phases = iterate_phases(file, records, self.people)
            rows = zip(*columns, names, calls, phases, strict=True)
            for position, ref, alt, name, alleles, phase in rows:
                unphased = phase == UNPHASED
                if self.rephased is not None:
                    unphased |= self.rephased & (phase != PHASED)
                yield Site(int(position), name, ref, alt), alleles, unphased


@dataclass(frozen=True)
class Target:
    """A target as it was read: the chromosomes that can be imputed, in the file's order.

    `fates` has a row for every allele of every record of the file, `records` counts those by
    chromosome as the file calls it, `quality` describes those that the imputer has.
    """

    chromosomes: list[TargetChromosome]
    fates: pd.DataFrame
    records: Counter[str]
    diagnosis: Diagnosis
    quality: dict[str, ChromosomeQuality]

    @property
    def last(self) -> int:
        """The greatest position that will come out."""
        return max(part.last for part in self.chromosomes)

    def list_lengths(self, header: Header) -> dict[str, int]:
        """Lengths of chromosomes that the header declares, 0 for those that are longer in truth."""
        lengths = {}
        for part in self.chromosomes:
            declared = header.lengths.get(part.name, 0)
            lengths[part.name] = declared if part.last <= declared else 0
        return lengths

    def restrict(self, region: Region) -> Target:
        """The same, of which only a region is wanted: records of its chromosome beyond it are
        evidence at most.
        """
        parts = [replace(part, region=region) for part in self.chromosomes]
        fates = self.fates.copy()
        here = fates["chromosome"].isin([part.name for part in parts])
        fates.loc[here & ~region.holds(fates["position"]), "fate"] = OUTSIDE
        return replace(self, chromosomes=parts, fates=explain_fates(fates))

    def judge(self, people: list[str], imputed: list[ImputedQuality]) -> TargetQuality:
        """All that is known of the target's quality; `imputed` is empty before it is imputed."""
        return TargetQuality(
            dict(self.records),
            self.diagnosis,
            self.quality,
            tabulate_fates(self.fates),
            tabulate_people(people, list(self.quality.values()), imputed),
            tabulate_accuracy(imputed) if imputed else None,
        )


@dataclass(frozen=True)
class _Draft:
    """A chromosome that was read; what its variants are worth shows when all have been."""

    reader: BiallelicReader
    name: str
    store: Path
    sites: SiteLog


def read_target(
    path: Path,
    header: Header,
    imputer: Imputer,
    scratch: Path,
    unphased: bool = False,
    region: Region | None = None,
) -> Target:
    """Read a target once, and match its sites to the panel's.

    Each chromosome goes into a store in the folder `scratch`, where a region is wanted only that of
    the region. Raises InputError where no chromosome is the imputer's, or the region's, none of the
    sites is the panel's, the file's index counts other records, or a heterozygous genotype is
    unphased, unless `unphased` ones are meant to be phased.
    """
    wanted = imputer.chromosomes if region is None else [region.chromosome]
    find = partial(match_both, own=list(header.lengths), others=imputer.chromosomes)
    drafts: list[_Draft] = []
    elsewhere: list[pd.DataFrame] = []
    read: Counter[str] = Counter()
    for name, records in iterate_chromosomes(path, header):
        counted = _count_records(records, read)
        chromosome = find(name)
        if chromosome not in wanted:
            fate = "other_chromosome" if chromosome is None else OUTSIDE
            elsewhere.append(list_elsewhere(name, fate, counted, header))
            continue
        _refuse_double(path, name, chromosome, drafts)
        reader = BiallelicReader(
            path, chromosome, header.samples, READING, header=header, records=counted, listing=True
        )
        drafts.append(_read_chromosome(reader, name, imputer, scratch, unphased))
    check_counts(path, header, read)
    if not drafts:
        names = "the imputer's chromosomes" if region is None else "the region's chromosome"
        raise InputError(
            f"{path}: has none of {names} {', '.join(wanted)}; fix its names, or use an imputer "
            "that has them"
        )
    unknown = {name: read[name] for name in read if not find(name)}
    _warn_of_chromosomes(path, wanted, drafts, unknown)
    target = _settle(path, drafts, elsewhere, read)
    return target if region is None else target.restrict(region)


def _refuse_double(path: Path, name: str, chromosome: str, drafts: list[_Draft]) -> None:
    """Raise InputError where another name of the file means the same chromosome."""
    for draft in drafts:
        if draft.reader.chromosome == chromosome:
            raise InputError(
                f"{path}: both {draft.name} and {name} would be the imputer's chromosome "
                f"{chromosome}; rename one of them: bcftools annotate --rename-chrs"
            )


def _count_records(records: Iterator[Record], read: Counter[str]) -> Iterator[Record]:
    for record in records:
        read[record.chromosome] += 1
        yield record


def _warn_of_chromosomes(
    path: Path, wanted: list[str], drafts: list[_Draft], unknown: dict[str, int]
) -> None:
    there = {draft.reader.chromosome for draft in drafts}
    if lacking := [chromosome for chromosome in wanted if chromosome not in there]:
        log.warning("chromosomes that are not in the target are left out: %s", ", ".join(lacking))
    if unknown:
        log.warning(
            "%s: other_chromosome=%d records are on chromosomes that the imputer does not have "
            "(%s); they are not in the output", path, sum(unknown.values()), ", ".join(unknown),
        )  # fmt: skip


def _read_chromosome(
    reader: BiallelicReader, name: str, imputer: Imputer, scratch: Path, unphased: bool
) -> _Draft:
    people = reader.people
    panel = open_panel_chromosome(imputer, reader.chromosome)
    matcher = SiteMatcher(panel.position, panel.ref, panel.alt)
    sites = SiteLog(panel, len(people))
    store = scratch / f"{reader.chromosome}.h5"
    with creating_arrays(store, "genotypes") as file:
        writer = GenotypeAppender(file, calls=(len(people), 2))
        phases = PhaseAppender(file, len(people))
        for block in reader:
            writer.append(block)
            phases.append(block.phased)
            sites.add(block, matcher)
        writer.finish(people)
    if not unphased:
        reader.check_phase(0, PHASE)
    reader.warn_notes()
    return _Draft(reader, name, store, sites)


def _settle(
    path: Path, drafts: list[_Draft], elsewhere: list[pd.DataFrame], read: Counter[str]
) -> Target:
    """Decide what the variants are worth, now that the file is known as a whole."""
    diagnosis = Diagnosis()
    for draft in drafts:
        diagnosis.include(draft.sites.diagnosis)
    settled = [_settle_chromosome(draft, diagnosis) for draft in drafts]
    matched = [part for part in settled if len(part.typed)]
    if not matched:
        first = next((place for draft in drafts for place in draft.sites.positions), "none kept")
        raise InputError(
            f"{path}: overlap=0: none of its {sum(read.values())} records (the first kept at "
            f"{first}) is a site of the panel; most likely it is of another genome build: use the "
            "panel's, or an imputer that was made for this one"
        )
    for part in settled:
        if not len(part.typed):
            log.warning(
                "%s: overlap=0 on chromosome %s: none of its sites is the panel's; it is left out, "
                "the others are imputed", path, part.name,
            )  # fmt: skip
    quality = {
        draft.name: _describe(draft, part) for draft, part in zip(drafts, settled, strict=True)
    }
    tables = [part.fates.assign(chromosome=part.name) for part in settled]
    fates = pd.concat([*tables, *elsewhere], ignore_index=True)
    return Target(matched, fates, read, diagnosis, quality)


def _describe(draft: _Draft, part: TargetChromosome) -> ChromosomeQuality:
    """Describe a chromosome as it came; of X also who seems to have one haplotype."""
    panel = draft.sites.panel
    described = describe_chromosome(draft.sites, part.record, part.swapped)
    if plain_name(part.chromosome) not in X:
        return described
    typed = part.typed
    share = panel.frequencies.frequency[typed].astype(float)
    inbreeding = measure_inbreeding(part.read_haplotypes(typed), share, panel.position[typed])
    return replace(described, x_inbreeding=inbreeding)


def _settle_chromosome(draft: _Draft, diagnosis: Diagnosis) -> TargetChromosome:
    reader, sites = draft.reader, draft.sites
    settled = sites.settle(diagnosis.trusts_palindromes)
    fates = sites.tabulate(settled, reader.dropped)
    for oddity in find_oddities(reader, sites, settled, fates, diagnosis):
        log.warning("%s: %s", reader.path, oddity)
    where = reader.chromosome, draft.name, draft.store, len(reader.people)
    ploidy = tell_ploidy_of_store(
        draft.store, reader.chromosome, len(reader.people), settled.record, sites.panel, reader.path
    )
    return TargetChromosome(*where, settled.record, settled.swapped, fates, sites.last, ploidy)
