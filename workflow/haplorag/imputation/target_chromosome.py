"""One chromosome of a target that was read: its genotypes on disk, and how they meet the panel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.imputation.region import Region
from haplorag.io.hdf5 import opening_arrays
from haplorag.panel.genotype_store import (
    iterate_phases,
    iterate_site_blocks,
    iterate_site_names,
    read_haplotypes,
    read_phases,
)
from haplorag.panel.ploidy import Ploidy
from haplorag.phasing.units import PHASED, UNPHASED
from haplorag.qc.ploidy import settle_haploid
from haplorag.vcf.writer import Site


@dataclass(frozen=True)
class TargetChromosome:
    """One chromosome of a target, as the imputer calls it (`chromosome`) and as its file does
    (`name`).

    Its genotypes are in a store at `path`; `record` int64 [site] is the record that each panel site
    is (-1 untyped), `swapped` bool [record] whether its alleles change places, and `fates` has a
    row for each record of the store, then for each that was left out while reading. `last` is the
    greatest position of the panel's sites and its own. `ploidy` says by the panel's sites who has
    one haplotype. `phased` int8 [1 + draws, 2n, T] are the haplotypes at typed sites where some
    people, `rephased` bool [n], were phased after reading: the phase that is shown, and others that
    imputation takes into account. Where there is a `region`, nothing else is imputed and written.
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

    @property
    def draws(self) -> int:
        """How many phases there are beside that which is shown."""
        return 0 if self.phased is None else len(self.phased) - 1

    def read_haplotypes(self, sites: np.ndarray, draw: int = 0) -> np.ndarray:
        """Alleles int8 [2n, C] at panel sites, in the panel's REF and ALT.

        -1 where untyped or missing, ABSENT where somebody has no second haplotype. In the phase
        that is shown, or in a draw of the phase, from 1 on.
        """
        found = np.full((2 * self.people, len(sites)), -1, dtype=np.int8)
        columns = np.flatnonzero(self.record[sites] >= 0)
        if len(columns) and self.phased is not None:
            found[:, columns] = self.phased[draw][:, np.searchsorted(self.typed, sites[columns])]
        elif len(columns):
            records = self.record[sites[columns]]
            order = np.argsort(records)
            with opening_arrays(self.path, "genotypes") as file:
                alleles = read_haplotypes(file, records[order], np.arange(self.people))
            turned = self.swapped[records[order]] & (alleles >= 0)
            found[:, columns[order]] = np.where(turned, 1 - alleles, alleles)
        return self._settle(found, sites)

    def read_draw(self, draw: int, rows: np.ndarray) -> np.ndarray:
        """Alleles int8 [R, T] of some haplotypes at typed sites, in a draw of the phase."""
        if self.phased is None:
            raise ValueError("nothing was phased")
        return np.asarray(self.phased[draw, rows])

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
        return [self._names.get(record, ".") for record in self.record[sites].tolist()]

    @cached_property
    def _names(self) -> dict[int, str]:
        """Ids of the records that panel sites are."""
        records = np.unique(self.record[self.typed])
        with opening_arrays(self.path, "genotypes") as file:
            return dict(zip(records.tolist(), iterate_site_names(file, records), strict=True))

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
                found = self.phased[0, :, column].reshape(-1, 2)
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
