"""Retrieves the nearest reference haplotypes of every (mask, window, person) of a draw."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from haplorag.errors import InputError
from haplorag.io.hdf5 import creating_arrays, opening_arrays, read_arrays
from haplorag.io.provenance import describe_provenance
from haplorag.panel.genotype_store import read_haplotypes
from haplorag.panel.haplotypes import ShardSet, open_shards
from haplorag.panel.masked_window import choose_typed_columns, mask_window
from haplorag.panel.ploidy import find_own_rows, repeat_haploid
from haplorag.panel.samples import find_samples, rank_reference_samples, read_samples
from haplorag.panel.windows import WindowSet, read_windows
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.logs import show_progress
from haplorag.retrieval.neighbours import choose_items, create_neighbours, group_items
from haplorag.retrieval.search import Ranking, search_neighbours
from haplorag.settings import Curriculum, NeighbourSettings

log = logging.getLogger(__name__)
# Mask, window and person of each item, int32 [n] each.
Items = tuple[np.ndarray, np.ndarray, np.ndarray]
# Neighbours of queries, given the reference, the core's columns, and the queries' owners.
Search = Callable[
    [np.ndarray, np.ndarray, tuple[int, int], np.ndarray], tuple[np.ndarray, np.ndarray]
]


@dataclass(frozen=True)
class MaskedPanel:
    """The reference of a chromosome under the masks of a draw: which sites each hides, bool
    [mask, site], and each person's rank among the reference people, int32 [person], or -1."""

    windows: WindowSet
    shards: ShardSet
    hidden: np.ndarray
    owner: np.ndarray


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
    people: int | None = None,
    threads: int = 1,
    gpus: int = 0,
) -> None:
    """Write mask, window and person int32 [n] of every item, and ids and distances int32 [n, 2, K]
    of its neighbours.

    An epoch (told by `curriculum`) takes one mask and some training people a window; test takes all
    masks, windows and people of the role; where `people` says how many are judged, as in
    validation, the first of them, and no more windows than an epoch trains on, evenly spread.
    Reference people never retrieve their own haplotypes. With `gpus` haplotypes are compared on a
    GPU, where there is one, to the same end.
    Raises InputError where the files come from two runs, or nobody has the role.
    """
    panel = ("samples", samples), ("genotypes", genotypes), ("windows", windows), ("shards", shards)
    sources = describe_provenance(*panel, ("masks", masks))
    table = read_samples(samples)
    window_set = read_windows(windows)
    hidden = read_arrays(masks, "masks", "hidden")["hidden"]
    view = MaskedPanel(window_set, open_shards(shards), hidden, rank_reference_samples(table))
    if curriculum:
        trained = find_samples(table, "training")
        names = "items", draw, chromosome
        items = choose_items(curriculum, trained, len(window_set), settings, seed, *names)
    else:
        judged = find_samples(table, draw)
        if not len(judged):
            raise InputError(
                f"{samples}: nobody has the role {draw}, and without nothing is trained or judged; "
                f"raise samples.{draw}, or run: snakemake impute"
            )
        chosen = np.arange(len(window_set))
        if people is not None:
            judged = judged[:people]
            places = np.linspace(0, len(chosen) - 1, min(settings.windows, len(chosen)))
            chosen = chosen[places.round().astype(int)]
        items = _list_all(judged, chosen, len(hidden))
    search = partial(search_neighbours, settings=settings, threads=threads, rank=_choose_rank(gpus))
    started = time.perf_counter()
    creating = creating_arrays(output, "neighbours", draw=draw, sources=sources)
    with creating as file, opening_arrays(genotypes, "genotypes") as stored:
        create_neighbours(file, *items, settings.count)
        _search_all(file, stored, view, items, settings, search)
    count = len(items[0])
    pace = 2 * count * settings.count / max(time.perf_counter() - started, 1e-9)
    log.info("%d items, %d neighbours each way, %.0f neighbours/s", count, settings.count, pace)


def _choose_rank(gpus: int) -> Ranking | None:
    """What compares haplotypes: a GPU where there is one, else None, which is FAISS."""
    if not gpus:
        return None
    # Loading torch takes seconds.
    from haplorag.gpu.search import rank_on
    from haplorag.network.device import choose_device

    device = choose_device(gpus)
    return None if device.type == "cpu" else rank_on(device)


def _search_all(
    file: h5py.File,
    genotypes: h5py.File,
    view: MaskedPanel,
    items: Items,
    settings: NeighbourSettings,
    search: Search,
) -> None:
    """Fill the file with the neighbours of all items, mask by mask and window by window."""
    mask, window, person = items
    for rows in show_progress(group_items(mask, window), "windows"):
        place = int(mask[rows[0]]), int(window[rows[0]])
        ids, distances = _search_window(genotypes, view, place, person[rows], settings, search)
        written = slice(rows[0], rows[-1] + 1)
        file["ids"][written] = ids.reshape(len(rows), 2, -1)
        file["distances"][written] = distances.reshape(len(rows), 2, -1)


def _search_window(
    genotypes: h5py.File,
    view: MaskedPanel,
    place: tuple[int, int],
    person: np.ndarray,
    settings: NeighbourSettings,
    search: Search,
) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of people int32 [n] under the mask and in the window of a place.

    Gives ids and distances int32 [2n, K].
    """
    mask, window = place
    masked = mask_window(view.windows, view.shards, window, view.hidden[mask])
    reach = settings.reach_typed
    columns, core_columns = choose_typed_columns(masked.hidden, masked.core, reach)
    typed = masked.sites[columns]
    queries = repeat_haploid(read_haplotypes(genotypes, typed, person))
    reference = masked.read_reference(columns)
    own = find_own_rows(masked.rows, np.repeat(view.owner[person], 2))
    return search(queries, reference, core_columns, own)


def _list_all(people: np.ndarray, windows: np.ndarray, masks: int) -> Items:
    """Mask, window and person int32 of every combination, sorted so."""
    grid = np.meshgrid(np.arange(masks), windows, people, indexing="ij")
    mask, window, person = (axis.ravel().astype(np.int32) for axis in grid)
    return mask, window, person


if __name__ == "__main__":
    run_step(neighbours)
