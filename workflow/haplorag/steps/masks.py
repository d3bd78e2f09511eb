"""Draws which sites of a chromosome are hidden.

For one epoch, or for the fixed draws of validation and test.
"""

from __future__ import annotations

import logging
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from haplorag.errors import InputError
from haplorag.io.hdf5 import read_arrays, write_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.io.tables import write_table
from haplorag.io.text import read_unpacked, shorten
from haplorag.masking import choose_rate, draw_chromosome, tabulate_rates
from haplorag.panel.windows import read_windows
from haplorag.pipeline.cli import run_step
from haplorag.settings import Curriculum, FixedMasks, Mask
from haplorag.vcf.chromosomes import plain_name

log = logging.getLogger(__name__)
FARTHEST_BP = 2**31 - 1


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
    panel_sites = list(zip(*(values.tolist() for values in variants.values()), strict=True))
    missing = [site for site in panel_sites if site not in hidden_by_site]
    if missing:
        raise InputError(
            f"{path}: lacks {len(missing)} sites of the panel, "
            f"the first is {chromosome}:{missing[0][0]}; add them"
        )
    return np.array([hidden_by_site[site] for site in panel_sites])


def _read_flags(path: Path, column: str, chromosome: str) -> dict[tuple[int, str, str], bool]:
    """Whether a chromosome's sites are hidden, by POS, REF and ALT.

    Raises InputError where a line has no place, no 0 or 1, or another flag than an earlier line of
    its site.
    """
    table = _read_mask_table(path, column)
    wanted = plain_name(chromosome)
    flags: dict[tuple[int, str, str], bool] = {}
    first: dict[tuple[int, str, str], int] = {}
    rows = table[["CHROM", "POS", "REF", "ALT", column]].itertuples(index=False, name=None)
    for line, (name, place, ref, alt, flag) in enumerate(rows, start=2):
        if not (name and ref and alt):
            raise InputError(f"{path}: line {line} lacks its CHROM, REF or ALT; fix the line")
        if plain_name(name) != wanted:
            continue
        if not place.isascii() or not place.isdigit() or int(place[:20]) > FARTHEST_BP:
            raise InputError(f"{path}: line {line} has no valid position in POS; fix the line")
        if flag not in ("0", "1"):
            raise InputError(f"{path}: line {line} has neither 0 nor 1 in {column}; fix the line")
        site = int(place), ref, alt
        hidden = flag == "1"
        if flags.setdefault(site, hidden) != hidden:
            raise InputError(
                f"{path}: line {line} gives the site of line {first[site]} the other flag; remove "
                "one of the two"
            )
        first.setdefault(site, line)
    return flags


def _read_mask_table(path: Path, column: str) -> pd.DataFrame:
    """The table as text, with blank cells as empty text."""
    try:
        table = pd.read_csv(
            BytesIO(read_unpacked(path)), sep="\t", dtype=str, keep_default_na=False, quoting=3
        ).rename(columns=lambda name: str(name).lstrip("#"))
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(
            f"{path}: not a table with CHROM, POS, REF, ALT and {column} "
            f"({shorten(str(error).strip())}); fix its header or the line"
        ) from error
    if lacking := [name for name in ("CHROM", "POS", "REF", "ALT", column) if name not in table]:
        raise InputError(
            f"{path}: lacks the column {' and '.join(lacking)}; set its header to: CHROM POS REF "
            f"ALT {column}"
        )
    return table.fillna("")


if __name__ == "__main__":
    run_step(masks)
