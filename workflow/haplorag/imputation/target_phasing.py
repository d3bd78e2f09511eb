"""Phases a target where it is not: chromosome by chromosome, and only who is in need of it."""

from __future__ import annotations

import dataclasses
import logging
from importlib.metadata import version

import numpy as np

from haplorag.imputation.engine import Progress, estimate_copying
from haplorag.imputation.imputer import Imputer, open_panel_chromosome
from haplorag.imputation.target import Target, TargetChromosome
from haplorag.li_stephens.passes import CorePasses
from haplorag.phasing.beagle import BeagleRun, phase_with_beagle
from haplorag.phasing.panel_model import open_phaser, phase_people, read_whole_haplotypes
from haplorag.phasing.units import count_undecided
from haplorag.seeding import seed_of
from haplorag.settings import PhasingSettings
from haplorag.vcf.writer import Site

log = logging.getLogger(__name__)


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

    def phase(self, target: Target) -> tuple[Target, str]:
        """The target with phased haplotypes, and a header line that says by what; none where
        nothing was to do.

        Raises InputError where the program that is configured is not there or fails.
        """
        if self.settings is None or not may_phase(self.settings):
            return target, ""
        done = [self._phase_chromosome(part, self.settings) for part in target.chromosomes]
        tools = dict.fromkeys(tool for _, tool in done if tool is not None)
        line = "".join(f"##haplorag_phasing={tool}, against the panel\n" for tool in tools)
        return dataclasses.replace(target, chromosomes=[part for part, _ in done]), line

    def _phase_chromosome(
        self, part: TargetChromosome, settings: PhasingSettings
    ) -> tuple[TargetChromosome, str | None]:
        phases = part.read_phases(part.typed)
        if phases is None:
            return part, None
        alleles = part.read_haplotypes(part.typed).reshape(part.people, 2, -1)
        undecided = np.array(list(map(count_undecided, alleles, phases)))
        chosen = np.flatnonzero(undecided)
        if not len(chosen):
            return part, None
        ask = self._ask_beagle if settings.method == "beagle" else self._ask_panel
        found, tool = ask(settings, part, chosen, alleles[chosen], phases[chosen])
        # On disk, beside the store: as large as what was read.
        path = part.path.with_suffix(".phased")
        phased = np.memmap(path, dtype=np.int8, mode="w+", shape=alleles.shape)
        phased[:] = alleles
        phased[chosen] = found
        log.info(
            "chromosome %s: %d relative phases of heterozygotes chosen in %d of %d people by %s",
            part.name, undecided.sum(), len(chosen), part.people, tool,
        )  # fmt: skip
        haplotypes = phased.reshape(2 * part.people, -1)
        return dataclasses.replace(part, phased=haplotypes, rephased=undecided > 0), tool

    def _ask_panel(
        self,
        settings: PhasingSettings,
        part: TargetChromosome,
        chosen: np.ndarray,
        alleles: np.ndarray,
        phases: np.ndarray,
    ) -> tuple[np.ndarray, str]:
        panel = open_panel_chromosome(self.imputer, part.chromosome)
        model = estimate_copying(self.imputer, panel, part, CorePasses(self.threads))
        positions = panel.windows.centimorgan
        phaser = open_phaser(panel.shards, part.typed, positions, model, settings)
        seeds = [
            seed_of(self.imputer.seed, "phasing", part.chromosome, self.people[person])
            for person in chosen
        ]
        people = list(zip(alleles, phases, seeds, strict=True))
        found = phase_people(phaser, people, self.threads)
        what = f"chromosome {part.name}, people phased"
        phased = np.stack(list(self.progress(found, what, len(people))))
        return phased, f"haplorag {version('haplorag')}"

    def _ask_beagle(
        self,
        settings: PhasingSettings,
        part: TargetChromosome,
        chosen: np.ndarray,
        alleles: np.ndarray,
        phases: np.ndarray,
    ) -> tuple[np.ndarray, str]:
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
        return phase_with_beagle(run, read_whole_haplotypes(panel.shards, typed), alleles, phases)
