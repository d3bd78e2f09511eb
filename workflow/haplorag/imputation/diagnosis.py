"""Judges a target as a whole: which strand it is on, whether REF is REF, of which genome build."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from haplorag.errors import InputError
from haplorag.imputation.site_matching import FLIPPED, Match, is_swapped
from haplorag.settings import ImputationSettings
from haplorag.vcf.fates import USED

# Of SNPs whose strand can be told, the share of the other strand at which palindromes are unsure.
MOST_FLIPPED = 0.02
# Alleles that fit at random disagree at about half of the positions that two builds share by
# chance; those of one build at a few in a hundred.
MOST_MISMATCHES, FEW_POSITIONS = 0.25, 10
MOST_SWAPPED = 0.02


@dataclass
class Diagnosis:
    """Counts over all of a target's variants within the panel's reach, and what they say."""

    fates: Counter[str] = field(default_factory=Counter)
    # Fates of SNPs that are not their own complement: their strand shows.
    telling: Counter[str] = field(default_factory=Counter)

    def add(self, match: Match) -> None:
        """Count a variant."""
        self.fates[match.fate] += 1
        if match.snp and not match.palindromic and match.sites and match.fate != "hom_ref":
            self.telling[match.fate] += 1

    def include(self, other: Diagnosis) -> None:
        """Add the counts of another chromosome."""
        self.fates += other.fates
        self.telling += other.telling

    @property
    def variants(self) -> int:
        """The target's own variants within the panel's reach."""
        return self.fates.total()

    @property
    def matched(self) -> int:
        """Of those, how many the panel has too."""
        return sum(self.fates[fate] for fate in USED) + self.fates["palindromic_mismatch"]

    @property
    def overlap(self) -> float:
        """The share that the panel has too; 0 where there are none."""
        return self.matched / max(self.variants, 1)

    @property
    def flips(self) -> int:
        """SNPs of the other strand."""
        return sum(self.telling[fate] for fate in FLIPPED)

    @property
    def swaps(self) -> int:
        """SNPs whose REF and ALT are the other way round."""
        return sum(number for fate, number in self.telling.items() if is_swapped(fate))

    @property
    def strand(self) -> str:
        """`forward`, `reverse`, `mixed`, or `unknown` where no SNP can tell."""
        total = self.telling.total()
        if not total:
            return "unknown"
        share = self.flips / total
        if share <= MOST_FLIPPED:
            return "forward"
        return "reverse" if share >= 1 - MOST_FLIPPED else "mixed"

    @property
    def trusts_palindromes(self) -> bool:
        """Whether A/T and C/G SNPs mean what they say: the file as a whole is on the panel's
        strand. A VCF is, where nothing speaks against it.
        """
        return self.strand in ("forward", "unknown")

    @property
    def swapping(self) -> str:
        """`none`, `few`, or `many` where REF is often not the reference genome's."""
        if not self.swaps:
            return "none"
        return "few" if self.swaps <= MOST_SWAPPED * self.telling.total() else "many"

    @property
    def disagreement(self) -> float:
        """At positions that the panel has, the share of variants with other alleles."""
        return self.fates["allele_mismatch"] / max(self._shared, 1)

    @property
    def _shared(self) -> int:
        return self.matched + self.fates["allele_mismatch"]

    @property
    def build(self) -> str:
        """`same`, `other`, or `unknown` where hardly a position is shared."""
        if self._shared < FEW_POSITIONS:
            return "unknown"
        disagrees = self.disagreement > MOST_MISMATCHES
        return "other" if disagrees and self.overlap < 1 / 2 else "same"

    def explain(self) -> list[tuple[str, str]]:
        """What the counts say, a question and its answer each."""
        telling = self.telling.total()
        shared = f"{self.matched:,} of {self.variants:,} sites within its reach are the panel's"
        odd = f"where positions agree {self.disagreement:.1%} have other alleles"
        builds = {
            "same": "the panel's",
            "other": "another than the panel's: alleles agree as by chance",
            "unknown": "cannot be told from so few positions",
        }
        strands = {
            "forward": "the panel's; A/T and C/G SNPs are used as they are",
            "reverse": "the other one; SNPs are renamed, A/T and C/G SNPs are not used",
            "mixed": "now one, now the other; SNPs are renamed, A/T and C/G SNPs are not used",
            "unknown": "no SNP tells it; a VCF's is the forward strand",
        }
        swaps = {
            "none": "as in the panel",
            "few": "a few are the other way round, and are recoded",
            "many": "often the other way round (REF is not the reference genome's), recoded",
        }
        return [
            ("Genome build", f"{builds[self.build]} ({shared}, {odd})"),
            ("Strand", f"{strands[self.strand]} ({self.flips:,} of {telling:,} SNPs flipped)"),
            ("REF and ALT", f"{swaps[self.swapping]} ({self.swaps:,} of {telling:,} SNPs swapped)"),
        ]


def check_diagnosis(path: Path, diagnosis: Diagnosis, settings: ImputationSettings) -> None:
    """Raise InputError where a target is most likely not what it is taken for.

    The limits are those of imputation servers (Das et al. 2016, doi:10.1038/ng.3656); each can be
    overruled by its name.
    """
    for name, fault in find_faults(diagnosis, settings).items():
        if name not in settings.overrule:
            raise InputError(
                f"{path}: {fault}; to impute all the same set imputation.overrule to [{name}]"
            )


def find_faults(diagnosis: Diagnosis, settings: ImputationSettings) -> dict[str, str]:
    """What speaks against a target, by the name that overrules it: the gravest first."""
    shared = f"{diagnosis.matched} of its {diagnosis.variants} sites are the panel's"
    odd = f"where positions agree, {diagnosis.disagreement:.0%} have other alleles"
    faults = {}
    if diagnosis.build == "other":
        faults["build"] = (
            f"overlap={diagnosis.matched}: only {shared}, and {odd}, as by chance: it is of "
            "another genome build than the panel; lift it over, or use an imputer of its build"
        )
    elif diagnosis.overlap < settings.min_overlap:
        build = "it is of another genome build (lift it over)"
        other = "it has many sites that the panel lacks, as sequenced people have"
        causes = f"{build}, or {other}" if diagnosis.build == "unknown" else other
        faults["overlap"] = (
            f"overlap={diagnosis.matched}: only {shared}, less than imputation.min_overlap "
            f"{settings.min_overlap:g}, and {odd}: most likely {causes}"
        )
    if diagnosis.flips > settings.max_flips:
        faults["flips"] = (
            f"strand_flip={diagnosis.flips} SNPs are on the other strand (the file as a whole is "
            f"{diagnosis.strand}), more than imputation.max_flips {settings.max_flips}; run "
            "bcftools +fixref to put it on the forward strand"
        )
    return faults
