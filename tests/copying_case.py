"""A random panel, model and haplotypes, small enough for Triton's interpreter."""

import numpy as np
import torch

from haplorag.alleles import ABSENT
from haplorag.gpu import copying
from haplorag.gpu.panel_bits import read_panel_bits
from haplorag.li_stephens import model
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import cut_segments
from haplorag.panel.ploidy import Ploidy
from haplorag.settings import CopyingSetting
from support import PlainPanel

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
KINDS = (CopyingSetting(switching=1, mismatch=1), CopyingSetting(switching=4, mismatch=5))


class Case:
    """A random panel, model and haplotypes, some of the panel's own people.

    With `men`, so many people have one haplotype in the middle third of the sites, as on X, and
    every second of those that are followed is missing there.
    """

    def __init__(self, seed, people=9, sites=24, queries=3, hidden=0.6, men=0):
        generator = np.random.default_rng(seed)
        # Rare and common alleles, and such as most haplotypes have.
        frequency = generator.beta(0.5, 0.5, sites)
        panel = (generator.random((2 * people, sites)) < frequency).astype(np.uint8)
        ploidy = None
        if men:
            stretches = np.full((3, people), 2, dtype=np.int8)
            stretches[1, -men:] = 1
            ploidy = Ploidy(np.array([0, sites // 3, 2 * sites // 3]), stretches)
        self.shards = PlainPanel(panel, ploidy)
        self.model = CopyingModel(
            np.cumsum(generator.exponential(0.05, sites)),
            generator.uniform(0.001, 0.05, sites).astype(np.float32), KINDS,
        )  # fmt: skip
        is_hidden = generator.random(sites) < hidden
        self.typed, self.core = np.flatnonzero(~is_hidden), np.flatnonzero(is_hidden)
        alleles = generator.integers(-1, 2, (queries, len(self.typed)), dtype=np.int8)
        if men:
            middle = (self.typed >= sites // 3) & (self.typed < 2 * sites // 3)
            alleles[1::2, middle] = ABSENT
        self.queries = Queries(alleles, generator.integers(-1, people, queries))
        self.ids = generator.integers(-1, 2 * people, (queries, 4 * (not men)))

    def on_cpu(self, evident=1):
        cut = cut_segments(self.shards, self.typed, self.core, self.model.distance)
        return model.run_forward_backward(
            self.queries, cut, self.model, ids=self.ids, evident=evident
        )

    def read(self, shape=None):
        return read_panel_bits(self.shards, self.typed, self.core, self.model.distance, shape)

    def on_gpu(self, shape=None, evident=1):
        arguments = self.queries, self.read(shape), self.model, DEVICE, evident, self.ids
        ((some, traced),) = copying.trace_queries(*arguments)
        assert some == slice(0, len(self.queries.alleles))
        return traced

    def open(self, passes):
        return passes.open_panel(
            self.shards, self.typed, self.core, slice(0, len(self.core)), self.model
        )
