"""Li and Stephens' model over the whole panel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from haplorag.li_stephens.forward_backward import read_segment
from haplorag.li_stephens.lanes import Chunk, Queries, follow_chunks
from haplorag.li_stephens.mixture import (
    Mixture,
    SiteFacts,
    Traced,
    describe_sites,
    mix_settings,
)
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import PanelSegments
from haplorag.li_stephens.states import allocate_read_out

# Probabilities that `impute_sites` has in memory at a time, under all settings of the model.
MOST_PROBABILITIES = 2**26


def impute_sites(
    queries: Queries,
    panel: PanelSegments,
    model: CopyingModel,
    threads: int,
    mixture: Mixture | None = None,
) -> np.ndarray:
    """Probability of ALT float32 [Q, L] at the panel's core sites: the mean over the settings, or
    what a mixture of them makes of it.

    So many queries go at a time that what they are told takes no more than some 256 MB.
    """
    evident = -1 if mixture is None else mixture.evident
    traced = trace_queries(queries, panel, model, threads, evident)
    sites = describe_sites(panel, model)
    return answer(traced, sites, len(queries.alleles), mixture, threads)


def answer(
    traced: Iterable[tuple[slice, Traced]],
    sites: SiteFacts,
    haplotypes: int,
    mixture: Mixture | None,
    threads: int,
) -> np.ndarray:
    """What so many haplotypes, some at a time, are told, as one answer float32 [Q, L]: the mean
    over the settings, or what a mixture makes of it in so many threads."""
    found = np.empty((haplotypes, len(sites.group)), dtype=np.float32)

    def mix(told: Traced) -> np.ndarray:
        if mixture is None:
            return told.alternate.mean(axis=1)
        return mix_settings(mixture, told, sites)

    with ThreadPoolExecutor(threads) as pool:
        for some, told in traced:
            rows = np.array_split(np.arange(some.start, some.stop), threads)
            parts = zip(*(np.array_split(each, threads) for each in told), strict=True)
            for part, answered in zip(rows, pool.map(mix, map(Traced._make, parts)), strict=True):
                found[part] = answered
    return found


def trace_queries(
    queries: Queries,
    panel: PanelSegments,
    model: CopyingModel,
    threads: int,
    evident: int = -1,
    ids: np.ndarray | None = None,
) -> Iterator[tuple[slice, Traced]]:
    """Run haplotypes through the panel, as many at a time as memory allows; gives which, and what
    they are told, in memory that the next ones are told in too. `evident` and `ids` are as in
    `run_forward_backward`; haplotypes of a sample go together."""
    room: Traced | None = None
    for some in split_queries(queries, len(panel.core), len(model.settings), evident):
        part = Queries(queries.alleles[some], queries.owner[some])
        wanted = None if ids is None else ids[some]
        # The first are the most. Clean memory costs the system as much as a tenth of a pass.
        place = None if room is None else Traced(*(each[: len(part.owner)] for each in room))
        told = run_forward_backward(part, panel, model, threads, wanted, evident, place)
        room = room or told
        yield some, told


def split_queries(queries: Queries, core: int, settings: int, evident: int) -> Iterator[slice]:
    """Which queries go together, by how much they are told of so many core sites; those of a sample
    are not parted."""
    each = core * (settings + 3 * (evident >= 0))
    step = max(2, MOST_PROBABILITIES // max(1, each) // 2 * 2)
    for start in range(0, len(queries.alleles), step):
        yield slice(start, min(start + step, len(queries.alleles)))


def run_forward_backward(
    queries: Queries,
    panel: PanelSegments,
    model: CopyingModel,
    threads: int = 1,
    ids: np.ndarray | None = None,
    evident: int = -1,
    room: Traced | None = None,
) -> Traced:
    """Run haplotypes through the whole panel, forward and backward over its typed sites.

    `ids` int [Q, K] (-1 for none) are haplotypes of interest, `evident` is the setting of which
    there is evidence (-1 for none), `room` is where to put what they are told. After Li and
    Stephens 2003 (doi:10.1093/genetics/165.4.2213).
    """
    haplotypes = len(queries.alleles)
    ids = np.empty((haplotypes, 0)) if ids is None else ids
    traced = room or allocate_traced(haplotypes, model, panel, ids.shape[1], evident)

    def read(chunk: Chunk) -> None:
        wanted = np.ascontiguousarray(ids[chunk.query], dtype=np.int64)
        rows = chunk.query[: chunk.size], chunk.setting[: chunk.size]
        told_of = np.flatnonzero(rows[1] == evident)
        for segment, lanes, ahead, behind in chunk.follow():
            groups = segment.groups
            told = allocate_read_out(int(groups.first[-1]), len(groups.before), ids.shape[1])
            read_segment(lanes, segment.blocks, groups, ahead, behind, chunk.scratch, wanted, told)
            first = int(groups.first[0])
            traced.alternate[(*rows, segment.core)] = told.alternate[first:, : chunk.size].T
            traced.posterior[(*rows, segment.places)] = told.posterior[: chunk.size]
            if len(told_of):
                some = rows[0][told_of]
                traced.ahead[some, segment.core] = told.ahead[first:, told_of].T
                traced.behind[some, segment.core] = told.behind[first:, told_of].T
                traced.agreement[some, segment.places] = told.agreement[:, told_of].T

    follow_chunks(read, queries, panel, model, threads, evident >= 0)
    return traced


def allocate_traced(
    haplotypes: int, model: CopyingModel, panel: PanelSegments, interest: int, evident: int
) -> Traced:
    """Room for what so many haplotypes are told."""

    def make(*shape: int) -> np.ndarray:
        return np.empty((haplotypes, *shape), dtype=np.float32)

    settings, places, core = len(model.settings), len(panel.groups.before), len(panel.core)
    told = evident >= 0
    return Traced(
        make(settings, core), make(settings, places, interest),
        make(told * core), make(told * core), make(told * places),
    )  # fmt: skip
