"""Says who has one haplotype where, in a target: person by person, whoever else is in the file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from haplorag.imputation.imputer import PanelChromosome
from haplorag.io.hdf5 import File, opening_arrays
from haplorag.panel.genotype_store import cut_blocks, iterate_site_blocks
from haplorag.panel.ploidy import Ploidy, assume_diploid
from haplorag.qc.ploidy import (
    Blocks,
    PloidyWalk,
    find_heterozygotes,
    lack_heterozygotes,
    tell_ploidy,
)
from haplorag.vcf.chromosomes import MT, may_be_haploid, plain_name

log = logging.getLogger(__name__)


class TargetPloidy(NamedTuple):
    """Ploidy of a target's people by the panel's sites, and who is written as a diploid where they
    have one haplotype, bool [n].
    """

    ploidy: Ploidy
    doubled: np.ndarray


@dataclass(frozen=True)
class PanelStretches:
    """What of a panel tells the ploidy of a target: positions int [site] in bp, and the ploidy of
    the panel's people.
    """

    position: np.ndarray
    ploidy: Ploidy

    def find_stretch(self, positions: np.ndarray) -> np.ndarray:
        """The stretch that each position lies in, or the next site after it: int64."""
        return self.ploidy.find_stretch(np.searchsorted(self.position, positions))

    def place_change(self, before: int, at: int) -> int:
        """The site from which a ploidy holds that is seen at the position `at`, when another was
        seen at the position before: where the panel's changes, if that agrees.
        """
        low, high = (
            np.searchsorted(self.position, before, "right"),
            np.searchsorted(self.position, at),
        )
        there = self.ploidy.first[(self.ploidy.first >= low) & (self.ploidy.first <= high)]
        return int(there[0]) if len(there) else int(high)


def tell_ploidy_of_store(
    store: Path,
    chromosome: str,
    male: np.ndarray,
    record: np.ndarray,
    panel: PanelChromosome,
    vcf: Path,
) -> Ploidy:
    """Who has one haplotype where, by the panel's sites, of a target that is in a store.

    `male` bool [n] are people who are known to be men, `record` int64 [site] is the record that
    each of the panel's sites is, -1 for none. Raises InputError as `tell_target_ploidy` does.
    """
    people = len(male)
    if plain_name(chromosome) == MT:
        return Ploidy(np.zeros(1, dtype=np.int64), np.ones((1, people), dtype=np.int8))
    if not may_be_haploid(chromosome):
        return assume_diploid(people)
    stretches = PanelStretches(panel.position, panel.shards.ploidy)
    with opening_arrays(store, "genotypes") as file:
        position = file["variants/POS"][:]
        frequency = np.full(len(position), np.nan)
        frequency[record[record >= 0]] = panel.frequencies.frequency[record >= 0]
        blocks = (
            (position[rows], next(iterate_site_blocks(file, rows)))
            for rows in cut_blocks(file, np.arange(len(position)))
        )
        told = tell_target_ploidy(blocks, male, frequency, stretches, str(vcf))
        mistaken = _count_heterozygotes(file, record, told.ploidy) if told.doubled.any() else 0
    haploid = (told.ploidy.people == 1).any(axis=0)
    if haploid.any():
        log.info("chromosome %s: %d people have one haplotype", chromosome, haploid.sum())
    if told.doubled.any():
        log.warning(
            "%s: doubled_haploids=%d people are written as diploids on chromosome %s and have no "
            "heterozygotes where men have none; each is taken as one haplotype there, and comes "
            "out as one; write their genotypes with one allele if this is not meant",
            vcf, told.doubled.sum(), chromosome,
        )  # fmt: skip
    if mistaken:
        log.warning(
            "%s: haploid_heterozygotes=%d genotypes of people who have one haplotype on chromosome "
            "%s are missing, and imputed; fix them if they are known", vcf, mistaken, chromosome,
        )  # fmt: skip
    return told.ploidy


def _count_heterozygotes(file: File, record: np.ndarray, ploidy: Ploidy) -> int:
    """Heterozygotes at typed sites of those who have one haplotype there."""
    typed = np.flatnonzero(record >= 0)
    typed = typed[np.argsort(record[typed], kind="stable")]
    found, start = 0, 0
    for alleles in iterate_site_blocks(file, record[typed]):
        haploid = ploidy.find_haploid(typed[start : start + len(alleles)])
        found += int(np.count_nonzero(find_heterozygotes(alleles) & haploid))
        start += len(alleles)
    return found


def tell_target_ploidy(
    blocks: Blocks, male: np.ndarray, frequency: np.ndarray, panel: PanelStretches, source: str
) -> TargetPloidy:
    """Tell who has one haplotype where from the records of a target.

    `male` bool [n] are people who are known to be men; `frequency` float [record] is that of ALT in
    the panel, NaN where a record is none of its sites. Haploid genotypes say so. Where the panel's
    men are haploid, so is who is written as a diploid and lacks the heterozygotes to be expected,
    of which fewer will do where a man is known. Where nothing is typed, people are as they are
    elsewhere in such a stretch, and diploid where all of the panel are. Raises InputError where
    ploidy changes again and again.
    """
    people = len(male)
    walk = PloidyWalk(people, source)
    known, hets, expected = (np.zeros((len(panel.ploidy.first), people)) for _ in range(3))
    start = 0
    for positions, alleles in blocks:
        walk.add(positions, alleles)
        share = frequency[start : start + len(positions)]
        start += len(positions)
        likely = np.nan_to_num(2 * share * (1 - share))[:, None]
        there = panel.find_stretch(positions)
        # Row by row: products by BLAS would differ in the last bits with how many people there are.
        np.add.at(known, there, tell_ploidy(alleles) > 0)
        np.add.at(hets, there, find_heterozygotes(alleles) & (likely > 0))
        np.add.at(expected, there, (alleles >= 0).all(axis=2) * likely)
    lacks = lack_heterozygotes(hets, expected, male)
    return _combine(_place_changes(walk, panel), panel.ploidy, known == 0, lacks)


def _place_changes(walk: PloidyWalk, panel: PanelStretches) -> Ploidy:
    """Ploidy as genotypes say, by the panel's sites; 0 for people who have none."""
    changes = [
        (person, panel.place_change(before, at), ploidy)
        for person, before, at, ploidy in walk.changes
    ]
    places = np.array([site for _, site, _ in changes], dtype=np.int64)
    first = np.union1d(panel.ploidy.first, places[places < len(panel.position)])
    people = np.tile(walk.start, (len(first), 1))
    for person, site, ploidy in changes:
        people[np.searchsorted(first, site) :, person] = ploidy
    return Ploidy(first, people)


def _combine(said: Ploidy, panel: Ploidy, untyped: np.ndarray, lacks: np.ndarray) -> TargetPloidy:
    """Add to what genotypes say what may be told without: in stretches of the panel, bool [R, n],
    where people have no genotypes, and where they have none of the heterozygotes.
    """
    mixed = (panel.people == 1).any(axis=1)[:, None]
    lacks = lacks & mixed
    stretch = panel.find_stretch(said.first)
    doubled = lacks[stretch] & (said.people == 2)
    people = np.where(doubled | (said.people == 1), 1, 2)
    if mixed.any():
        is_haploid = ((people == 1) & mixed[stretch] & ~untyped[stretch]).any(axis=0)
        people = np.where(untyped[stretch], np.where(mixed[stretch] & is_haploid, 1, 2), people)
    return TargetPloidy(Ploidy(said.first, people.astype(np.int8)), doubled.any(axis=0))
