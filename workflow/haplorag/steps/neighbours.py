"""Retrieves the nearest reference haplotypes of every (mask, window, person) of a draw."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np

from haplorag.io.hdf5 import creating_arrays, opening_arrays, read_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.haplotypes import open_shards
from haplorag.panel.masked_window import choose_typed_columns
from haplorag.panel.samples import find_samples, rank_reference_samples, read_samples
from haplorag.panel.windows import read_windows
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.logs import show_progress
from haplorag.retrieval.neighbours import choose_items, create_neighbours, group_items
from haplorag.retrieval.search import search_neighbours
from haplorag.settings import Curriculum, NeighbourSettings

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
    settings: NeighbourSettings,
    seed: int,
    curriculum: Curriculum | None = None,
    threads: int = 1,
) -> None:
    """Write mask, window and person int32 [n] of every item, and ids and distances int32 [n, 2, K] of its neighbours.

    An epoch (told by `curriculum`) takes one mask and some training people a window; validation and test take all masks and
    everyone of the role. Reference people never retrieve their own haplotypes.
    """
    panel = ("samples", samples), ("genotypes", genotypes), ("windows", windows), ("shards", shards)
    sources = describe_provenance(*panel, ("masks", masks))
    people = read_samples(samples)
    cut, packed = read_windows(windows), open_shards(shards)
    hidden = read_arrays(masks, "masks", "hidden")["hidden"]
    if curriculum:
        mask, window, person = choose_items(
            curriculum,
            find_samples(people, "training"),
            len(cut),
            settings,
            seed,
            "items",
            draw,
            chromosome,
        )
    else:
        mask, window, person = _list_all(find_samples(people, draw), len(cut), len(hidden))
    owner = rank_reference_samples(people)[person]
    started = time.perf_counter()
    creating = creating_arrays(output, "neighbours", draw=draw, sources=sources)
    with creating as file, opening_arrays(genotypes, "genotypes") as stored:
        create_neighbours(file, mask, window, person, settings.count)
        for items in show_progress(group_items(mask, window), "windows"):
            row, number = mask[items[0]], window[items[0]]
            sites = cut.context(number)
            columns, core = choose_typed_columns(
                hidden[row][sites], cut.core_columns(number), settings.reach_typed
            )
            found = search_neighbours(
                read_haplotypes(stored, sites[columns], person[items]),
                packed.haplotypes(sites[columns]),
                core,
                np.repeat(owner[items], 2),
                settings,
                threads,
            )
            for name, values in zip(("ids", "distances"), found, strict=True):
                file[name][items[0] : items[-1] + 1] = values.reshape(len(items), 2, -1)
    rate = 2 * len(person) * settings.count / max(time.perf_counter() - started, 1e-9)
    log.info(
        "%d items, %d neighbours each way, %.0f neighbours/s", len(person), settings.count, rate
    )


def _list_all(
    people: np.ndarray, windows: int, masks: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask, window and person int32 of every combination, sorted so."""
    grid = np.meshgrid(np.arange(masks), np.arange(windows), people, indexing="ij")
    mask, window, person = (axis.ravel().astype(np.int32) for axis in grid)
    return mask, window, person


if __name__ == "__main__":
    run_step(neighbours)
