"""Matches the sites of a target to those of the panel, and says of each what became of it."""

from __future__ import annotations

import numpy as np

COMPLEMENT = str.maketrans("ACGT", "TGCA")
# What may become of a target site; those in USED are typed, the others are carried along untouched.
USED = ("typed", "swapped", "strand_flipped", "strand_flipped_swapped")
FATES = {
    "typed": "used as it is",
    "swapped": "REF and ALT were the other way round; alleles recoded, then used",
    "strand_flipped": "alleles were those of the other strand; renamed, then used",
    "strand_flipped_swapped": "other strand and other way round; recoded, then used",
    "ambiguous": "A/T or C/G with REF and ALT the other way round: strand flip or swap, not guessed; not used",
    "other_alleles": "the panel has other alleles at this position; not used",
    "not_in_panel": "the panel has no site at this position; not used",
    "repeated": "an earlier record is the same panel site; not used",
}


class SiteMatcher:
    """Finds the panel's sites by position and alleles, each at most once."""

    def __init__(self, position: np.ndarray, ref: np.ndarray, alt: np.ndarray) -> None:
        self._row = {key: row for row, key in enumerate(zip(position.tolist(), ref, alt, strict=True))}
        self._positions = set(position.tolist())
        self._taken: set[int] = set()

    def match(self, position: int, ref: str, alt: str) -> tuple[int, str]:
        """Row of the panel site that a target site is (-1 if not used), and its fate, one of `FATES`."""
        row, fate = self._find(position, ref.upper(), alt.upper())
        if row in self._taken:
            return -1, "repeated"
        if row >= 0:
            self._taken.add(row)
        return row, fate

    def _find(self, position: int, ref: str, alt: str) -> tuple[int, str]:
        if position not in self._positions:
            return -1, "not_in_panel"
        there, back = ref.translate(COMPLEMENT), alt.translate(COMPLEMENT)
        candidates = {
            "typed": (ref, alt),
            "swapped": (alt, ref),
            "strand_flipped": (there, back),
            "strand_flipped_swapped": (back, there),
        }
        for fate, (first, second) in candidates.items():
            row = self._row.get((position, first, second), -1)
            if row >= 0:
                # For A/T and C/G a swap and a strand flip look the same.
                if fate != "typed" and there == alt:
                    return -1, "ambiguous"
                return row, fate
        return -1, "other_alleles"


def is_swapped(fate: str) -> bool:
    """Whether a used site's alleles 0 and 1 change places."""
    return fate in ("swapped", "strand_flipped_swapped")
