"""The passes over the panel on a GPU, as who follows haplotypes asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from haplorag.gpu.copying import expect_events, trace_queries
from haplorag.gpu.panel_bits import PanelBits, read_panel_bits
from haplorag.li_stephens.estimation import Events
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.mixture import Traced, describe_sites
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.passes import OpenedPanel
from haplorag.network.device import telling_what_to_lower
from haplorag.panel.haplotypes import ShardSet
from haplorag.prefetch import prefetching


@dataclass(frozen=True)
class GpuPasses:
    """The passes on a GPU: see `li_stephens.passes.Passes`.

    Where the device is the CPU, kernels are interpreted, which is for tests.

    A card follows a thousand haplotypes in the time of one; the memory that they take on it is
    kept to what is free. Where it ends all the same, who asked is told to lower `setting`, which
    says that so many `people` go at a time.
    """

    device: torch.device
    threads: int
    setting: str
    people: int
    people_together: int = 16

    def open_panel(
        self,
        shards: ShardSet,
        typed: np.ndarray,
        core: np.ndarray,
        asked: slice,
        model: CopyingModel,
    ) -> OpenedPanel:
        """See `Passes`. The next haplotypes are followed while who asked has those before."""
        panel = read_panel_bits(shards, typed, core[asked], model.distance)

        def trace(
            queries: Queries, evident: int = -1, ids: np.ndarray | None = None
        ) -> Iterator[tuple[slice, Traced]]:
            with prefetching(self._trace(queries, panel, model, evident, ids), ahead=1) as ready:
                yield from ready

        return OpenedPanel(panel.groups, describe_sites(panel, model), trace)

    def _trace(
        self,
        queries: Queries,
        panel: PanelBits,
        model: CopyingModel,
        evident: int,
        ids: np.ndarray | None,
    ) -> Iterator[tuple[slice, Traced]]:
        with telling_what_to_lower(self.setting, self.people), self._apart():
            yield from trace_queries(queries, panel, model, self.device, evident, ids)

    def _apart(self) -> AbstractContextManager:
        """In a stream of its own: a network's step does not wait for the passes of the batch after
        it. What is told comes back to the host before it is given on."""
        if self.device.type == "cpu":
            return nullcontext()
        return torch.cuda.stream(self._stream)

    @cached_property
    def _stream(self) -> torch.cuda.Stream:
        return torch.cuda.Stream(self.device)

    def expect_events(
        self, queries: Queries, shards: ShardSet, typed: np.ndarray, model: CopyingModel
    ) -> Events:
        """See `Passes`."""
        panel = read_panel_bits(shards, typed, typed, model.distance)
        people = len(queries.alleles) // 2
        with telling_what_to_lower("li_stephens.estimation_people", people):
            return expect_events(queries, panel, model, self.device)
