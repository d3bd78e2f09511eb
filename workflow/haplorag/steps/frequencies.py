"""Computes frequencies of alleles and genotypes, of reference people, all and by population."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from haplorag.io.hdf5 import opening_arrays, write_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.panel.frequencies import count_alleles, divide_counts
from haplorag.panel.genotype_store import iterate_site_blocks, read_ploidy
from haplorag.panel.samples import find_samples, list_populations, read_samples
from haplorag.pipeline.cli import run_step

log = logging.getLogger(__name__)


def frequencies(genotypes: Path, samples: Path, output: Path) -> None:
    """Write ALT frequency [site], genotype frequencies [site, 3], and both per super-population [P,
    site(, 3)], float32.

    Missing alleles do not count, and a haploid genotype is one allele; where a super-population has
    none known, it takes the global frequency. Genotypes are those of diploids. `stretch_first` are
    the first sites of stretches that differ in who has one haplotype.
    """
    sources = describe_provenance(("samples", samples), ("genotypes", genotypes))
    table = read_samples(samples)
    reference = find_samples(table, "reference")
    populations = dict(list_populations(table.iloc[reference]))
    groups = [reference, *(reference[members] for members in populations.values())]
    with opening_arrays(genotypes, "genotypes") as file:
        position = file["variants/POS"][:]
        ploidy = read_ploidy(file)
        blocks = iterate_site_blocks(file, np.arange(len(position)))
        parts = [count_alleles(calls, groups) for calls in blocks]
    counts = [np.concatenate(blocks) for blocks in zip(*parts, strict=True)]
    shares = [divide_counts(part, counts[0]) for part in counts]
    everyone, *by_population = shares
    write_arrays(
        output,
        "frequencies",
        {
            "position": position,
            "frequency": everyone[:, 0],
            "genotype_frequency": everyone[:, 1:],
            "populations": np.array(list(populations)),
            "population_frequency": np.stack([part[:, 0] for part in by_population]),
            "population_genotype_frequency": np.stack([part[:, 1:] for part in by_population]),
            "stretch_first": ploidy.first,
            "allele_number": counts[0][:, 1].astype(np.int32),
        },
        sources=sources,
    )
    log.info(
        "%d sites, %d reference people, %d super-populations",
        len(position),
        len(groups[0]),
        len(populations),
    )


if __name__ == "__main__":
    run_step(frequencies)
