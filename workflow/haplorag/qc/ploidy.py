"""Finds who has one haplotype where, by haploid genotypes or by men without heterozygotes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from haplorag.alleles import ABSENT, MISSING
from haplorag.errors import InputError
from haplorag.panel.ploidy import Ploidy

# Positions int [S] and alleles int8 [S, n, 2] of a chromosome's sites in order, block by block.
Blocks = Iterable[tuple[np.ndarray, np.ndarray]]
# A chromosome X has two ends where men are diploid, and one stretch where they are not.
MOST_STRETCHES = 8
# A man has next to none of the heterozygotes that a woman with his alleles would be expected to
# have; only mistakes of typing.
MOST_OF_EXPECTED, MOST_OF_STRETCH = 0.05, 0.1
# So many must be expected before their absence tells a man from a woman with two equal haplotypes:
# where a file says that he is one, and where none does.
EXPECTED_OF_MAN, EXPECTED_OF_ANYBODY = 5.0, 50.0
# A site at which a larger share of men is heterozygous is not a mistake.
MOST_MISTAKEN = 0.02


class FoundPloidy(NamedTuple):
    """Who has one haplotype where: stretches by the position in bp of their first site.

    `doubled` bool [n] are people who are written as diploids there; `mistaken` counts those whose
    sex in the panel file is another one.
    """

    ploidy: Ploidy
    doubled: np.ndarray
    mistaken: int


def find_ploidy(
    read: Callable[[], Blocks], male: np.ndarray, source: str, may_be_doubled: bool
) -> FoundPloidy:
    """Find who has one haplotype where on chromosome X, reading its sites up to three times.

    Haploid genotypes say so. Where a file has none at all, men may be written as diploids, 0/0 and
    1/1: a stretch in which men have none of the heterozygotes that are expected is haploid in
    them. Where somebody is haploid, all others who have no heterozygotes are too. `male` int8 [n]
    is 1 for men and 0 for women as the panel file has it, -1 where it does not say; only where
    `may_be_doubled`, haploids are looked for among people who are written as diploids. Raises
    InputError where genotypes of `source` are haploid here and diploid there again and again.
    """
    walk = PloidyWalk(len(male), source)
    for positions, alleles in read():
        walk.add(positions, alleles)
    told = walk.finish()
    mixed = (told.people == 1).any(axis=1)
    if may_be_doubled and not mixed.any():
        few = (walk.expected >= EXPECTED_OF_ANYBODY) & (walk.hets < MOST_OF_STRETCH * walk.expected)
        men = np.where(male >= 0, male == 1, few)
        first, mixed = _find_doubled_stretch(read(), men) if men.any() else (told.first, mixed)
        told = Ploidy(first, np.full((len(first), len(male)), 2, dtype=np.int8))
    people = np.where(told.people == 0, 2, told.people).astype(np.int8)
    doubled = np.zeros(len(male), dtype=bool)
    if may_be_doubled and mixed.any():
        hets, expected = _count_hets(read(), told.first)
        lacks = lack_heterozygotes(hets, expected, male == 1) & (people == 2) & mixed[:, None]
        doubled = lacks.any(axis=0)
        people[lacks] = 1
    is_haploid = (people == 1).any(axis=0)
    differs = ((male == 1) & ~is_haploid) | ((male == 0) & is_haploid)
    mistaken = int(differs.sum()) if may_be_doubled else 0
    return FoundPloidy(Ploidy(told.first, people), doubled, mistaken)


def lack_heterozygotes(hets: np.ndarray, expected: np.ndarray, is_man: np.ndarray) -> np.ndarray:
    """Whether people have next to none of the heterozygotes that are expected of a diploid: bool
    [..., n], of counts [..., n]; less evidence is asked of those who are known as men, bool [n].
    """
    enough = expected >= np.where(is_man, EXPECTED_OF_MAN, EXPECTED_OF_ANYBODY)
    return enough & (hets <= MOST_OF_EXPECTED * expected)


def find_heterozygotes(alleles: np.ndarray) -> np.ndarray:
    """Which genotypes are heterozygous: bool [S, n] of alleles int8 [S, n, 2]."""
    return (alleles >= 0).all(axis=2) & (alleles[..., 0] != alleles[..., 1])


def tell_ploidy(alleles: np.ndarray) -> np.ndarray:
    """What genotypes say of ploidy: int8 [S, n], 1 or 2, and 0 for one that is missing."""
    known = (alleles >= 0).any(axis=2)
    return np.where(known, np.where(alleles[..., 1] == ABSENT, 1, 2), 0).astype(np.int8)


def settle_haploid(alleles: np.ndarray, haploid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alleles int8 [S, n, 2] in which genotypes that are known to be haploid, bool [S, n], have no
    second allele; and which of them were heterozygous, bool [S, n], and are missing now.
    """
    if not haploid.any():
        return alleles, np.zeros(haploid.shape, dtype=bool)
    first, second = alleles[..., 0], alleles[..., 1]
    heterozygous = haploid & find_heterozygotes(alleles)
    only = np.where(heterozygous, MISSING, np.where(first >= 0, first, np.maximum(second, MISSING)))
    settled = alleles.copy()
    settled[..., 0] = np.where(haploid, only, first)
    settled[..., 1] = np.where(haploid, ABSENT, second)
    return settled, heterozygous


@dataclass
class PloidyWalk:
    """Goes along a chromosome and notes where anybody's ploidy changes.

    A change lies after the last genotype of the one ploidy, up to the first of the other: missing
    genotypes in between tell nothing. `hets` and `expected` [n] are counted beside it.
    """

    people: int
    source: str
    hets: np.ndarray = field(init=False)
    expected: np.ndarray = field(init=False)
    # Person, position before, position at, and the ploidy from there on.
    changes: list[tuple[int, int, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hets = np.zeros(self.people, dtype=np.int64)
        self.expected = np.zeros(self.people)
        self.start = np.zeros(self.people, dtype=np.int8)
        self._last = np.zeros(self.people, dtype=np.int8)
        self._place = np.zeros(self.people, dtype=np.int64)

    def add(self, positions: np.ndarray, alleles: np.ndarray) -> None:
        """Take the next sites."""
        hets, expected = _count_block(alleles)
        self.hets += hets.sum(axis=0)
        self.expected += expected.sum(axis=0)
        told = tell_ploidy(alleles)
        known = told > 0
        if (~known | (told == self._last)).all():
            seen = known.any(axis=0)
            last = len(known) - 1 - np.argmax(known[::-1], axis=0)
            self._place = np.where(seen, np.asarray(positions)[last], self._place)
        else:
            self._add_changes(positions, told)

    def _add_changes(self, positions: np.ndarray, told: np.ndarray) -> None:
        for position, row in zip(positions.tolist(), told, strict=True):
            known = row > 0
            changed = known & (self._last > 0) & (row != self._last)
            for person in np.flatnonzero(changed).tolist():
                change = person, int(self._place[person]), position, int(row[person])
                self.changes.append(change)
            self.start = np.where(self.start > 0, self.start, row)
            self._last = np.where(known, row, self._last)
            self._place[known] = position
        if len(self.changes) > MOST_STRETCHES * self.people:
            self._refuse()

    def finish(self) -> Ploidy:
        """Stretches, as few as there can be, by their first position; ploidy 0 where nothing is
        known.
        """
        first = [0]
        for _, before, at, _ in sorted(self.changes, key=lambda change: change[2]):
            if first[-1] <= before:
                first.append(at)
        if len(first) > MOST_STRETCHES:
            self._refuse()
        people = np.tile(self.start, (len(first), 1))
        for person, _, at, ploidy in self.changes:
            people[np.searchsorted(first, at, side="right") - 1 :, person] = ploidy
        return Ploidy(np.array(first, dtype=np.int64), people)

    def _refuse(self) -> None:
        raise InputError(
            f"{self.source}: genotypes of one person are haploid here and diploid there, the first "
            f"change is at position {min(at for _, _, at, _ in self.changes)}, and there are "
            f"{len(self.changes)} in all; make each person's ploidy the same over a region: "
            "bcftools +fixploidy"
        )


def _count_block(alleles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether genotypes are heterozygous, and how probable that is by the alleles' frequency in
    whoever is known: bool and float64 [S, n], nothing for genotypes that are not of two alleles.
    """
    known = alleles >= 0
    share = (alleles > 0).sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1)
    whole = known.all(axis=2)
    return find_heterozygotes(alleles), whole * (2 * share * (1 - share))[:, None]


def _count_hets(blocks: Blocks, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heterozygotes and how many are expected, of each person in each stretch: [R, n]."""
    hets, expected = [], []
    for positions, alleles in blocks:
        stretch = np.searchsorted(first, positions, side="right") - 1
        is_there = stretch == np.arange(len(first))[:, None]
        found, likely = _count_block(alleles)
        hets.append(is_there @ found.astype(np.int64))
        expected.append(is_there @ likely)
    return np.sum(hets, axis=0), np.sum(expected, axis=0)


def _find_doubled_stretch(blocks: Blocks, men: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First positions of stretches, and in which of them men, bool [n], have no heterozygotes.

    The chromosome is one stretch where there is no such.
    """
    parts = []
    for positions, alleles in blocks:
        # By everybody's frequencies: men who are all alike tell nothing by their own.
        hets, expected = (values[:, men].sum(axis=1) for values in _count_block(alleles))
        parts.append((positions, hets, expected))
    position, hets, expected = (np.concatenate(part) for part in zip(*parts, strict=True))
    bounds = _find_lack(hets, expected, int(men.sum()))
    if bounds is None:
        return np.zeros(1, dtype=np.int64), np.zeros(1, dtype=bool)
    start, stop = bounds
    begins = [0, position[start]] if start else [0]
    ends = [position[stop]] if stop < len(position) else []
    first = np.array([*begins, *ends], dtype=np.int64)
    return first, np.arange(len(first)) == len(begins) - 1


def _find_lack(hets: np.ndarray, expected: np.ndarray, men: int) -> tuple[int, int] | None:
    """Sites from the first to the last stretch in which men have none of the heterozygotes that are
    expected of them, by site [S]; None where there is no such stretch.
    """
    clear = np.flatnonzero(hets > MOST_MISTAKEN * men)
    edges = np.concatenate([[-1], clear, [len(hets)]])
    total, likely = np.append(0, np.cumsum(hets)), np.append(0.0, np.cumsum(expected))
    start, stop = edges[:-1] + 1, edges[1:]
    found, hoped = total[stop] - total[start], likely[stop] - likely[start]
    lacking = (hoped >= EXPECTED_OF_MAN * men) & (found <= MOST_OF_STRETCH * hoped)
    rows = np.flatnonzero(lacking)
    return (int(start[rows[0]]), int(stop[rows[-1]])) if len(rows) else None
