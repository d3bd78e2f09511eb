"""The passes on a GPU give what those on the CPU give: here by Triton's interpreter, on a card where
there is one.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from haplorag.errors import InputError
from haplorag.gpu import copying
from haplorag.gpu.panel_bits import Shape, choose_shape, read_panel_bits
from haplorag.li_stephens import estimation, model
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import cut_segments
from haplorag.settings import CopyingSetting
from support import ROOT, PlainPanel

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
KINDS = (CopyingSetting(switching=1, mismatch=1), CopyingSetting(switching=4, mismatch=5))


class Case:
    """A random panel, model and haplotypes, some of the panel's own people."""

    def __init__(self, seed, people=9, sites=24, queries=3, hidden=0.6):
        generator = np.random.default_rng(seed)
        panel = generator.integers(0, 2, (2 * people, sites), dtype=np.uint8)
        self.shards = PlainPanel(panel)
        self.model = CopyingModel(
            np.cumsum(generator.exponential(0.05, sites)),
            generator.uniform(0.001, 0.05, sites).astype(np.float32), KINDS,
        )  # fmt: skip
        is_hidden = generator.random(sites) < hidden
        self.typed, self.core = np.flatnonzero(~is_hidden), np.flatnonzero(is_hidden)
        alleles = generator.integers(-1, 2, (queries, len(self.typed)), dtype=np.int8)
        self.queries = Queries(alleles, generator.integers(-1, people, queries))
        self.ids = generator.integers(-1, 2 * people, (queries, 4))

    def on_cpu(self):
        cut = cut_segments(self.shards, self.typed, self.core, self.model.distance)
        traced = model.run_forward_backward(self.queries, cut, self.model, ids=self.ids)
        return traced.alternate, traced.posterior

    def on_gpu(self, shape=None):
        bits = read_panel_bits(self.shards, self.typed, self.core, self.model.distance, shape)
        found = copying.run_forward_backward(self.queries, bits, self.model, DEVICE, self.ids)
        return [part.cpu().numpy() for part in found]


def compare(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@given(st.integers(0, 2**32), st.integers(2, 24), st.floats(0, 1))
@settings(max_examples=4, deadline=None)
def test_it_gives_what_the_cpu_gives(seed, sites, hidden):
    case = Case(seed, sites=sites, hidden=hidden)
    compare(case.on_gpu(), case.on_cpu())


def test_a_panel_of_several_tiles():
    case = Case(3, people=30, sites=14, queries=2)
    compare(case.on_gpu(Shape(lanes=2, block=8 * 4, tiles=2, warps=1)), case.on_cpu())


def test_events_are_those_of_the_cpu():
    case = Case(4, hidden=0.3)
    cut = cut_segments(case.shards, case.typed, case.typed[:0], case.model.distance)
    expected = estimation.expect_events(case.queries, cut, case.model, threads=1)
    found = copying.expect_events(case.queries, case.shards, case.typed, case.model, DEVICE)
    np.testing.assert_allclose(found.mismatches, expected.mismatches, atol=1e-5)
    np.testing.assert_allclose(found.switches, expected.switches, atol=1e-5)


def test_where_memory_is_short_queries_go_one_after_another(monkeypatch):
    case = Case(5, queries=4)
    bits = read_panel_bits(case.shards, case.typed, case.core, case.model.distance)
    expected = copying.impute_sites(case.queries, bits, case.model, DEVICE)
    monkeypatch.setattr(copying, "count_lanes", lambda *_: 4)
    taken = [reading.queries for reading in copying.follow(case.queries, bits, case.model, DEVICE)]
    assert taken[0] == slice(0, 2)
    found = copying.impute_sites(case.queries, bits, case.model, DEVICE)
    np.testing.assert_array_equal(found, expected)


def test_too_little_memory_is_told(monkeypatch):
    case = Case(6)
    bits = read_panel_bits(case.shards, case.typed, case.core, case.model.distance)
    monkeypatch.setattr(copying, "_free_memory", lambda _: 1000)
    with pytest.raises(InputError, match=r"18 haplotypes at \d+ typed sites needs .* --resources"):
        copying.impute_sites(case.queries, bits, case.model, DEVICE)


@pytest.mark.parametrize("haplotypes", [1, 24, 1000, 4008, 8192, 8193, 200_000])
def test_a_shape_holds_the_panel_and_no_more_than_a_tile_beyond(haplotypes):
    shape = choose_shape(haplotypes)
    assert haplotypes <= shape.width < 2 * max(haplotypes, 32)
    assert shape.lanes * shape.block <= 2**14
    assert shape.warps in (1, 2, 4, 8, 16)


def test_kernels_compile_for_hopper_without_a_card():
    """To machine code, by the compiler that comes with Triton; what registers cannot hold is little."""
    command = [sys.executable, ROOT / "tests/gpu/compile_kernels.py"]
    environment = {**os.environ, "TRITON_INTERPRET": "0", "PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert {name for name, *_ in lines} == {"go_forward", "go_back"}
    for name, shape, stack in lines:
        assert int(stack) <= 96, (name, shape)
