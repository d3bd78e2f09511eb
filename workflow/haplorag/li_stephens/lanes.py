"""Deals haplotypes under settings out to lanes, and follows these from segment to segment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from haplorag.alleles import ABSENT
from haplorag.li_stephens.forward_backward import pass_back
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import Chances, PanelSegments, Segment
from haplorag.li_stephens.states import Lanes, LaneStates, Scratch, copy_states, start_states
from haplorag.li_stephens.vectors import LANES
from haplorag.panel.ploidy import find_own_rows


class Queries(NamedTuple):
    """Haplotypes that are followed: typed alleles int8 [Q, T], -1 where missing and ABSENT in
    stretches where a sample has no such haplotype, and the rank int [Q] of each one's sample among
    the reference samples, -1 for nobody; whose own are never copied.
    """

    alleles: np.ndarray
    owner: np.ndarray


@dataclass(frozen=True)
class Chunk:
    """So many haplotypes under a setting as there are lanes, of which the first `size` count.

    `query` and `setting` int64 [lane] number them; `chances` has those of every setting and
    segment. `evident` says whether evidence is wanted.
    """

    queries: Queries
    panel: PanelSegments
    chances: list[list[Chances]]
    query: np.ndarray
    setting: np.ndarray
    size: int
    scratch: Scratch
    evident: bool

    def follow(self) -> Iterator[tuple[Segment, Lanes, LaneStates, LaneStates]]:
        """Segments from left to right, with their lanes and the states on either side.

        What takes a segment takes the first states to its right end. The states from behind are
        found by a pass back along the chromosome, which keeps those at the segments' ends.
        """
        segments = self.panel.segments
        lanes = [self._make_lanes(number) for number in range(len(segments))]
        behind = start_states(segments[-1].haplotypes)
        ends = [behind]
        for number in range(len(segments) - 1, 0, -1):
            if segments[number].opens:
                behind = start_states(segments[number - 1].haplotypes)
            else:
                behind = copy_states(behind)
                pass_back(lanes[number], segments[number].blocks, behind, self.scratch)
            ends.append(behind)
        for segment, here, end in zip(segments, lanes, reversed(ends), strict=True):
            if segment.opens:
                ahead = start_states(segment.haplotypes)
            yield segment, here, ahead, end

    def _make_lanes(self, number: int) -> Lanes:
        """The lanes along one segment."""
        segment = self.panel.segments[number]
        own = find_own_rows(segment.rows, self.queries.owner[self.query])
        pieces, others = _cut_pieces(own, segment.haplotypes)
        alleles = self.queries.alleles[self.query, segment.typed].T
        counts = (np.arange(LANES) < self.size) & (alleles != ABSENT).all(axis=0)
        chances = [self.chances[setting][number] for setting in self.setting]
        mismatch = np.stack([chance.mismatch for chance in chances], axis=1)
        match = 1 - mismatch
        share = 1 / (segment.haplotypes - (own[:, 1] - own[:, 0]))
        return Lanes(
            np.ascontiguousarray(alleles),
            own,
            pieces,
            others,
            share[None].astype(np.float32),
            counts.astype(np.float32),
            self.evident,
            segment.opens,
            segment.closes,
            np.stack([chance.switch for chance in chances], axis=1),
            np.stack([chance.from_left for chance in chances], axis=1),
            np.stack([chance.from_right for chance in chances], axis=1),
            np.select([alleles == 0, alleles == 1], [match, mismatch], np.float32(1)),
            np.select(
                [alleles == 0, alleles == 1], [mismatch - match, match - mismatch], np.float32(0)
            ),
        )


def _cut_pieces(own: np.ndarray, haplotypes: int) -> tuple[np.ndarray, np.ndarray]:
    """`Lanes.pieces` and `Lanes.others` of the lanes' own rows int64 [lane, 2]."""
    pieces = np.unique(np.append(own, [0, haplotypes]))
    is_own = (own[:, 0] <= pieces[:-1, None]) & (pieces[:-1, None] < own[:, 1])
    return pieces, (~is_own).astype(np.float32)


def follow_chunks(
    run: Callable[[Chunk], None],
    queries: Queries,
    panel: PanelSegments,
    model: CopyingModel,
    threads: int,
    evident: bool = False,
) -> None:
    """Call `run` with chunks that hold every query under every setting, in threads of our own.

    Settings of one query lie in neighbouring lanes. What a lane gives does not depend on the
    others.
    """
    chances = panel.compute_chances(model)
    settings = len(model.settings)
    pairs = len(queries.alleles) * settings
    starts = np.arange(0, pairs, LANES)

    def work(part: np.ndarray) -> None:
        scratch = panel.allocate()
        for start in part:
            pair = np.minimum(start + np.arange(LANES), pairs - 1)
            query, setting = np.divmod(pair, settings)
            size = min(LANES, pairs - start)
            run(Chunk(queries, panel, chances, query, setting, size, scratch, evident))

    # Of numba's own threads the last bits would depend, see `numba_jit.jit`.
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, np.array_split(starts, threads)))
