"""Matches the sites of a target to those of the panel, and says of each what became of it."""

from __future__ import annotations

import numpy as np

COMPLEMENT = str.maketrans("ACGT", "TGCA")
# What may become of a target site; those in USED are typed, the others are carried along untouched.
USED = ("typed", "ref_alt_swapped", "strand_flip", "strand_flip_swapped")
FATES = {
    "typed": "used as it is",
    "ref_alt_swapped": "REF and ALT were the other way round; alleles recoded, then used",
    "strand_flip": "alleles were those of the other strand; renamed, then used",
    "strand_flip_swapped": "other strand and other way round; recoded, then used",
    "palindromic_mismatch": "A/T or C/G with REF and ALT the other way round: strand flip or "
    "swap, not guessed; not used",
    "allele_mismatch": "the panel has other alleles at this position; not used",
    "target_only": "the panel has no site at this position; not used",
    "duplicate_site": "an earlier record is the same panel site; not used",
}


class SiteMatcher:
    """Finds the panel's sites by position and alleles, each at most once."""

    def __init__(self, position: np.ndarray, ref: np.ndarray, alt: np.ndarray) -> None:
        self._row = {
            key: row for row, key in enumerate(zip(position.tolist(), ref, alt, strict=True))
        }
        self._positions = set(position.tolist())
        self._taken: set[int] = set()

    def match(self, position: int, ref: str, alt: str) -> tuple[int, str]:
        """Row of the panel site that a target site is (-1 if not used), and its fate, one of
        `FATES`.
        """
        row, fate = self._find(position, ref.upper(), alt.upper())
        if row in self._taken:
            return -1, "duplicate_site"
        if row >= 0:
            self._taken.add(row)
        return row, fate

    def _find(self, position: int, ref: str, alt: str) -> tuple[int, str]:
        if position not in self._positions:
            return -1, "target_only"
        there, back = ref.translate(COMPLEMENT), alt.translate(COMPLEMENT)
        candidates = {
            "typed": (ref, alt),
            "ref_alt_swapped": (alt, ref),
            "strand_flip": (there, back),
            "strand_flip_swapped": (back, there),
        }
        for fate, (first, second) in candidates.items():
            row = self._row.get((position, first, second), -1)
            if row >= 0:
                # For A/T and C/G a swap and a strand flip look the same.
                if fate != "typed" and there == alt:
                    return -1, "palindromic_mismatch"
                return row, fate
        return -1, "allele_mismatch"


def is_swapped(fate: str) -> bool:
    """Whether a used site's alleles 0 and 1 change places."""
    return fate in ("ref_alt_swapped", "strand_flip_swapped")
