"""Finds what is wrong with the files a configuration names, quickly, without reading them whole."""

from __future__ import annotations

import logging
import os
import shlex
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from haplorag.errors import InputError
from haplorag.panel.genetic_map import read_map
from haplorag.panel.samples import read_panel_file, read_roles, read_sexes
from haplorag.settings import Settings
from haplorag.vcf.chromosomes import match_chromosome, refuse_unpaired
from haplorag.vcf.index import count_indexed
from haplorag.vcf.reader import name_chromosomes, read_records, read_vcf_header

log = logging.getLogger(__name__)
# Seconds by which the clocks of two machines may differ.
CLOCK_SKEW = 60


def find_problems(settings: Settings) -> list[str]:
    """Everything wrong with the files a configuration names, a line each; empty where all is well.

    Files that the pipeline itself makes (under `results`) are not looked at.
    """
    found = (_try(check) for check in _list_checks(settings))
    # A file for all chromosomes may be wrong in the same way for each.
    return list(dict.fromkeys(problem for problem in found if problem))


def _list_checks(settings: Settings) -> Iterator[Callable[[], object]]:
    yield partial(_check_results, Path(settings.results))
    for chromosome in settings.chromosomes:
        yield partial(refuse_unpaired, chromosome)
        yield from _list_chromosome(settings, chromosome)
    yield from _list_people(settings)
    for name, target in settings.imputation.targets.items():
        path = settings.fill(target)
        yield partial(_check_output, name, path, settings)
        if not is_made_here(path, settings):
            yield partial(_check_target, name, Path(path))


def _list_chromosome(settings: Settings, chromosome: str) -> Iterator[Callable[[], object]]:
    """What is asked of the files of a chromosome."""
    vcf = settings.fill(settings.panel.vcf, chromosome=chromosome)
    if not is_made_here(vcf, settings):
        yield partial(_check_vcf, Path(vcf), chromosome)
        if chromosome == settings.chromosomes[0] and "{chromosome}" not in settings.panel.vcf:
            yield partial(_warn_of_others, Path(vcf), settings.chromosomes)
    if settings.panel.map:
        path = Path(settings.fill(settings.panel.map, chromosome=chromosome))
        yield partial(_check_map, path, chromosome)
    for key, pattern in _list_plain_files(settings):
        path = Path(settings.fill(pattern, chromosome=chromosome))
        if chromosome == settings.chromosomes[0] or "{chromosome}" in pattern:
            yield partial(_check_file, key, path)


def _list_people(settings: Settings) -> Iterator[Callable[[], object]]:
    people = settings.fill(settings.panel.people or "")
    if people and not is_made_here(people, settings):
        yield partial(_check_table, "panel.people", Path(people), read_panel_file)
    if settings.samples.roles:
        roles = settings.fill(settings.samples.roles)
        yield partial(_check_table, "samples.roles", Path(roles), read_roles)
    if settings.imputation.people:
        targets = settings.fill(settings.imputation.people)
        yield partial(_check_table, "imputation.people", Path(targets), read_sexes)


def _list_plain_files(settings: Settings) -> Iterator[tuple[str, str]]:
    for name, path in settings.imputation.truth.items():
        if not is_made_here(settings.fill(path), settings):
            yield f"imputation.truth.{name}", path
    for draw in ("validation", "test"):
        for name, mask in getattr(settings.masks, draw).items():
            if mask.file:
                yield f"masks.{draw}.{name}.file", mask.file


def _try(check: Callable[[], object]) -> str | None:
    try:
        check()
    except InputError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename}: {error.strerror}; fix the path or its permissions"
    return None


def is_made_here(path: str, settings: Settings) -> bool:
    """Whether a path lies under `results`."""
    return Path(os.path.normpath(path)).is_relative_to(os.path.normpath(settings.results))


def _check_results(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; set `results` to another name")
    nearest = next(
        place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()
    )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(
            f"{nearest}: is read-only; run chmod u+w, or set `results` to another name"
        )
    there = folder.resolve()
    if folder.is_symlink():
        log.warning(
            "%s: is a link; everything is written to %s; remove it if this is not meant",
            folder,
            there,
        )
    if ".." in folder.parts:
        log.warning(
            "%s: leads out of this folder; everything is written to %s; set `results` if this is "
            "not meant",
            folder,
            there,
        )
    for link in folder.glob("*"):
        if link.is_symlink():
            log.warning(
                "%s: is a link; what belongs there is written to %s; remove it if this is not "
                "meant",
                link,
                link.resolve(),
            )


def _check_file(key: str, path: Path) -> None:
    if not path.exists():
        raise InputError(f"{path}: no such file; fix {key}")
    if not path.is_file():
        raise InputError(f"{path}: a folder, a pipe or a device, not a file; fix {key}")
    # Snakemake would throw away what was made of it, and say so only afterwards.
    if (ahead := path.stat().st_mtime - time.time()) > CLOCK_SKEW:
        remedy = f"set the clock right, or run: touch {shlex.quote(str(path))}"
        raise InputError(
            f"{path}: its time of change lies {ahead:.0f} seconds in the future; {remedy}"
        )


def _check_table(key: str, path: Path, read: Callable[[Path], object]) -> None:
    _check_file(key, path)
    read(path)


def _check_map(path: Path, chromosome: str) -> None:
    _check_file("panel.map", path)
    read_map(path, chromosome, partial(match_chromosome, chromosome))


def _check_vcf(path: Path, chromosome: str) -> None:
    _check_file("panel.vcf", path)
    header = read_vcf_header(path)
    names = name_chromosomes(path, header)
    if names and match_chromosome(chromosome, names) is None:
        first = next(read_records(path, header), None)
        begins = f" (its first record is {first.chromosome}:{first.position})" if first else ""
        raise InputError(
            f"{path}: has no chromosome {chromosome}, only {', '.join(names[:5])}{begins}; fix "
            "`chromosomes` or panel.vcf"
        )


def _warn_of_others(path: Path, chromosomes: list[str]) -> None:
    """Warn of chromosomes in a file of several that the configuration does not name, as far as its
    index tells.
    """
    indexed = count_indexed(path, read_vcf_header(path)) or {}
    counted = [name for name, records in indexed.items() if records]
    others = [name for name in counted if match_chromosome(name, chromosomes) is None]
    if others:
        first = others[0]
        log.warning(
            "%s: %d chromosomes are left out, %s the first; set `chromosomes` to use them",
            path,
            len(others),
            first,
        )


def _check_output(name: str, target: str, settings: Settings) -> None:
    output = Path(settings.results, f"imputation/{name}.{settings.imputation.output}")
    if os.path.realpath(target) == os.path.realpath(output):
        raise InputError(
            f"{target}: is where its own imputed genotypes would be written; call it otherwise in "
            "imputation.targets, or move the file"
        )


def _check_target(name: str, path: Path) -> None:
    # All but its imputation can be made without it.
    if not path.exists():
        log.warning(
            "%s: no such file yet; the panel is prepared, and nothing imputed before it is there; "
            "if it is not to come, fix imputation.targets.%s", path, name,
        )  # fmt: skip
        return
    _check_file(f"imputation.targets.{name}", path)
    read_vcf_header(path)
