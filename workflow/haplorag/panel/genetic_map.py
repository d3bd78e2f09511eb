"""Genetic maps: positions in cM, read from any of the forms that are in use, and checked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from haplorag.errors import InputError
from haplorag.io.atomic import write_bytes
from haplorag.panel.map_forms import MapRows, read_map_rows

log = logging.getLogger(__name__)
CENTIMORGAN_PER_BP = 1e-6
# Mean cM per Mb of a map: those of animals and plants lie within the usual ones, that of yeast
# (350) within the possible ones.
USUAL_RATES = (0.1, 30.0)
POSSIBLE_RATES = (0.05, 500.0)
# Maps shorter than this, in bp, may lie in a stretch without recombination.
SHORT_BP = 1_000_000
# Between two lines of a map a jump of so many cM in less than so many bp is suspicious.
JUMP_CM, JUMP_BP = 5.0, 100_000
# Share of lines at which cM falls, above which the column holds no positions at all.
FALLING_SHARE = 0.05
# A map should reach along this share of the panel's sites.
WANTED_SHARE = 0.5
# Of the names in a map the one that means a chromosome, None if there is none.
Matcher = Callable[[list[str]], str | None]


@dataclass(frozen=True)
class GeneticMap:
    """Points of a chromosome's genetic map: `bp` int64 [K], strictly rising, and `centimorgan`
    float64 [K], never falling.
    """

    path: Path
    bp: np.ndarray
    centimorgan: np.ndarray

    def locate(self, position: np.ndarray) -> np.ndarray:
        """Genetic position in cM, float64 [site], of positions in bp, int [site]; beyond the map's
        ends 1 cM per Mb.
        """
        inside = np.interp(position, self.bp, self.centimorgan)
        before = np.minimum(position - self.bp[0], 0)
        after = np.maximum(position - self.bp[-1], 0)
        return inside + (before + after) * CENTIMORGAN_PER_BP


def locate_sites(
    position: np.ndarray, genetic_map: Path | None, chromosome: str, match: Matcher
) -> np.ndarray:
    """Genetic position of each site in cM, float64 [site]; without a map 1 cM per Mb.

    `position` int [site] is in bp; `match` and the errors raised are those of `read_map`. Says how
    far the map reaches. Raises InputError where it reaches no site.
    """
    if genetic_map is None:
        return position * CENTIMORGAN_PER_BP
    found = read_map(genetic_map, chromosome, match)
    inside = (position >= found.bp[0]) & (position <= found.bp[-1])
    where = f"{found.bp[0]} to {found.bp[-1]}"
    if not inside.any():
        raise InputError(
            f"{genetic_map}: reaches from {where} and so none of the panel's {len(position)} sites "
            f"on chromosome {chromosome} ({position[0]} to {position[-1]}); most likely it is of "
            "another genome build, or of another region; use the map of the panel's build"
        )
    share = inside.mean()
    level = log.info if share >= WANTED_SHARE else log.warning
    level(
        "%s: map_coverage=%.3f of the sites on chromosome %s lie within it (%d points from %s, "
        "%.3g cM per Mb); beyond its ends 1 cM per Mb is assumed%s",
        genetic_map, share, chromosome, len(found.bp), where, _mean_rate(found),
        "" if share >= WANTED_SHARE else "; use a map of the whole region, of the panel's build",
    )  # fmt: skip
    return found.locate(position)


def read_map(path: Path, chromosome: str, match: Matcher) -> GeneticMap:
    """Read a chromosome's genetic map: PLINK, HapMap or Eagle, SHAPEIT or GLIMPSE, IMPUTE or
    Minimac4 form, plain or gzipped, of one chromosome or of all.

    `match` gives, of the names of chromosomes in the file, the one that means `chromosome`. Raises
    InputError where the file is of no such form, lacks the chromosome, or does not hold rising
    positions in cM and bp; warns where cM per Mb are unusual.
    """
    by_chromosome = read_map_rows(path)
    named = [name for name in by_chromosome if name is not None]
    name = match(named)
    if named and name is None:
        shown = ", ".join(named[:5])
        raise InputError(
            f"{path}: is a map of chromosome {shown}{' ...' if len(named) > 5 else ''}, not of "
            f"{chromosome}; fix panel.map ({{chromosome}} in it stands for the name), or the "
            "column that names chromosomes"
        )
    rows = by_chromosome[name]
    _refuse_unreadable(path, rows)
    _refuse_unordered(path, rows)
    kept = np.r_[True, np.diff(rows.bp) > 0]
    found = GeneticMap(path, rows.bp[kept].astype(np.int64), rows.centimorgan[kept])
    _judge_rate(found)
    _warn_of_jumps(path, rows)
    return found


def write_plink_map(path: Path, chromosome: str, genetic_map: GeneticMap) -> None:
    """Write a map in PLINK form (chromosome . cM bp), which other tools take."""
    points = zip(genetic_map.centimorgan, genetic_map.bp, strict=True)
    lines = [f"{chromosome} . {centimorgan:.8g} {bp}\n" for centimorgan, bp in points]
    write_bytes(path, "".join(lines).encode())


def _refuse_unreadable(path: Path, rows: MapRows) -> None:
    """Refuse swapped columns first: they make every other check fail."""
    bp, centimorgan = rows.bp, rows.centimorgan
    whole = np.isfinite(bp) & np.isfinite(centimorgan)
    if whole.any() and _look_swapped(bp[whole], centimorgan[whole]):
        raise InputError(
            f"{path}: its column of bp holds small numbers and its column of cM holds large ones "
            f"(up to {centimorgan[whole].max():g}); most likely the two are swapped; a line in "
            "PLINK form is: chromosome . cM bp"
        )
    for name, values in (("cM", centimorgan), ("bp", bp)):
        if not np.isfinite(values).all():
            row = int(np.argmax(~np.isfinite(values)))
            raise InputError(
                f"{path}: line {rows.line[row]} has no finite number for {name}; remove the line, "
                "or give it one"
            )
    odd = (bp < 0) | (bp != np.floor(bp)) | (bp > 2**53)
    if odd.any():
        row = int(np.argmax(odd))
        raise InputError(
            f"{path}: line {rows.line[row]} has {bp[row]:g} for bp, which is not a position; most "
            "likely another column was taken for it; a line in PLINK form is: chromosome . cM bp"
        )
    if len(np.unique(bp)) < 2:
        raise InputError(f"{path}: has one position only; use a map with at least two")


def _look_swapped(bp: np.ndarray, centimorgan: np.ndarray) -> bool:
    """Whether cM are whole numbers such as positions are, and far larger than bp."""
    whole = (centimorgan == np.floor(centimorgan)).all()
    return bool(whole and centimorgan.max() > 1000 and centimorgan.max() > 100 * abs(bp).max())


def _refuse_unordered(path: Path, rows: MapRows) -> None:
    steps, rises = np.diff(rows.bp), np.diff(rows.centimorgan)
    if (steps < 0).any():
        line = rows.line[int(np.argmax(steps < 0)) + 1]
        raise InputError(
            f"{path}: line {line} does not rise in bp; sort the map by position, or part it where "
            "a second chromosome begins"
        )
    falls = rises < 0
    if falls.any():
        line = rows.line[int(np.argmax(falls)) + 1]
        rates = "its column of cM holds rates (cM/Mb), not positions; use the column of positions"
        single = "that line is wrong; fix or remove it"
        first, second = (rates, single) if falls.mean() > FALLING_SHARE else (single, rates)
        raise InputError(
            f"{path}: line {line} does not rise in cM, as {falls.sum()} of {len(falls)} lines; "
            f"most likely {first}; or {second}"
        )
    apart = (steps == 0) & (rises > 0)
    if apart.any():
        line = rows.line[int(np.argmax(apart)) + 1]
        raise InputError(
            f"{path}: line {line} gives the position before it another cM; remove one of the two"
        )


def _mean_rate(found: GeneticMap) -> float:
    """CM per Mb from end to end."""
    return float(np.ptp(found.centimorgan) / np.ptp(found.bp) / CENTIMORGAN_PER_BP)


def _judge_rate(found: GeneticMap) -> None:
    """Refuse a mean rate that no species has, by its likely cause; warn of an unusual one."""
    rate, length = _mean_rate(found), int(np.ptp(found.bp))
    if not np.ptp(found.centimorgan):
        raise InputError(
            f"{found.path}: cM is {found.centimorgan[0]:g} throughout; PLINK writes 0 where it "
            "does not know; use a genetic map, or none (map: null) for 1 cM per Mb"
        )
    shown = f"{found.path}: {rate:.3g} cM per Mb on average"
    if rate > POSSIBLE_RATES[1]:
        raise InputError(
            f"{shown}, more than any species has; most likely another column was taken for cM, or "
            "positions are in kb instead of bp; give cM and bp"
        )
    if rate < POSSIBLE_RATES[0] and length >= SHORT_BP:
        raise InputError(
            f"{shown}, less than any species has; most likely its positions are in Morgans (then "
            f"it would be {100 * rate:.3g}); give them in cM, which are 100 times as much"
        )
    if not USUAL_RATES[0] <= rate <= USUAL_RATES[1]:
        log.warning("%s is unusual; see that its columns are cM and bp", shown)


def _warn_of_jumps(path: Path, rows: MapRows) -> None:
    jumps = (np.diff(rows.centimorgan) > JUMP_CM) & (np.diff(rows.bp) < JUMP_BP)
    if jumps.any():
        log.warning(
            "%s: line %d and %d more are more than %g cM from the line before, within %d bp; fix "
            "them where they are not meant",
            path, rows.line[int(np.argmax(jumps)) + 1], jumps.sum() - 1, JUMP_CM, JUMP_BP,
        )  # fmt: skip
