"""What became of the panel's records, apart from what was counted of genotypes and people."""

from __future__ import annotations

import pandas as pd

# Of the reasons of a tally these count no records.
UNITS = {
    "heterozygotes": "genotypes",
    "unphased_heterozygotes": "genotypes",
    "missing_alleles": "alleles",
    "half_missing": "genotypes",
    "duplicate_people": "pairs of samples",
    "duplicate_people_across_roles": "pairs of samples",
}
RECORDS = "records"


def tabulate_tallies(tallies: dict[str, pd.Series]) -> dict[str, pd.DataFrame]:
    """Counts [reason, chromosome] by what is counted: records first, then genotypes and others.

    Reasons without a count on any chromosome are left out, but for how many were read and kept.
    """
    counts = pd.DataFrame(tallies).fillna(0).astype(int)
    shown = counts[(counts > 0).any(axis=1) | counts.index.isin(["read", "kept"])]
    unit = pd.Series([UNITS.get(reason, RECORDS) for reason in shown.index], index=shown.index)
    parts = {name: shown[unit == name] for name in dict.fromkeys([RECORDS, *unit])}
    return {
        name: part.rename(index=lambda reason: reason.replace("_", " "))
        for name, part in parts.items()
        if len(part)
    }
