"""Draws which sites of a chromosome are hidden, for one epoch or for the fixed validation and test draws."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.errors import InputError
from haplorag.io.hdf5 import read_arrays, write_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.io.tables import write_table
from haplorag.masking import choose_rate, draw_chromosome, tabulate_rates
from haplorag.panel.windows import read_windows
from haplorag.pipeline.cli import run_step
from haplorag.settings import Curriculum, FixedMasks, Mask
from haplorag.vcf.chromosomes import plain_name

log = logging.getLogger(__name__)


def masks(
    frequencies: Path,
    windows: Path,
    output: Path,
    table: Path,
    *,
    draw: str,
    chromosome: str,
    seed: int,
    curriculum: Curriculum | None = None,
    fixed: FixedMasks | None = None,
    sites: Path | None = None,
) -> None:
    """Write names [M] and hidden bool [M, site] of a draw (an epoch such as 001, validation or test), and realised rates.

    An epoch follows `curriculum`, the other draws `fixed`. `sites` is the genotype store, for masks given by a file.
    """
    sources = describe_provenance(("frequencies", frequencies), ("windows", windows))
    arrays = read_arrays(frequencies, "frequencies", "position", "frequency")
    cores = read_windows(windows).cores
    named = fixed.masks if fixed else curriculum.mixture if curriculum else {}
    usual = choose_rate(curriculum, int(draw)) if curriculum else 0.0
    hidden = np.zeros((len(named), len(arrays["position"])), dtype=bool)
    for row, (name, mask) in enumerate(named.items()):
        if mask.strategy == "given":
            hidden[row] = read_given(mask, chromosome, sites)
            continue
        rate = usual if mask.rate is None else mask.rate
        names = (draw, chromosome, name)
        hidden[row] = draw_chromosome(
            mask, rate, arrays["frequency"], arrays["position"], cores, seed, *names
        )
        log.info("%s: %.1f %% of %d sites hidden", name, 100 * hidden[row].mean(), hidden.shape[1])
    write_arrays(
        output,
        "masks",
        {"names": np.array(list(named)), "hidden": hidden},
        draw=draw,
        sources=sources,
    )
    write_table(table, pd.DataFrame(tabulate_rates(list(named), hidden, arrays["frequency"])))


def read_given(mask: Mask, chromosome: str, sites: Path | None) -> np.ndarray:
    """Read a mask from a table with the columns CHROM, POS, REF, ALT and one of 0 and 1 (hidden): bool [site]."""
    path = Path(str(mask.file))
    if sites is None:
        raise InputError(f"{path}: a given mask needs the genotype store; name it with --sites")
    variants = read_arrays(sites, "genotypes", "variants/POS", "variants/REF", "variants/ALT")
    try:
        table = pd.read_csv(path, sep="\t", dtype=str).rename(columns=lambda name: name.lstrip("#"))
        given = table[table["CHROM"].map(plain_name) == plain_name(chromosome)]
        keys = zip(given["POS"].astype(int), given["REF"], given["ALT"], strict=True)
        known = dict(zip(keys, given[mask.column].map({"0": False, "1": True}), strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: not a table with CHROM, POS, REF, ALT and {mask.column} ({error}); fix its header"
        ) from error
    wanted = list(zip(*variants.values(), strict=True))
    missing = [key for key in wanted if key not in known]
    if missing:
        raise InputError(
            f"{path}: lacks {len(missing)} sites of the panel, the first is {chromosome}:{missing[0][0]}; add them"
        )
    hidden = [known[key] for key in wanted]
    if not all(isinstance(value, bool) for value in hidden):
        raise InputError(f"{path}: column {mask.column} holds values other than 0 and 1; fix it")
    return np.array(hidden)


if __name__ == "__main__":
    run_step(masks)
