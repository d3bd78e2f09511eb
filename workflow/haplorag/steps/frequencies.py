"""Computes allele and genotype frequencies, of reference people only, global and per super-population."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from haplorag.pipeline import cli as command
from haplorag.io import hdf5 as store
from haplorag.io.provenance import describe_family
from haplorag.panel.samples import find_people, list_populations, read_samples

log = logging.getLogger(__name__)


def frequencies(genotypes: Path, samples: Path, output: Path) -> None:
    """Write ALT frequency [site], genotype frequencies [site, 3], and both per super-population [P, site(, 3)], float32.

    Missing alleles do not count; where a super-population has none known, it takes the global frequency.
    """
    sources = describe_family(("samples", samples), ("genotypes", genotypes))
    table = read_samples(samples)
    reference = find_people(table, "reference")
    by_name = {name: reference[members] for name, members in list_populations(table.iloc[reference])}
    (_, *populations), groups = by_name, list(by_name.values())
    with store.opening_arrays(genotypes, "genotypes") as file:
        position = file["variants/POS"][:]
        blocks = store.read_blocks(file, np.arange(len(position)))
        parts = [[count_alleles(calls[:, group]) for group in groups] for calls in blocks]
    counts = [np.concatenate(blocks) for blocks in zip(*parts, strict=True)]
    shares = [_divide(part, counts[0]) for part in counts]
    everyone, *by_population = shares
    store.write_arrays(
        output,
        "frequencies",
        {
            "position": position,
            "frequency": everyone[:, 0],
            "genotype_frequency": everyone[:, 1:],
            "populations": np.array(populations),
            "population_frequency": np.stack([part[:, 0] for part in by_population]),
            "population_genotype_frequency": np.stack([part[:, 1:] for part in by_population]),
            "allele_number": counts[0][:, 1].astype(np.int32),
        },
        sources=sources,
    )
    log.info("%d sites, %d reference people, %d super-populations", len(position), len(groups[0]), len(populations))


def count_alleles(calls: np.ndarray) -> np.ndarray:
    """Count in alleles int8 [S, n, 2]: ALT alleles, known alleles, known genotypes 0, 1 and 2; int64 [S, 5]."""
    known = calls >= 0
    alternate = (calls > 0).sum(axis=2)
    whole = known.all(axis=2)
    genotypes = [(whole & (alternate == number)).sum(axis=1) for number in range(3)]
    return np.stack([alternate.sum(axis=1), known.sum(axis=(1, 2)), *genotypes], axis=1)


def _divide(counts: np.ndarray, everyone: np.ndarray) -> np.ndarray:
    """Frequencies float32 [S, 4] (ALT, genotypes 0, 1, 2) of counts [S, 5], everyone's where nothing is known."""
    counts = np.where(counts[:, 1:2] > 0, counts, everyone)
    genotypes = counts[:, 2:] / np.maximum(counts[:, 2:].sum(axis=1, keepdims=True), 1)
    return np.column_stack([counts[:, 0] / np.maximum(counts[:, 1], 1), genotypes]).astype(np.float32)


if __name__ == "__main__":
    command.run(frequencies)
