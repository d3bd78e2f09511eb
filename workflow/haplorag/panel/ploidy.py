"""Who has how many haplotypes where: on X men have one, but for its ends, and women two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from haplorag.alleles import ABSENT


@dataclass(frozen=True, eq=False)
class Ploidy:
    """How many haplotypes people have, stretch by stretch of a chromosome's sites.

    `first` int64 [R] is the first site of each stretch, and `people` int8 [R, n] has 1 or 2 for
    everybody. Haplotypes of a stretch are numbered person by person.
    """

    first: np.ndarray
    people: np.ndarray

    def find_stretch(self, sites: np.ndarray) -> np.ndarray:
        """The stretch of each site: int64, as `sites`."""
        return np.searchsorted(self.first, sites, side="right") - 1

    def number_rows(self, stretch: int) -> np.ndarray:
        """The first haplotype of each person in a stretch, and after the last one how many there
        are: int64 [n + 1].
        """
        return np.append(0, np.cumsum(self.people[stretch], dtype=np.int64))

    def count_haplotypes(self) -> np.ndarray:
        """How many haplotypes there are in each stretch: int64 [R]."""
        return self.people.sum(axis=1, dtype=np.int64)

    def find_haploid(self, sites: np.ndarray) -> np.ndarray:
        """Who has one haplotype at each site: bool [S, n]."""
        return self.people[self.find_stretch(sites)] == 1

    def at_sites(self, position: np.ndarray) -> Ploidy:
        """The same by the sites at sorted positions, where stretches begin at positions so far;
        stretches without a site are left out.
        """
        first = np.searchsorted(position, self.first)
        first[0] = 0
        kept = np.append(np.diff(first) > 0, first[-1] < len(position))
        kept[0] |= not kept.any()
        return Ploidy(first[kept].astype(np.int64), self.people[kept])

    def take(self, people: np.ndarray) -> Ploidy:
        """The same of some people, int [m]."""
        return Ploidy(self.first, self.people[:, people])


def find_own_rows(rows: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """The half-open range int64 [Q, 2] of haplotypes that belong to each of some people.

    `rows` int64 [n + 1] numbers haplotypes as `Ploidy.number_rows` does, `owner` int [Q] are
    people, -1 for nobody, whose range is empty.
    """
    known = np.maximum(owner, 0)
    ranges = np.stack([rows[known], rows[known + 1]], axis=-1)
    return np.where(owner[..., None] < 0, 0, ranges)


def assume_diploid(people: int) -> Ploidy:
    """Everybody has two haplotypes everywhere, as on autosomes."""
    return Ploidy(np.zeros(1, dtype=np.int64), np.full((1, people), 2, dtype=np.int8))


def mark_absent(haplotypes: np.ndarray, sites: np.ndarray, ploidy: Ploidy) -> np.ndarray:
    """Haplotypes int8 [2n, S] at sites, with ABSENT where somebody has no second one."""
    absent = ploidy.find_haploid(sites).T
    if not absent.any():
        return haplotypes
    marked = haplotypes.copy()
    marked[1::2][absent] = ABSENT
    return marked


def repeat_haploid(haplotypes: np.ndarray) -> np.ndarray:
    """Haplotypes int8 [2n, S] in which the first stands in for a second that is absent.

    For what takes people by pairs of haplotypes, where nothing is made of the second.
    """
    second = haplotypes[1::2]
    absent = second == ABSENT
    if not absent.any():
        return haplotypes
    repeated = haplotypes.copy()
    repeated[1::2] = np.where(absent, haplotypes[::2], second)
    return repeated
