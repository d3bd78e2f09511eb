"""Compares the variants of a target with those of the panel."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import NamedTuple

import numpy as np

COMPLEMENT = str.maketrans("ACGT", "TGCA")
FLIPPED = ("strand_flip", "strand_flip_swapped")


class Match(NamedTuple):
    """How a target's variant relates to the panel: a fate of `vcf.fates`, the panel's sites it is,
    and whether it is a SNP, and one that is its own complement (A/T, C/G).
    """

    fate: str
    sites: tuple[int, ...]
    snp: bool
    palindromic: bool


class SiteMatcher:
    """Finds the panel's sites that a target's variants are.

    Variants are compared, not words: bases that REF and ALT share at an end do not count, so that
    10:CAA>CA is 10:CA>C. Only SNPs are looked for with their alleles swapped or on the other
    strand; an insertion is no deletion the other way round.
    """

    def __init__(self, position: np.ndarray, ref: np.ndarray, alt: np.ndarray) -> None:
        variants = zip(position.tolist(), ref, alt, strict=True)
        trimmed = [(*trim_variant(*variant), row) for row, variant in enumerate(variants)]
        # Those that begin with bases in common are at a later place than they are called by.
        self._trimmed = sorted(trimmed, key=itemgetter(0))
        self._places = [variant[0] for variant in self._trimmed]
        self._positions = set(position.tolist())

    def match(self, position: int, ref: str, alt: str) -> Match:
        """Compare a variant; `alt` is `.` where everybody has REF."""
        if alt == ".":
            return self._match_reference(position, ref)
        place, first, second = trim_variant(position, ref, alt)
        snp = len(first) == len(second) == 1
        there, back = first.translate(COMPLEMENT), second.translate(COMPLEMENT)
        palindromic = snp and there == second
        candidates = {"typed": (first, second)}
        if snp:
            candidates["ref_alt_swapped"] = second, first
            candidates["strand_flip"] = there, back
            candidates["strand_flip_swapped"] = back, there
        known = self._find_variants(place)
        for fate, alleles in candidates.items():
            if alleles not in known:
                continue
            # For A/T and C/G a swap and a strand flip look the same.
            if fate != "typed" and palindromic:
                return Match("palindromic_mismatch", (), snp, True)
            return Match(fate, (known[alleles],), snp, palindromic)
        return Match(self._miss(position, place), (), snp, palindromic)

    def _match_reference(self, position: int, ref: str) -> Match:
        """All SNPs of the panel at a position where everybody has its REF."""
        found = {
            alleles: row
            for alleles, row in self._find_variants(position).items()
            if all(len(allele) == 1 for allele in alleles)
        }
        rows = tuple(row for (first, _), row in found.items() if first == ref)
        if not rows:
            return Match(self._miss(position), (), True, False)
        palindromic = any(ref.translate(COMPLEMENT) == second for _, second in found)
        return Match("hom_ref", rows, True, palindromic)

    def _miss(self, *positions: int) -> str:
        there = any(
            position in self._positions or self._find_variants(position) for position in positions
        )
        return "allele_mismatch" if there else "target_only"

    def _find_variants(self, place: int) -> dict[tuple[str, str], int]:
        """Shortest REF and ALT of the panel's variants at a place, and their rows."""
        start, stop = bisect_left(self._places, place), bisect_right(self._places, place)
        return {(ref, alt): row for _, ref, alt, row in self._trimmed[start:stop]}


def trim_variant(position: int, ref: str, alt: str) -> tuple[int, str, str]:
    """The shortest form of a variant: bases that both alleles end or begin with are cut off, all
    but one.
    """
    if len(ref) == 1 or len(alt) == 1:
        return position, ref, alt
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    start = 0
    while start < min(len(ref), len(alt)) - 1 and ref[start] == alt[start]:
        start += 1
    return position + start, ref[start:], alt[start:]


def is_swapped(fate: str) -> bool:
    """Whether a used site's alleles 0 and 1 change places."""
    return fate in ("ref_alt_swapped", "strand_flip_swapped")
