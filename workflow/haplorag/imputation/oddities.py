"""Finds what is odd about a chromosome of a target, and says what most likely causes it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from haplorag.imputation.diagnosis import Diagnosis
from haplorag.imputation.site_log import SettledSites, SiteLog
from haplorag.vcf.biallelic import BiallelicReader
from haplorag.vcf.fates import REMARKS

FEW_SITES = 20
MOST_MISSING = 0.5
LEAST_CORRELATION = 0.3


def find_oddities(
    reader: BiallelicReader,
    sites: SiteLog,
    settled: SettledSites,
    fates: pd.DataFrame,
    diagnosis: Diagnosis,
) -> Iterator[str]:
    """Sites that were not taken as they are, missing genotypes, frequencies unlike the panel's."""
    chromosome = reader.chromosome
    counted = [_count_fates(chromosome, fates), *_count_remarks(reader)]
    if told := ", ".join(filter(None, counted)):
        yield f"{told}; the table of sites explains each; fix the file where it is not meant"
    compared = sites.compare_frequencies(settled.record, settled.swapped)
    used = len(compared)
    if used < FEW_SITES:
        cause = "use a denser file"
        if diagnosis.overlap < 1 / 2:
            cause = "most likely its genome build is another; if not, use a denser file"
        yield f"overlap={used} sites on {chromosome} are too few to impute from; {cause}"
    if missing := int(sites.missing.sum()):
        yield f"missing_calls={missing} are imputed as if untyped in those people; fix known ones"
    if low := int((sites.missing > MOST_MISSING * len(sites)).sum()):
        yield (
            f"samples_low_call_rate={low} people lack most genotypes, so that little is known of "
            "them; remove them, or expect little"
        )
    correlation = _correlate(compared[["target", "panel"]].to_numpy())
    if used >= FEW_SITES and correlation < LEAST_CORRELATION:
        yield (
            f"its frequencies at {used} sites of chromosome {chromosome} correlate with the "
            f"panel's by {correlation:.2f} only; most likely {_explain_correlation(correlation)}"
        )


def _explain_correlation(correlation: float) -> str:
    """What makes frequencies unlike the panel's, the likelier cause first."""
    coded = "its genotypes count REF as 1 (fix REF and ALT together with the genotypes)"
    far = "these people are unlike the panel's (use a panel nearer to them)"
    return f"{coded}, or {far}" if correlation < 0 else f"{far}, or {coded}"


def _count_fates(chromosome: str, fates: pd.DataFrame) -> str:
    """How many alleles had each fate but the usual one, the most frequent first."""
    words = fates["fate"][fates["fate"] != "typed"]
    first = fates["position"][words.index].groupby(words).first()
    return ", ".join(
        f"{word}={number} (first at {chromosome}:{first[word]})"
        for word, number in words.value_counts().items()
    )


def _count_remarks(reader: BiallelicReader) -> Iterator[str]:
    """How many records have each remark."""
    for word in REMARKS:
        if number := reader.tally[word]:
            yield f"{word}={number} (first at {reader.first[word]})"


def _correlate(pairs: np.ndarray) -> float:
    """Correlation of two columns [S, 2]; 1 where one of them does not vary."""
    return float(np.corrcoef(pairs.T)[0, 1]) if len(pairs) and pairs.std(axis=0).all() else 1.0
