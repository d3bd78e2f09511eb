"""What a record of a panel or a target may be worth: every fate, said once; docs/input.md shows it.

A fate is what becomes of one allele of ALT: it is used, or left out for a reason. A remark is
something odd about a record that is kept.
"""

from __future__ import annotations

from typing import NamedTuple

BASES = frozenset("ACGT")
# Alleles that say only that something else was seen: gVCFs and bcftools mpileup write them.
UNSPECIFIED = ("<*>", "<NON_REF>")
SPANNING_DELETION = "*"


class Fate(NamedTuple):
    """Whether it concerns the `panel`, a `target` or `both`, and what is done."""

    where: str
    meaning: str


# Those that are used, of a target.
USED = {
    "typed": Fate("target", "used as it is"),
    "ref_alt_swapped": Fate(
        "target", "a SNP whose REF and ALT were the other way round; alleles recoded, then used"
    ),
    "strand_flip": Fate(
        "target", "a SNP whose alleles were those of the other strand; renamed, then used"
    ),
    "strand_flip_swapped": Fate(
        "target", "a SNP on the other strand and the other way round; recoded, then used"
    ),
    "hom_ref": Fate(
        "target", "ALT `.`: nobody has another allele than REF, which is the panel's; used as such"
    ),
}
LEFT_OUT = {
    "no_alt": Fate("panel", "ALT is `.`: nothing varies"),
    "multiallelic": Fate("panel", "more than one ALT, with `multiallelic: skip`"),
    "indel": Fate("panel", "an insertion or deletion, with `variants: snps`"),
    "mnp": Fate("panel", "several bases at once, with `variants: snps`"),
    "telomere": Fate("both", "position 0, the end of a chromosome"),
    "symbolic": Fate("both", "a symbolic allele (`<DEL>`) or a breakend"),
    "star": Fate("both", "`*`, a deletion that began before; its haplotypes are missing here"),
    "unspecified": Fate("both", "`<*>` or `<NON_REF>` beside real alleles; who has it is missing"),
    "non_acgt": Fate("both", "other letters than A, C, G and T; who has such an allele is missing"),
    "duplicate_site": Fate(
        "both", "the same variant as another record; the one with the most genotypes stays"
    ),
    "too_many_missing": Fate("panel", "more missing alleles than `max_missing`"),
    "below_min_minor_count": Fate(
        "panel", "fewer minor alleles than `min_minor_count`, in reference people only"
    ),
    "other_chromosome": Fate(
        "both", "of a panel, left to the job of that chromosome; of a target, not in the imputer"
    ),
    "palindromic_mismatch": Fate(
        "target",
        "A/T or C/G with REF and ALT the other way round: swap or strand flip, not guessed",
    ),
    "palindromic_unsure": Fate(
        "target", "A/T or C/G in a file that is, in part or whole, on the other strand"
    ),
    "allele_mismatch": Fate("target", "the panel has other alleles at this position"),
    "target_only": Fate("target", "the panel has no variant at this position"),
}
OUTSIDE = "outside_region"
UNWRITTEN = {
    OUTSIDE: Fate(
        "target",
        "not in `imputation.region`: not written; on its chromosome what the panel has is evidence",
    ),
}
REMARKS = {
    "multiallelic": Fate(
        "both", "more than one ALT: split, an allele a row; other alleles are REF"
    ),
    "multiallelic_split": Fate("both", "another record of the position has another ALT"),
    "filter_fail": Fate("both", "FILTER is neither PASS nor `.`; it is not judged"),
    "phase_sets": Fate(
        "both",
        "PS: of a target, phase is kept within a set and chosen between sets; of a panel, `|` is "
        "taken to hold along the chromosome",
    ),
    "beyond_contig_end": Fate("both", "beyond the length that the header declares"),
    "lower_case": Fate("both", "REF or ALT in small letters, read as capitals"),
}
FATES_OF_TARGETS = [
    name
    for name, fate in {**USED, **LEFT_OUT, **UNWRITTEN}.items()
    if fate.where in ("target", "both")
]


def judge_allele(ref: str, alt: str, variants: str, hom_ref: bool) -> str | None:
    """Why an allele of ALT (`.` where there is none) is left out, None where it is kept.

    `variants` is `snps` or `all_biallelic`; `hom_ref` keeps ALT `.` of one base. Raises ValueError
    where it cannot be.
    """
    if len(ref) == len(alt) == 1 and ref != alt and ref in BASES and alt in BASES:
        return None
    if alt == ".":
        return None if hom_ref and ref in BASES else "no_alt"
    if alt == ref:
        raise ValueError("has an ALT that equals its REF; fix or remove the record")
    if alt == SPANNING_DELETION:
        return "star"
    if alt in UNSPECIFIED:
        return "unspecified"
    if set("<>[].") & set(alt):
        return "symbolic"
    if not set(ref + alt) <= BASES:
        return "non_acgt"
    if variants == "snps" and not len(ref) == len(alt) == 1:
        return "mnp" if len(ref) == len(alt) else "indel"
    return None


def is_unknown(alt: str) -> bool:
    """Whether nobody knows what a haplotype with this allele has instead of REF.

    Counting it as REF would be a guess: it is missing.
    """
    if alt == SPANNING_DELETION or alt in UNSPECIFIED:
        return True
    return not set("<>[].") & set(alt) and not set(alt) <= BASES


def is_gvcf_block(alts: list[str]) -> bool:
    """Whether a record is a stretch of a gVCF: it names no allele but the unspecified one."""
    return bool(alts) and set(alts) <= set(UNSPECIFIED)
