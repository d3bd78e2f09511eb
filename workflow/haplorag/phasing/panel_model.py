"""Phases people against the panel with the model of copying, each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from haplorag.alleles import ABSENT
from haplorag.li_stephens.parameters import CopyingModel, chance_of_mismatch, chance_of_switch
from haplorag.panel.haplotypes import ShardSet
from haplorag.phasing.states import PanelWords, choose_states, cut_stretches, pack_words
from haplorag.phasing.sweep import Track, Units, go_back, go_forward
from haplorag.phasing.units import find_units, has_choice, join_sets
from haplorag.settings import CopyingSetting, PhasingSettings

AS_IT_IS = CopyingSetting(switching=1, mismatch=1)
# After so many sweeps the states are chosen anew; the haplotypes they are chosen by have changed.
KEPT_SWEEPS = 4
# Least genetic length of a stretch that has states of its own, in cM.
STRETCH = 0.1
# Makes a sweep take what is most probable.
MOST_PROBABLE = -1.0


class Phaser(NamedTuple):
    """The panel at the typed sites of a chromosome, how it is copied, and how it is gone through.

    `switch` and `mismatch` float32 [T] as in `sweep.Track`.
    """

    panel: PanelWords
    switch: np.ndarray
    mismatch: np.ndarray
    settings: PhasingSettings

    def phase(self, alleles: np.ndarray, phase: np.ndarray, seed: int) -> np.ndarray:
        """Phase a person with alleles int8 [2, T] (negative where not known) and phases int32 [T].

        Gives int8 [1 + draws, 2, T]. In the first the choice of each relative phase is the one that
        most sweeps have drawn, and then the most probable given the others; the others are what
        single sweeps drew. Genotypes stay, and so does what is phased. All depends on nobody but
        this person and the panel.
        """
        units = find_units(alleles, phase)
        if not has_choice(units):
            return np.repeat(alleles[None], 1 + self.settings.draws, axis=0)
        # Which haplotype lacks the allele of a half-missing genotype is not known.
        known = np.where((alleles < 0).any(axis=0), -1, alleles).astype(np.int8)
        found = self._search(known, units, np.random.default_rng(seed))
        # The votes on neighbours need not agree with a set that goes on beyond others.
        return np.stack([join_sets(one, alleles, phase) for one in found])

    def _search(
        self, alleles: np.ndarray, units: Units, generator: np.random.Generator
    ) -> list[np.ndarray]:
        count = len(units.begin)
        start = _orient(alleles, units, _draw_start(units, generator))
        found = start.copy()
        votes = np.zeros(count)
        draws: list[np.ndarray] = []
        # Nobody knows which haplotypes are near before the first sweep but by homozygous sites.
        track = self._choose_track(_hide_heterozygotes(alleles))
        back = np.ones((count, 2, track.carried.shape[1]), dtype=np.float32)
        sweeps = self.settings.burn_in + self.settings.sweeps
        drawn_at = _choose_sweeps(self.settings)
        for sweep in range(sweeps + 1):
            if sweep == sweeps and self.settings.sweeps:
                found = _orient(start, units, _count_votes(votes, self.settings.sweeps))
            if sweep:
                if sweep % KEPT_SWEEPS == 0 or sweep == 1:
                    track = self._choose_track(found)
                go_back(found, track, units, back)
            drawn = generator.random(count) if sweep < sweeps else np.full(count, MOST_PROBABLE)
            go_forward(found, track, units, back, drawn)
            if self.settings.burn_in <= sweep < sweeps:
                votes += _find_turns(found, start, units)
                if sweep - self.settings.burn_in in drawn_at:
                    draws.append(found.copy())
        return [found, *draws]

    def _choose_track(self, alleles: np.ndarray) -> Track:
        states = choose_states(alleles, self.panel, self.settings.states)
        first = np.append(states.site, len(self.panel.alleles))
        if states.ids.shape[1] == self.panel.alleles.shape[1]:
            carried = self.panel.alleles
        else:
            parts = zip(pairwise(first.tolist()), states.ids, strict=True)
            carried = np.concatenate(
                [self.panel.alleles[low:high].take(ids, axis=1) for (low, high), ids in parts]
            )
        return Track(carried, first, states.origin, self.switch, self.mismatch)


def open_phaser(
    shards: ShardSet,
    typed: np.ndarray,
    centimorgan: np.ndarray,
    model: CopyingModel,
    settings: PhasingSettings,
) -> Phaser:
    """Read the panel at typed sites int [T]; `centimorgan` are the positions of all sites."""
    alleles = read_whole_haplotypes(shards, typed)
    gaps = chance_of_switch(np.diff(model.distance[typed]), AS_IT_IS)
    switch = np.append(np.float32(1), gaps)[: len(typed)]
    stretches = cut_stretches(len(typed), centimorgan[typed], STRETCH)
    panel = PanelWords(alleles, pack_words(alleles.T), stretches)
    return Phaser(panel, switch, chance_of_mismatch(model.mismatch[typed], AS_IT_IS), settings)


def read_whole_haplotypes(shards: ShardSet, typed: np.ndarray) -> np.ndarray:
    """The panel 0/1 uint8 [T, N] at typed sites int [T], as far as haplotypes go all the way: on X
    a man's second one is only there at its ends.
    """
    if len(np.unique(shards.ploidy.find_stretch(typed))) < 2:
        return shards.by_site(typed)
    found = shards.of_people(typed, np.arange(shards.ploidy.people.shape[1]))
    whole = found[(found != ABSENT).all(axis=1)]
    return np.ascontiguousarray(whole.T).astype(np.uint8)


def phase_people(
    phaser: Phaser, people: list[tuple[np.ndarray, np.ndarray, int]], threads: int
) -> Iterator[np.ndarray]:
    """Phase people, each given by alleles, phases and a seed, as `Phaser.phase` does."""
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(lambda person: phaser.phase(*person), people)


def _choose_sweeps(settings: PhasingSettings) -> set[int]:
    """Which of the sweeps that count are kept as draws: the last, and others in even distances."""
    draws = range(1, settings.draws + 1)
    return {settings.sweeps * draw // settings.draws - 1 for draw in draws}


def _draw_start(units: Units, generator: np.random.Generator) -> np.ndarray:
    """Which units are turned at first, bool [U]: any that may be, so that the order of alleles in
    the file has no say.
    """
    turned = generator.random(len(units.begin)) < 1 / 2
    return turned & units.may_turn


def _orient(alleles: np.ndarray, units: Units, turned: np.ndarray) -> np.ndarray:
    """Haplotypes int8 [2, T] with some units bool [U] turned."""
    found = alleles.copy()
    for begin, last in zip(units.begin[turned], units.last[turned], strict=True):
        found[:, begin : last + 1] = alleles[::-1, begin : last + 1]
    return found


def _hide_heterozygotes(alleles: np.ndarray) -> np.ndarray:
    return np.where(alleles[0] == alleles[1], alleles, -1)


def _find_turns(found: np.ndarray, start: np.ndarray, units: Units) -> np.ndarray:
    """Which units lie otherwise to the one before than in `start`, bool [U]."""
    turned = found[0, units.begin] != start[0, units.begin]
    return np.append(False, turned[1:] != turned[:-1])


def _count_votes(votes: np.ndarray, sweeps: int) -> np.ndarray:
    """Which units are turned, bool [U], as most sweeps have each lie to the one before."""
    return np.cumsum(2 * votes > sweeps) % 2 == 1
