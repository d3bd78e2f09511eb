"""Imputes people from several phases: who goes together, and the mean of what comes out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from haplorag.alleles import MISSING
from haplorag.imputation.target_chromosome import TargetChromosome


class Piece(NamedTuple):
    """People who are imputed together, int64 [m], and the draws of their phase that count beside
    the phase that is shown.
    """

    people: np.ndarray
    draws: range

    @property
    def rows(self) -> np.ndarray:
        """Their haplotypes, int64 [2m]."""
        return np.stack([2 * self.people, 2 * self.people + 1], axis=1).reshape(-1)


def cut_pieces(target: TargetChromosome, most: int) -> Iterator[Piece]:
    """All people of a target, at most so many at a time, those apart who have several phases."""
    several = np.zeros(target.people, dtype=bool)
    if target.rephased is not None and target.draws:
        several = target.rephased
    for start in range(0, target.people, most):
        people = np.arange(start, min(start + most, target.people))
        for some, draws in ((~several, 0), (several, target.draws)):
            if some[people].any():
                yield Piece(people[some[people]], range(1, 1 + draws))


def average_phases(found: Iterator[np.ndarray], unknown: np.ndarray) -> np.ndarray:
    """The mean of probabilities of ALT float32 [2m, L] over phases, of which the first is shown.

    Which haplotype is which may differ from phase to phase and from place to place. Where neither
    allele of a person is known, `unknown` bool [m, L], the haplotype that rather has ALT is
    therefore taken to be the same in all phases, and is put where the first phase has it. The
    dosage, which is the sum of both, is the mean of the dosages in any case.
    """
    total, count = next(found), 1
    turned = unknown & (total[0::2] < total[1::2])
    for other in found:
        count += 1
        for person, pair in enumerate(other.reshape(len(unknown), 2, -1)):
            wrong = unknown[person] & ((pair[0] < pair[1]) != turned[person])
            total[2 * person] += np.where(wrong, pair[1], pair[0])
            total[2 * person + 1] += np.where(wrong, pair[0], pair[1])
    total /= np.float32(count)
    return total


def find_unknown(haplotypes: np.ndarray) -> np.ndarray:
    """Where people have two haplotypes, int8 [2m, L], and neither allele is known: bool [m, L]."""
    return (haplotypes[0::2] == MISSING) & (haplotypes[1::2] == MISSING)
