"""Where the model over the panel is followed: on the processor's cores, or on what else can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from haplorag.li_stephens.estimation import Events, expect_events
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.mixture import SiteFacts, Traced, describe_sites
from haplorag.li_stephens.model import trace_queries
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import cut_segments
from haplorag.panel.haplotypes import ShardSet


class OpenedPanel(NamedTuple):
    """A panel that is ready: what a mixture is told of its core sites, and what runs haplotypes
    through it, given the setting of which there is evidence, as `model.trace_queries`."""

    sites: SiteFacts
    trace: Callable[[Queries, int], Iterator[tuple[slice, Traced]]]


class Passes(Protocol):
    """What follows haplotypes through the panel."""

    @property
    def people_together(self) -> int:
        """How many times as many people are best followed together as on the processor's cores."""

    def open_panel(
        self,
        shards: ShardSet,
        typed: np.ndarray,
        core: np.ndarray,
        asked: slice,
        model: CopyingModel,
    ) -> OpenedPanel:
        """Make the panel ready at sorted typed and core sites; told of are those core sites that
        are asked for. No group of core sites may be asked for in part."""

    def expect_events(
        self, queries: Queries, shards: ShardSet, typed: np.ndarray, model: CopyingModel
    ) -> Events:
        """As `li_stephens.estimation.expect_events`, at sorted typed sites."""


@dataclass(frozen=True)
class CorePasses:
    """The passes on so many of the processor's cores."""

    threads: int
    people_together: int = 1

    def open_panel(
        self,
        shards: ShardSet,
        typed: np.ndarray,
        core: np.ndarray,
        asked: slice,
        model: CopyingModel,
    ) -> OpenedPanel:
        """See `Passes`."""
        panel = cut_segments(shards, typed, core, model.distance).narrow(asked)

        def trace(queries: Queries, evident: int) -> Iterator[tuple[slice, Traced]]:
            return trace_queries(queries, panel, model, self.threads, evident)

        return OpenedPanel(describe_sites(panel, model), trace)

    def expect_events(
        self, queries: Queries, shards: ShardSet, typed: np.ndarray, model: CopyingModel
    ) -> Events:
        """See `Passes`."""
        panel = cut_segments(shards, typed, typed[:0], model.distance)
        return expect_events(queries, panel, model, self.threads)
