"""Phases a target where it is not: chromosome by chromosome, and only who is in need of it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from importlib.metadata import version
from typing import NamedTuple

import numpy as np

from haplorag.imputation.engine import Progress, estimate_copying
from haplorag.imputation.imputer import Imputer, open_panel_chromosome
from haplorag.imputation.target import Target
from haplorag.imputation.target_chromosome import TargetChromosome
from haplorag.imputation.target_qc import PhasingTold
from haplorag.li_stephens.passes import CorePasses
from haplorag.phasing.beagle import BeagleRun, phase_with_beagle
from haplorag.phasing.panel_model import open_phaser, phase_people, read_whole_haplotypes
from haplorag.phasing.units import count_undecided
from haplorag.seeding import seed_of
from haplorag.settings import PhasingSettings
from haplorag.vcf.writer import Site

log = logging.getLogger(__name__)


class _Problem(NamedTuple):
    """Those people of a chromosome in whom something is to be chosen, int64 [m], with their alleles
    int8 [m, 2, T] and phases int32 [m, T].
    """

    part: TargetChromosome
    people: np.ndarray
    alleles: np.ndarray
    phases: np.ndarray


def may_phase(settings: PhasingSettings | None) -> bool:
    """Whether a target that is not phased is welcome."""
    return settings is not None and settings.method != "none"


@dataclasses.dataclass(frozen=True)
class TargetPhaser:
    """Phases targets for an imputer; people are named so that nobody's answer depends on others."""

    imputer: Imputer
    settings: PhasingSettings | None
    people: list[str]
    threads: int
    progress: Progress

    def phase(self, target: Target) -> tuple[Target, PhasingTold]:
        """The target with phased haplotypes, and what is told of it.

        Raises InputError where the program that is configured is not there or fails.
        """
        told = PhasingTold()
        if self.settings is None or not may_phase(self.settings):
            return target, told
        parts = []
        for part in target.chromosomes:
            found, told = self._phase_chromosome(part, self.settings, told)
            parts.append(found)
        return dataclasses.replace(target, chromosomes=parts), told

    def _phase_chromosome(
        self, part: TargetChromosome, settings: PhasingSettings, told: PhasingTold
    ) -> tuple[TargetChromosome, PhasingTold]:
        phases = part.read_phases(part.typed)
        if phases is None:
            return part, told
        alleles = part.read_haplotypes(part.typed).reshape(part.people, 2, -1)
        undecided = np.array(list(map(count_undecided, alleles, phases)))
        chosen = np.flatnonzero(undecided)
        if not len(chosen):
            return part, told
        problem = _Problem(part, chosen, alleles[chosen], phases[chosen])
        with_beagle = settings.method == "beagle"
        count = 1 if with_beagle else 1 + settings.draws
        # On disk, beside the store: each phase as large as what was read.
        path = part.path.with_suffix(".phased")
        phased = np.memmap(path, dtype=np.int8, mode="w+", shape=(count, *alleles.shape))
        phased[:] = alleles
        if with_beagle:
            phased[0, chosen], tool = self._ask_beagle(settings, problem)
        else:
            tool = f"haplorag {version('haplorag')}"
            for person, found in zip(chosen, self._ask_panel(settings, problem), strict=True):
                phased[:, person] = found
        log.info(
            "chromosome %s: %d relative phases of heterozygotes chosen in %d of %d people by %s",
            part.name, undecided.sum(), len(chosen), part.people, tool,
        )  # fmt: skip
        people = {**told.people, part.name: len(chosen)}
        told = PhasingTold(tool, count, people, told.chosen + int(undecided.sum()))
        haplotypes = phased.reshape(count, 2 * part.people, -1)
        return dataclasses.replace(part, phased=haplotypes, rephased=undecided > 0), told

    def _ask_panel(self, settings: PhasingSettings, problem: _Problem) -> Iterator[np.ndarray]:
        """Phases int8 [1 + draws, 2, T] of person after person."""
        part = problem.part
        panel = open_panel_chromosome(self.imputer, part.chromosome)
        model = estimate_copying(self.imputer, panel, part, CorePasses(self.threads))
        positions = panel.windows.centimorgan
        phaser = open_phaser(panel.shards, part.typed, positions, model, settings)
        seeds = [
            seed_of(self.imputer.seed, "phasing", part.chromosome, self.people[person])
            for person in problem.people
        ]
        people = list(zip(problem.alleles, problem.phases, seeds, strict=True))
        found = phase_people(phaser, people, self.threads)
        yield from self.progress(found, f"chromosome {part.name}, people phased", len(people))

    def _ask_beagle(self, settings: PhasingSettings, problem: _Problem) -> tuple[np.ndarray, str]:
        part = problem.part
        panel, typed = open_panel_chromosome(self.imputer, part.chromosome), part.typed
        columns = (panel.position, panel.name, panel.ref, panel.alt)
        sites = [
            Site(int(position), *words)
            for position, *words in zip(*(values[typed] for values in columns), strict=True)
        ]
        run = BeagleRun(
            part.path.parent, part.chromosome, sites, panel.windows.centimorgan[typed],
            settings.arguments, seed_of(self.imputer.seed, "phasing"), self.threads,
        )  # fmt: skip
        haplotypes = read_whole_haplotypes(panel.shards, typed)
        return phase_with_beagle(run, haplotypes, problem.alleles, problem.phases)
