"""Decides what the records of one position are worth, for panels and targets alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from haplorag.vcf.fates import SPANNING_DELETION, is_gvcf_block, is_unknown, judge_allele
from haplorag.vcf.records import Record


class Rules(NamedTuple):
    """What is wanted: `variants` is `snps` or `all_biallelic`, `multiallelic` is `split` or `skip`;
    with `hom_ref` a record whose ALT is `.` is kept.
    """

    variants: str = "snps"
    multiallelic: str = "split"
    hom_ref: bool = False


class Variant(NamedTuple):
    """One allele of ALT against all others: alleles int8 [n, 2] (-1 missing), phase [n]."""

    record: Record
    alt: str
    alleles: np.ndarray
    phased: np.ndarray


class Dropped(NamedTuple):
    """An allele, or the whole record, that is left out."""

    record: Record
    alt: str
    reason: str


class Judged(NamedTuple):
    """What became of the alleles of a position."""

    kept: list[Variant]
    dropped: list[Dropped]


def judge_position(records: list[Record], rules: Rules) -> Judged:
    """Split the records of one position into biallelic variants and choose among them.

    Of several records of one variant that with the most known alleles stays, the first of equals.
    Haplotypes that a record calls deleted (`*`) are missing in all others. Raises ValueError where
    a record cannot be.
    """
    kept: list[Variant] = []
    dropped: list[Dropped] = []
    for record in records:
        if reason := _refuse_whole(record, rules):
            dropped.append(Dropped(record, ",".join(record.alts) or ".", reason))
            continue
        for number, alt in enumerate(record.alts or ["."], start=1):
            if reason := judge_allele(record.ref, alt, rules.variants, rules.hom_ref):
                dropped.append(Dropped(record, alt, reason))
            else:
                kept.append(_split(record, number, alt))
    if len(records) > 1:
        kept = _hide_deleted(records, kept)
        kept, doubles = _choose_called(kept)
        dropped += doubles
    return Judged(kept, dropped)


def list_remarks(record: Record, earlier: list[Record], length: int) -> list[str]:
    """What is odd about a record, words of `REMARKS`; `length` of its chromosome in bp, 0 unknown.

    `earlier` are records of the same position.
    """
    found = {
        "multiallelic": len(record.alts) > 1,
        "multiallelic_split": any(
            one.ref == record.ref and not set(record.alts[:1]) & set(one.alts) for one in earlier
        ),
        "filter_fail": record.failed,
        "phase_sets": record.phase_set,
        "beyond_contig_end": 0 < length < record.position,
        "lower_case": record.lower_case,
    }
    return [word for word, holds in found.items() if holds]


def _refuse_whole(record: Record, rules: Rules) -> str | None:
    if record.position == 0:
        return "telomere"
    if is_gvcf_block(record.alts):
        raise ValueError("is a gVCF block; run joint genotyping first and use its VCF")
    return "multiallelic" if len(record.alts) > 1 and rules.multiallelic == "skip" else None


def _split(record: Record, number: int, alt: str) -> Variant:
    """The `number`-th allele of ALT against the others, which count as REF unless they are
    unknown.
    """
    calls = record.alleles
    if len(record.alts) > 1:
        alleles = np.where(calls < 0, calls, calls == number)
        unknown = [place for place, one in enumerate(record.alts, start=1) if is_unknown(one)]
        alleles = np.where(np.isin(calls, unknown), -1, alleles) if unknown else alleles
        calls = alleles.astype(np.int8)
    return Variant(record, alt, calls, record.phased)


def _hide_deleted(records: list[Record], kept: list[Variant]) -> list[Variant]:
    """Haplotypes that are deleted by one record have no allele in the others."""
    deleted = [
        record.alleles == 1 + record.alts.index(SPANNING_DELETION)
        for record in records
        if SPANNING_DELETION in record.alts
    ]
    if not deleted:
        return kept
    gone = np.any(deleted, axis=0)
    return [
        one._replace(alleles=np.where(gone & (one.alleles == 0), -1, one.alleles).astype(np.int8))
        for one in kept
    ]


def _choose_called(kept: list[Variant]) -> tuple[list[Variant], list[Dropped]]:
    """Of the variants that are the same, those with the most known alleles; and the others."""
    best: dict[tuple[str, str], tuple[int, int]] = {}
    for place, one in enumerate(kept):
        key, known = (one.record.ref, one.alt), int((one.alleles >= 0).sum())
        if known > best.get(key, (-1, 0))[0]:
            best[key] = known, place
    chosen = {place for _, place in best.values()}
    doubles = [
        Dropped(one.record, one.alt, "duplicate_site")
        for place, one in enumerate(kept)
        if place not in chosen
    ]
    return [one for place, one in enumerate(kept) if place in chosen], doubles
