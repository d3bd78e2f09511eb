"""A user's target file, matched to the panel and held on disk: memory does not grow with it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from haplorag.errors import InputError
from haplorag.imputation.diagnosis import Diagnosis
from haplorag.imputation.imputer import Imputer, open_panel_chromosome
from haplorag.imputation.oddities import find_oddities
from haplorag.imputation.region import Region
from haplorag.imputation.site_log import SiteLog, explain_fates, list_elsewhere
from haplorag.imputation.site_matching import SiteMatcher
from haplorag.imputation.target_chromosome import TargetChromosome
from haplorag.imputation.target_ploidy import tell_ploidy_of_store
from haplorag.imputation.target_qc import (
    ChromosomeQuality,
    ImputedQuality,
    PhasingTold,
    TargetQuality,
    describe_chromosome,
    measure_inbreeding,
    tabulate_accuracy,
    tabulate_fates,
    tabulate_people,
    tell_sexes,
)
from haplorag.io.hdf5 import creating_arrays
from haplorag.panel.genotype_store import (
    GenotypeAppender,
    PhaseAppender,
)
from haplorag.vcf.biallelic import BiallelicReader
from haplorag.vcf.chromosomes import match_both, plain_name
from haplorag.vcf.fates import OUTSIDE
from haplorag.vcf.header import Header
from haplorag.vcf.position import Rules
from haplorag.vcf.reader import check_counts, iterate_chromosomes
from haplorag.vcf.records import Record

log = logging.getLogger(__name__)
X = ("X", "23")
READING = Rules("all_biallelic", hom_ref=True)
PHASE = "set phasing.method to panel or beagle, or phase it with a program of your own"


@dataclass(frozen=True)
class Target:
    """A target as it was read: the chromosomes that can be imputed, in the file's order.

    `fates` has a row for every allele of every record of the file, `records` counts those by
    chromosome as the file calls it, `quality` describes those that the imputer has. `gender` str
    [n] is the sex that people are said to be of, empty where nothing is said.
    """

    chromosomes: list[TargetChromosome]
    fates: pd.DataFrame
    records: Counter[str]
    diagnosis: Diagnosis
    quality: dict[str, ChromosomeQuality]
    gender: np.ndarray

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

    def judge(
        self, people: list[str], imputed: list[ImputedQuality], phasing: PhasingTold | None = None
    ) -> TargetQuality:
        """All that is known of the target's quality; `imputed` is empty before it is imputed."""
        return TargetQuality(
            dict(self.records),
            self.diagnosis,
            self.quality,
            tabulate_fates(self.fates),
            tabulate_people(people, list(self.quality.values()), imputed, self.gender),
            tabulate_accuracy(imputed) if imputed else None,
            phasing,
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
    sexes: Mapping[str, str] = MappingProxyType({}),
) -> Target:
    """Read a target once, and match its sites to the panel's.

    Each chromosome goes into a store in the folder `scratch`, where a region is wanted only that of
    the region. `sexes` are male, female or empty, as far as they are known of people. Raises
    InputError where no chromosome is the imputer's, or the region's, none of the sites is the
    panel's, the file's index counts other records, or a heterozygous genotype is unphased, unless
    `unphased` ones are meant to be phased.
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
    gender = np.array([sexes.get(name, "") for name in header.samples], dtype=object)
    target = _settle(path, drafts, elsewhere, read, gender)
    _warn_of_sexes(path, target)
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
        log.warning(
            "chromosomes that are not in the target are left out: %s; add them if they matter",
            ", ".join(lacking),
        )
    if unknown:
        log.warning(
            "%s: other_chromosome=%d records are on chromosomes that the imputer does not have "
            "(%s); they are not in the output; use an imputer that has them",
            path, sum(unknown.values()), ", ".join(unknown),
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
    path: Path,
    drafts: list[_Draft],
    elsewhere: list[pd.DataFrame],
    read: Counter[str],
    gender: np.ndarray,
) -> Target:
    """Decide what the variants are worth, now that the file is known as a whole."""
    diagnosis = Diagnosis()
    for draft in drafts:
        diagnosis.include(draft.sites.diagnosis)
    settled = [_settle_chromosome(draft, diagnosis, gender == "male") for draft in drafts]
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
                "the others are imputed; see whether it is of another genome build",
                path, part.name,
            )  # fmt: skip
    quality = {
        draft.name: _describe(draft, part) for draft, part in zip(drafts, settled, strict=True)
    }
    tables = [part.fates.assign(chromosome=part.name) for part in settled]
    fates = pd.concat([*tables, *elsewhere], ignore_index=True)
    return Target(matched, fates, read, diagnosis, quality, gender)


def _warn_of_sexes(path: Path, target: Target) -> None:
    _, told = tell_sexes(len(target.gender), list(target.quality.values()))
    differ = (told != "") & (target.gender != "") & (told != target.gender)
    if differ.any():
        log.warning(
            "%s: sex_mismatch=%d people are of another sex by their genotypes on X than by "
            "`gender`; they are imputed as their genotypes are; look for swapped samples, or fix "
            "what is said of them", path, differ.sum(),
        )  # fmt: skip


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


def _settle_chromosome(draft: _Draft, diagnosis: Diagnosis, male: np.ndarray) -> TargetChromosome:
    reader, sites = draft.reader, draft.sites
    settled = sites.settle(diagnosis.trusts_palindromes)
    fates = sites.tabulate(settled, reader.dropped)
    for oddity in find_oddities(reader, sites, settled, fates, diagnosis):
        log.warning("%s: %s", reader.path, oddity)
    where = reader.chromosome, draft.name, draft.store, len(reader.people)
    ploidy = tell_ploidy_of_store(
        draft.store, reader.chromosome, male, settled.record, sites.panel, reader.path
    )
    return TargetChromosome(*where, settled.record, settled.swapped, fates, sites.last, ploidy)
