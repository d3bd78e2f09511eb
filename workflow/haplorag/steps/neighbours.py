"""Retrieves the nearest reference haplotypes of every (mask, window, person) of a draw."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np

from haplorag import command, store
from haplorag.masking import choose_items, choose_typed
from haplorag.people import find_people, rank_reference, read_samples
from haplorag.retrieval import search_neighbours
from haplorag.settings import Curriculum, Neighbours
from haplorag.windowing import open_shards, read_windows

log = logging.getLogger(__name__)


def neighbours(
    genotypes: Path,
    samples: Path,
    windows: Path,
    masks: Path,
    shards: Path,
    output: Path,
    *,
    draw: str,
    chromosome: str,
    settings: Neighbours,
    seed: int,
    curriculum: Curriculum | None = None,
    threads: int = 1,
) -> None:
    """Write mask, window and person int32 [n] of every item, and ids and distances int32 [n, 2, K] of its neighbours.

    An epoch (told by `curriculum`) takes one mask and some training people a window; validation and test take all masks and
    everyone of the role. Reference people never retrieve their own haplotypes.
    """
    people = read_samples(samples)
    cut, packed = read_windows(windows), open_shards(shards)
    hidden = store.read_arrays(masks, "masks", "hidden")["hidden"]
    if curriculum:
        mask, window, person = choose_items(
            curriculum, find_people(people, "training"), len(cut), settings, seed, "items", draw, chromosome
        )
    else:
        mask, window, person = _list_all(find_people(people, draw), len(cut), len(hidden))
    owner = rank_reference(people)[person]
    ids = np.full((len(person), 2, settings.count), -1, dtype=np.int32)
    distances = ids.copy()
    started = time.perf_counter()
    with store.opening_arrays(genotypes, "genotypes") as file:
        for number in command.show_progress(np.unique(window), "windows"):
            sites = cut.context(number)
            for row in np.unique(mask[window == number]):
                items = np.flatnonzero((window == number) & (mask == row))
                columns, core = choose_typed(hidden[row][sites], cut.core_columns(number), settings.reach_typed)
                found = search_neighbours(
                    store.read_calls(file, sites[columns], person[items]),
                    packed.haplotypes(sites[columns]),
                    core,
                    np.repeat(owner[items], 2),
                    settings,
                    threads,
                )
                ids[items], distances[items] = (part.reshape(len(items), 2, -1) for part in found)
    store.write_arrays(
        output,
        "neighbours",
        {"mask": mask, "window": window, "person": person, "ids": ids, "distances": distances},
        draw=draw,
    )
    rate = ids.size / max(time.perf_counter() - started, 1e-9)
    log.info("%d items, %d neighbours each way, %.0f neighbours/s", len(person), settings.count, rate)


def _list_all(people: np.ndarray, windows: int, masks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask, window and person int32 of every combination, sorted so."""
    grid = np.meshgrid(np.arange(masks), np.arange(windows), people, indexing="ij")
    mask, window, person = (axis.ravel().astype(np.int32) for axis in grid)
    return mask, window, person


if __name__ == "__main__":
    command.run(neighbours)
