"""The passes on a GPU give what those on the CPU give: here by Triton's interpreter, on a card where
there is one.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copying_case import DEVICE, KINDS, Case
from haplorag.errors import InputError
from haplorag.gpu import following
from haplorag.gpu.panel_bits import Shape, choose_shape
from haplorag.gpu.passes import GpuPasses
from haplorag.imputation.mixing import gather_examples
from haplorag.li_stephens import estimation, model
from haplorag.li_stephens.mixture import Mixture, Traced
from haplorag.li_stephens.passes import CorePasses
from haplorag.li_stephens.segments import cut_segments
from haplorag.settings import MixtureSettings
from support import ROOT


def on_device():
    return GpuPasses(DEVICE, 1, "imputation.batch_people", 32)


def compare(found, expected):
    for name, ours, theirs in zip(Traced._fields, found, expected, strict=True):
        assert ours.shape == theirs.shape, name
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5, err_msg=name)


@given(st.integers(0, 2**32), st.integers(2, 24), st.floats(0, 1))
@settings(max_examples=4, deadline=None)
def test_it_gives_what_the_cpu_gives(seed, sites, hidden):
    case = Case(seed, sites=sites, hidden=hidden)
    compare(case.on_gpu(), case.on_cpu())


def test_without_evidence_none_is_told():
    case = Case(2)
    told = case.on_gpu(evident=-1)
    compare(told, case.on_cpu(evident=-1))
    assert told.ahead.shape == (3, 0)


def test_a_panel_of_several_tiles():
    case = Case(3, people=30, sites=14, queries=2)
    compare(case.on_gpu(Shape(lanes=2, block=8 * 4, tiles=2, warps=1)), case.on_cpu())


@pytest.mark.parametrize("hidden", [0.5, 0.9])
def test_where_men_have_one_haplotype(hidden):
    """As on X: nothing is carried from one stretch to the next, and own haplotypes are one or two."""
    case = Case(11, sites=30, queries=4, hidden=hidden, men=4)
    case.queries.owner[:] = 8, 8, 0, -1
    compare(case.on_gpu(), case.on_cpu())


@pytest.mark.parametrize("men", [0, 3])
def test_events_are_those_of_the_cpu(men):
    case = Case(4, sites=27, hidden=0.3, men=men)
    cut = cut_segments(case.shards, case.typed, case.typed[:0], case.model.distance)
    expected = estimation.expect_events(case.queries, cut, case.model, threads=1)
    passes = on_device()
    found = passes.expect_events(case.queries, case.shards, case.typed, case.model)
    assert np.isnan(expected.switches).sum() == (2 if men else 0)
    np.testing.assert_allclose(found.mismatches, expected.mismatches, atol=1e-5)
    np.testing.assert_allclose(found.switches, expected.switches, atol=1e-5)


def test_a_mixture_says_the_same():
    """Also where ALT is what most have, and what is rare is read off it."""
    case = Case(7, people=12, sites=40, queries=4, hidden=0.7)
    generator = np.random.default_rng(1)
    features = len(KINDS) + 6
    layers = tuple(
        (generator.normal(0, 0.5, shape).astype(np.float32), np.zeros(shape[0], np.float32))
        for shape in ((6, features), (1, 6))
    )
    ones = np.ones(features, dtype=np.float32)
    mixture = Mixture(1, 0 * ones, 3 * ones, layers)
    found, expected = (
        model.answer(opened.trace(case.queries, 1), opened.sites, 4, mixture, 3)
        for opened in (case.open(on_device()), case.open(CorePasses(1)))
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)
    mean = model.answer(case.open(CorePasses(1)).trace(case.queries, -1), *_facts(case), None, 1)
    assert abs(mean - expected).max() > 0.05


def _facts(case):
    return case.open(CorePasses(1)).sites, len(case.queries.alleles)


def test_a_mixture_learns_from_the_same_examples(monkeypatch):
    """In the same order, however many go at a time."""
    monkeypatch.setattr(model, "MOST_PROBABILITIES", 1)
    case = Case(8, people=8, sites=24, hidden=0.6)
    ask = MixtureSettings(
        people=2, centimorgans=800, pairs=60, evident=1, width=4, epochs=1, learning_rate=0.1
    )
    found, expected = (
        gather_examples(case.shards, case.typed, case.model, ask, 5, passes)
        for passes in (on_device(), CorePasses(1))
    )
    assert len(found.mean) > 20
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_where_memory_is_short_queries_go_one_after_another(monkeypatch):
    case = Case(5, queries=4)
    expected = case.on_gpu()
    monkeypatch.setattr(following.Follower, "_count_queries", lambda *_: 1)
    split = following.Follower(case.read(), case.model, DEVICE).split(3, start=2)
    assert list(split) == [slice(2, 3), slice(3, 4), slice(4, 5)]
    for ours, theirs in zip(case.on_gpu(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_too_little_memory_is_told(monkeypatch):
    case = Case(6)
    monkeypatch.setattr(following, "_free_memory", lambda _: 1000)
    with pytest.raises(InputError, match=r"18 haplotypes at \d+ typed sites needs .* --resources"):
        case.on_gpu()


@pytest.mark.parametrize("haplotypes", [1, 24, 1000, 4008, 8192, 8193, 200_000])
def test_a_shape_holds_the_panel_and_no_more_than_a_tile_beyond(haplotypes):
    shape = choose_shape(haplotypes)
    assert haplotypes <= shape.width < 2 * max(haplotypes, 32)
    assert shape.lanes * shape.block <= 2**13
    assert shape.warps in (1, 2, 4, 8, 16)


def test_kernels_compile_for_hopper_without_a_card():
    """To machine code, by the compiler that comes with Triton; what registers cannot hold is little."""
    command = [sys.executable, ROOT / "tests/gpu/compile_kernels.py"]
    environment = {**os.environ, "TRITON_INTERPRET": "0", "PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert {name for name, *_ in lines} == {"go_forward", "go_back"}
    assert len(lines) == 20
    for name, shape, stack in lines:
        assert int(stack) <= 16, (name, shape)
