"""Where the model over the panel is followed: on the processor's cores, or on what else can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from haplorag.li_stephens.estimation import Events, expect_events
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.mixture import Mixture
from haplorag.li_stephens.model import impute_sites
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import cut_segments
from haplorag.panel.haplotypes import ShardSet


class Passes(Protocol):
    """What follows haplotypes through the panel."""

    @property
    def threads(self) -> int:
        """The processor's cores that may be used."""

    @property
    def mixes(self) -> bool:
        """Whether a mixture can be asked."""

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
        mixture: Mixture | None,
    ) -> Callable[[Queries], np.ndarray]:
        """Make the panel ready at sorted typed and core sites; gives what imputes haplotypes at
        those core sites that are asked for, as `li_stephens.model.impute_sites`. No group of core
        sites may be asked for in part."""

    def expect_events(
        self, queries: Queries, shards: ShardSet, typed: np.ndarray, model: CopyingModel
    ) -> Events:
        """As `li_stephens.estimation.expect_events`, at sorted typed sites."""


@dataclass(frozen=True)
class CorePasses:
    """The passes on so many of the processor's cores."""

    threads: int
    people_together: int = 1
    mixes: bool = True

    def open_panel(
        self,
        shards: ShardSet,
        typed: np.ndarray,
        core: np.ndarray,
        asked: slice,
        model: CopyingModel,
        mixture: Mixture | None,
    ) -> Callable[[Queries], np.ndarray]:
        """See `Passes`."""
        segments = cut_segments(shards, typed, core, model.distance).narrow(asked)
        return lambda queries: impute_sites(queries, segments, model, self.threads, mixture)

    def expect_events(
        self, queries: Queries, shards: ShardSet, typed: np.ndarray, model: CopyingModel
    ) -> Events:
        """See `Passes`."""
        panel = cut_segments(shards, typed, typed[:0], model.distance)
        return expect_events(queries, panel, model, self.threads)
