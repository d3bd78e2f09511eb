"""The passes over the panel on a GPU, as who follows haplotypes asks for them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from haplorag.gpu.copying import expect_events, impute_sites
from haplorag.gpu.panel_bits import read_panel_bits
from haplorag.li_stephens.estimation import Events
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.mixture import Mixture
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.passes import CorePasses
from haplorag.network.device import telling_what_to_lower
from haplorag.panel.haplotypes import ShardSet

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GpuPasses:
    """The passes on a GPU: see `li_stephens.passes.Passes`.

    Where the device is the CPU, kernels are interpreted, which is for tests.

    A card follows a thousand haplotypes in the time of one; the memory that they take on it is
    kept to what is free. The kernels tell what the settings answer and nothing more, so that no
    mixture can be asked. A panel in which some people have one haplotype, as on X, is followed on
    the processor's cores.
    """

    device: torch.device
    people_together: int = 16
    mixes: bool = False

    @property
    def _cores(self) -> CorePasses:
        return CorePasses(self.threads)

    @property
    def threads(self) -> int:
        """See `Passes`."""
        return torch.get_num_threads()

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
        if _has_haploids(shards):
            log.info("some of the panel have one haplotype: followed on the processor's cores")
            return self._cores.open_panel(shards, typed, core, asked, model, mixture)
        panel = read_panel_bits(shards, typed, core[asked], model.distance)

        def impute(queries: Queries) -> np.ndarray:
            with telling_what_to_lower("imputation.batch_people"):
                return impute_sites(queries, panel, model, self.device)

        return impute

    def expect_events(
        self, queries: Queries, shards: ShardSet, typed: np.ndarray, model: CopyingModel
    ) -> Events:
        """See `Passes`."""
        if _has_haploids(shards):
            return self._cores.expect_events(queries, shards, typed, model)
        with telling_what_to_lower("li_stephens.estimation_people"):
            return expect_events(queries, shards, typed, model, self.device)


def _has_haploids(shards: ShardSet) -> bool:
    return bool((shards.ploidy.people != 2).any())
