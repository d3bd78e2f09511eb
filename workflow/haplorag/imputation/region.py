"""A region of a chromosome: all that is wanted of an imputation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from haplorag.errors import InputError
from haplorag.imputation.imputer import Imputer, open_panel_chromosome
from haplorag.vcf.chromosomes import match_chromosome

# No position is larger: they are int32.
FARTHEST = 2**31 - 1


class Region(NamedTuple):
    """Positions in bp of a chromosome as the imputer calls it, from the first to the last, both
    within.
    """

    chromosome: str
    first: int
    last: int

    def holds(self, positions: np.ndarray) -> np.ndarray:
        """Which positions int [S] are within: bool [S]."""
        return (positions >= self.first) & (positions <= self.last)


def find_region(text: str | None, imputer: Imputer) -> Region | None:
    """The region that a setting names, CHROM or CHROM:FROM-TO; None where everything is wanted.

    Raises InputError where the imputer lacks the chromosome, or has no site there.
    """
    if text is None:
        return None
    name, colon, bounds = text.partition(":")
    first, last = map(int, bounds.split("-")) if colon else (1, FARTHEST)
    chromosome = match_chromosome(name, imputer.chromosomes)
    if chromosome is None:
        raise InputError(
            f"imputation.region: {text}: the imputer has no chromosome {name}, only "
            f"{', '.join(imputer.chromosomes)}; name one of these"
        )
    region = Region(chromosome, first, last)
    position = open_panel_chromosome(imputer, chromosome).position
    if not region.holds(position).any():
        raise InputError(
            f"imputation.region: {text}: the imputer's panel has no site there; those of "
            f"{chromosome} lie from {position[0]} to {position[-1]}"
        )
    return region
