"""Lists people who are parent and child, siblings or closer.

Across roles they would make accuracy look better than it is.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.io.hdf5 import opening_arrays
from haplorag.io.provenance import check_provenance
from haplorag.io.tables import write_table
from haplorag.panel.frequencies import read_frequencies
from haplorag.panel.genotype_store import iterate_site_blocks, read_vcf_source
from haplorag.panel.samples import read_samples
from haplorag.pipeline.cli import run_step
from haplorag.qc.kinship import RELATED, KinshipEstimates, find_relatives

log = logging.getLogger(__name__)
SITES = 10_000
COMMON_MAF = 0.05
# Strangers' estimates reach this many standard deviations only in panels larger than any there is.
CERTAIN = 6


def relatives(
    samples: Path, output: Path, *, genotypes: list[Path], frequencies: list[Path]
) -> None:
    """Write pairs of people whose kinship over all chromosomes is that of first-degree relatives,
    with their roles.

    `genotypes` and `frequencies` have one path a chromosome; up to 10,000 common sites, evenly
    spread, are looked at. The log says how many pairs have different roles, and whether the
    chromosomes are long enough to tell relatives from strangers; of very many pairs the closest are
    written. Dosages of all people at these sites are in memory, a byte each. Raises InputError
    where the files come from two runs.
    """
    people = read_samples(samples)
    most = max(SITES // len(genotypes), 1)
    chosen = []
    for stored, counted in zip(genotypes, frequencies, strict=True):
        check_provenance(("samples", samples), ("genotypes", stored), ("frequencies", counted))
        chosen.append(_choose_sites(counted, most))
    dosage = _read_dosages(genotypes, chosen, len(people))
    kinship = find_relatives(dosage, people["population"].to_numpy())
    pairs = _list_pairs(people, kinship)
    write_table(output, pairs)
    if not len(pairs):
        log.info(
            "no relatives of first degree among %d people, by %d common sites",
            len(people),
            dosage.shape[1],
        )
        return
    source = ", ".join(dict.fromkeys(read_vcf_source(path)["vcf"] for path in genotypes))
    _tell_of_pairs(source, output, pairs, kinship, dosage.shape[1])


def _list_pairs(people: pd.DataFrame, kinship: KinshipEstimates) -> pd.DataFrame:
    """A row a pair: both names, both roles, and the kinship."""
    first, second = (people.iloc[rows].reset_index(drop=True) for rows in kinship.pairs.T)
    return pd.DataFrame(
        {
            "first": first["sample"],
            "first_role": first["role"],
            "second": second["sample"],
            "second_role": second["role"],
            "kinship": kinship.kinship,
        }
    )


def _tell_of_pairs(
    source: str, output: Path, pairs: pd.DataFrame, kinship: KinshipEstimates, sites: int
) -> None:
    """Warn of pairs in different roles, where so many sites tell relatives from strangers."""
    across = int((pairs["first_role"] != pairs["second_role"]).sum())
    listed = f"{output} lists "
    listed += (
        "them" if len(pairs) == kinship.found else f"the {len(pairs)} closest, who are counted"
    )
    if CERTAIN * kinship.spread < RELATED:
        log.warning(
            "%s: related_pairs=%d of people are parent and child, siblings or closer, %d of them "
            "in different roles, which makes accuracy look better than it is; set one role for "
            "relatives by samples.roles, %s",
            source, kinship.found, across, listed,
        )  # fmt: skip
    else:
        log.info(
            "no cause for alarm: related_pairs=%d look like close relatives, %d of them in "
            "different roles, but so short a stretch (%d common sites, spread of kinship %.3f) "
            "cannot tell relatives from strangers; use more chromosomes for that. %s: %s",
            kinship.found, across, sites, kinship.spread, source, listed,
        )  # fmt: skip


def _choose_sites(frequencies: Path, most: int) -> np.ndarray:
    """No more than `most` common sites of a chromosome, evenly spread: int64, sorted."""
    frequency = read_frequencies(frequencies).frequency
    common = np.flatnonzero(np.minimum(frequency, 1 - frequency) >= COMMON_MAF)
    spread = np.linspace(0, len(common) - 1, min(most, len(common))).astype(np.int64)
    return common[np.unique(spread)]


def _read_dosages(genotypes: list[Path], chosen: list[np.ndarray], people: int) -> np.ndarray:
    """ALT alleles int8 [n, S] of all people at the chosen sites of each chromosome, one after the
    other; -1 where one is missing.
    """
    dosage = np.empty((people, sum(map(len, chosen))), dtype=np.int8)
    start = 0
    for path, sites in zip(genotypes, chosen, strict=True):
        with opening_arrays(path, "genotypes") as file:
            for calls in iterate_site_blocks(file, sites):
                alternate = calls[..., 0] + calls[..., 1]
                alternate[(calls < 0).any(axis=2)] = -1
                dosage[:, start : start + len(calls)] = alternate.T
                start += len(calls)
    return dosage


if __name__ == "__main__":
    run_step(relatives)
