"""Where the model over the panel is followed: on the processor's cores, or on what else can."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from haplorag.li_stephens.estimation import Events, expect_events
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.mixture import SiteFacts, Traced, describe_sites
from haplorag.li_stephens.model import trace_queries
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import cut_segments
from haplorag.li_stephens.site_groups import SiteGroups
from haplorag.panel.haplotypes import ShardSet
from haplorag.panel.masked_window import MaskedWindow, choose_typed_columns


class Trace(Protocol):
    """What runs haplotypes through a panel that is ready, as `model.trace_queries`."""

    def __call__(
        self, queries: Queries, evident: int = -1, ids: np.ndarray | None = None
    ) -> Iterator[tuple[slice, Traced]]:
        """Gives some haplotypes at a time, and what they are told until the next are asked for."""


class OpenedPanel(NamedTuple):
    """A panel that is ready: groups of its core sites, what a mixture is told of these, and what
    runs haplotypes through it."""

    groups: SiteGroups
    sites: SiteFacts
    trace: Trace


class TracedWindow(NamedTuple):
    """Probability of ALT float32 [Q, L] at core sites, and of copying each haplotype of interest,
    float32 [Q, P, K], at each group of core sites; both are means over the settings."""

    alternate: np.ndarray
    posterior: np.ndarray
    groups: SiteGroups


class Passes(Protocol):
    """What follows haplotypes through the panel."""

    @property
    def threads(self) -> int:
        """The processor's cores that may be used."""

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

        def trace(
            queries: Queries, evident: int = -1, ids: np.ndarray | None = None
        ) -> Iterator[tuple[slice, Traced]]:
            return trace_queries(queries, panel, model, self.threads, evident, ids)

        return OpenedPanel(panel.groups, describe_sites(panel, model), trace)

    def expect_events(
        self, queries: Queries, shards: ShardSet, typed: np.ndarray, model: CopyingModel
    ) -> Events:
        """See `Passes`."""
        panel = cut_segments(shards, typed, typed[:0], model.distance)
        return expect_events(queries, panel, model, self.threads)


def trace_window(
    passes: Passes,
    model: CopyingModel,
    window: MaskedWindow,
    haplotypes: np.ndarray,
    ids: np.ndarray,
    owner: np.ndarray,
    panel_typed: int,
) -> TracedWindow:
    """Run haplotypes int8 [Q, S] through the panel over a window's core and the nearest
    `panel_typed` typed sites a side.

    `ids` int [Q, K] are haplotypes of interest (-1 for none), `owner` int [Q] as in `Queries`.
    """
    columns, _ = choose_typed_columns(window.hidden, window.core, panel_typed)
    typed, core = window.sites[columns], window.core_sites
    panel = passes.open_panel(window.shards, typed, core, slice(0, len(core)), model)
    told = [
        (traced.alternate.mean(axis=1), traced.posterior.mean(axis=1))
        for _, traced in panel.trace(Queries(haplotypes[:, columns], owner), ids=ids)
    ]
    alternate, posterior = (np.concatenate(parts) for parts in zip(*told, strict=True))
    return TracedWindow(alternate, posterior, panel.groups)
