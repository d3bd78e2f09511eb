"""Draws which sites of a chromosome are hidden.

For one epoch, or for the fixed draws of validation and test.
"""

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
    """Write names [M] and hidden bool [M, site] of a draw, and a table of realised rates.

    A draw is an epoch such as 001, validation or test. An epoch follows `curriculum`, the other
    draws `fixed`. `sites` is the genotype store, for masks given by a file. Raises InputError where
    such a file is not as it should be.
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
        names = draw, chromosome, name
        hidden[row] = draw_chromosome(
            mask, rate, arrays["frequency"], arrays["position"], cores, seed, *names
        )
        log.info("%s: %.1f %% of %d sites hidden", name, 100 * hidden[row].mean(), hidden.shape[1])
    written = {"names": np.array(list(named)), "hidden": hidden}
    write_arrays(output, "masks", written, draw=draw, sources=sources)
    rates = tabulate_rates(list(named), hidden, arrays["frequency"])
    write_table(table, pd.DataFrame(rates))


def read_given(mask: Mask, chromosome: str, sites: Path | None) -> np.ndarray:
    """Read a mask from a table: bool [site], by the sites of the genotype store `sites`.

    The table has the columns CHROM, POS, REF, ALT and one of 0 and 1 (hidden). Raises InputError
    where it is not such a table or lacks a site of the panel.
    """
    path = Path(str(mask.file))
    if sites is None:
        raise InputError(f"{path}: a given mask needs the genotype store; name it with --sites")
    variants = read_arrays(sites, "genotypes", "variants/POS", "variants/REF", "variants/ALT")
    hidden_by_site = _read_flags(path, str(mask.column), chromosome)
    panel_sites = list(zip(*variants.values(), strict=True))
    missing = [site for site in panel_sites if site not in hidden_by_site]
    if missing:
        raise InputError(
            f"{path}: lacks {len(missing)} sites of the panel, "
            f"the first is {chromosome}:{missing[0][0]}; add them"
        )
    hidden = [hidden_by_site[site] for site in panel_sites]
    if not all(isinstance(value, bool) for value in hidden):
        raise InputError(f"{path}: column {mask.column} holds values other than 0 and 1; fix it")
    return np.array(hidden)


def _read_flags(path: Path, column: str, chromosome: str) -> dict[tuple[int, str, str], object]:
    """The flags of a chromosome's sites by POS, REF and ALT: False and True for 0 and 1."""
    try:
        table = pd.read_csv(path, sep="\t", dtype=str).rename(columns=lambda name: name.lstrip("#"))
        rows = table[table["CHROM"].map(plain_name) == plain_name(chromosome)]
        sites = zip(rows["POS"].astype(int), rows["REF"], rows["ALT"], strict=True)
        flags = rows[column].map({"0": False, "1": True})
        return dict(zip(sites, flags, strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: not a table with CHROM, POS, REF, ALT and {column} ({error}); fix its header"
        ) from error


if __name__ == "__main__":
    run_step(masks)
