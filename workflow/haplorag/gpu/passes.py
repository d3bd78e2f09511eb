"""The passes over the panel on a GPU, as who follows haplotypes asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from haplorag.gpu.copying import expect_events, trace_queries
from haplorag.gpu.panel_bits import read_panel_bits
from haplorag.li_stephens.estimation import Events
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.mixture import Traced, describe_sites
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.passes import OpenedPanel
from haplorag.network.device import telling_what_to_lower
from haplorag.panel.haplotypes import ShardSet


@dataclass(frozen=True)
class GpuPasses:
    """The passes on a GPU: see `li_stephens.passes.Passes`.

    Where the device is the CPU, kernels are interpreted, which is for tests.

    A card follows a thousand haplotypes in the time of one; the memory that they take on it is
    kept to what is free.
    """

    device: torch.device
    people_together: int = 16

    def open_panel(
        self,
        shards: ShardSet,
        typed: np.ndarray,
        core: np.ndarray,
        asked: slice,
        model: CopyingModel,
    ) -> OpenedPanel:
        """See `Passes`."""
        panel = read_panel_bits(shards, typed, core[asked], model.distance)

        def trace(queries: Queries, evident: int) -> Iterator[tuple[slice, Traced]]:
            with telling_what_to_lower("imputation.batch_people"):
                yield from trace_queries(queries, panel, model, self.device, evident)

        return OpenedPanel(describe_sites(panel, model), trace)

    def expect_events(
        self, queries: Queries, shards: ShardSet, typed: np.ndarray, model: CopyingModel
    ) -> Events:
        """See `Passes`."""
        panel = read_panel_bits(shards, typed, typed, model.distance)
        with telling_what_to_lower("li_stephens.estimation_people"):
            return expect_events(queries, panel, model, self.device)
