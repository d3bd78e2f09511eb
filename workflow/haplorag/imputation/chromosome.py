"""Imputes one chromosome of a target, and writes its lines in order."""

from __future__ import annotations

import logging
import math
from bisect import bisect_right
from collections.abc import Iterator

import numpy as np

from haplorag.alleles import ABSENT, MISSING
from haplorag.imputation.engine import Engine, Progress, Windows
from haplorag.imputation.imputer import PanelChromosome
from haplorag.imputation.target_chromosome import TargetChromosome
from haplorag.imputation.target_qc import ImputedQuality, QualityWatch
from haplorag.prefetch import prefetching
from haplorag.qc.duplicates import DuplicateFinder
from haplorag.vcf.chromosomes import tells_people_apart
from haplorag.vcf.fates import USED
from haplorag.vcf.writer import ImputedWriter, Site

log = logging.getLogger(__name__)
FEW_TYPED = 20
# Stands for the next line where there is none.
NOTHING = math.inf, b""


def impute_chromosome(
    engine: Engine,
    panel: PanelChromosome,
    target: TargetChromosome,
    writer: ImputedWriter,
    progress: Progress,
) -> ImputedQuality:
    """Write a chromosome's lines: imputed sites, the target's unused ones in between; gives how
    well they are known.

    Warns of windows with few typed sites and of people who are in the reference.
    """
    wanted = target.is_wanted(panel.position)
    watch = _Watch(panel, target)
    measured = len(writer.r2)
    unused = (
        (site.position, writer.format_untouched(target.name, site, alleles, unphased))
        for site, alleles, unphased in target.iterate_unused()
    )
    # Windows are computed while others are formatted, and these while others are compressed.
    with prefetching(engine(panel, target, progress)) as windows:
        imputed = _format_windows(windows, panel, target, writer, watch, wanted)
        for lines in interleave(imputed, unused):
            writer.write(lines)
    watch.add_unwanted(target, wanted)
    watch.warn()
    used = target.fates["fate"].isin(USED).sum()
    log.info(
        "chromosome %s: %d of %d target sites used, %d sites written",
        target.name, used, len(target.fates), wanted.sum(),
    )  # fmt: skip
    return watch.quality.finish(np.flatnonzero(wanted), np.concatenate(writer.r2[measured:]))


def interleave(
    imputed: Iterator[tuple[list[int], list[bytes]]], unused: Iterator[tuple[int, bytes]]
) -> Iterator[bytes]:
    """Put lines of unused sites among those of windows, all with their positions in order: as many
    at once as follow each other. Of one position those of windows come first.
    """
    position, line = next(unused, NOTHING)
    for positions, lines in imputed:
        start = 0
        while positions and position < positions[-1]:
            stop = bisect_right(positions, position)
            yield b"".join([*lines[start:stop], line])
            start = stop
            position, line = next(unused, NOTHING)
        yield b"".join(lines[start:])
    yield b"".join([line, *(line for _, line in unused)])


def _format_windows(
    windows: Windows,
    panel: PanelChromosome,
    target: TargetChromosome,
    writer: ImputedWriter,
    watch: _Watch,
    wanted: np.ndarray,
) -> Iterator[tuple[list[int], list[bytes]]]:
    """Positions and lines of each window's sites that are wanted, bool [site]."""
    typed = target.record >= 0
    for window, known, probability in windows:
        start, stop = panel.windows.cores[window]
        here = typed[start:stop]
        watch.add(start + np.flatnonzero(here), known[:, here])
        kept = wanted[start:stop]
        sites = start + np.flatnonzero(kept)
        known, probability = known[:, kept], probability[:, kept]
        watch.quality.add(sites, known, probability)
        certain = np.where(known >= 0, known, probability)
        certain = np.where(known == ABSENT, np.nan, certain)
        by_site = certain.T.reshape(len(sites), -1, 2)
        frequency = panel.frequencies.frequency[sites]
        is_known = (known != MISSING).T.reshape(by_site.shape).all(axis=2) & typed[sites, None]
        told = _describe(panel, target, sites)
        lines = writer.format_imputed(target.name, told, frequency, by_site, is_known)
        yield [site.position for site in told], list(lines)


def _describe(panel: PanelChromosome, target: TargetChromosome, sites: np.ndarray) -> list[Site]:
    """What lines say of panel sites; ids are the target's, and where it has none the panel's."""
    ids = target.read_names(sites)
    names = [own if own != "." else name for own, name in zip(ids, panel.name[sites], strict=True)]
    columns = panel.position[sites].tolist(), names, panel.ref[sites], panel.alt[sites]
    return list(map(Site, *columns))


class _Watch:
    """Looks at every window for few typed sites, and for people who stand in the reference too."""

    def __init__(self, panel: PanelChromosome, target: TargetChromosome) -> None:
        typed = target.record >= 0
        self.quality = QualityWatch(panel.frequencies.frequency, typed, target.people)
        self._shards = panel.shards
        self._cores = panel.windows.cores
        self._reference = panel.shards.ploidy.people.shape[1]
        self._duplicates = DuplicateFinder(self._reference + target.people)
        self._tells = tells_people_apart(target.chromosome)
        self._windows = self._weak = 0

    def add(self, sites: np.ndarray, known: np.ndarray) -> None:
        """Take a window's typed sites int [T] and the target's alleles int8 [2n, T] there."""
        self._windows += 1
        self._weak += len(sites) < FEW_TYPED
        self._compare(sites, known)

    def add_unwanted(self, target: TargetChromosome, wanted: np.ndarray) -> None:
        """Take the windows of which no site is wanted, bool [site]: over a region alone people are
        alike by chance.
        """
        for start, stop in self._cores:
            if not wanted[start:stop].any():
                sites = start + np.flatnonzero(target.record[start:stop] >= 0)
                self._compare(sites, target.read_haplotypes(sites))

    def _compare(self, sites: np.ndarray, known: np.ndarray) -> None:
        if len(sites):
            own = known.T.reshape(len(sites), -1, 2)
            reference = self._shards.of_everybody(sites)
            self._duplicates.add(np.concatenate([reference, own], axis=1))

    def warn(self) -> None:
        """Warn of what was found."""
        if self._weak:
            log.warning(
                "windows_without_typed_sites=%d: of %d windows so many have fewer than %d typed "
                "sites, and R2 says how little they know; use a denser file",
                self._weak, self._windows, FEW_TYPED,
            )  # fmt: skip
        groups = self._duplicates.find_groups() if self._tells else []
        known = sum(
            int((group >= self._reference).sum()) for group in groups if group[0] < self._reference
        )
        if known:
            log.warning(
                "target_in_training=%d people are in the imputer's reference: nothing measured in "
                "them tells how good it is; use other people to judge it", known,
            )  # fmt: skip
