"""The passes over the whole panel: against the plain model, by eye, and at their edges."""

import os
import subprocess
import sys
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haplorag.li_stephens import segments as cutting
from haplorag.li_stephens import site_groups, states
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.model import run_forward_backward
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.reference import weigh_haplotypes
from haplorag.li_stephens.segments import cut_segments
from haplorag.li_stephens.site_groups import group_core_sites
from haplorag.panel.ploidy import Ploidy
from haplorag.settings import CopyingSetting
from support import ROOT, PlainPanel

NOBODY = np.array([-1])
# Where haplotypes begin that are the same along the chromosome.
WHOLE = np.array([0])
MISMATCH = 3e-3
PLAIN = CopyingSetting(switching=1, mismatch=1)


def assume(positions, switches, settings=(PLAIN,)):
    """A model with as many switches a unit of the positions, the same everywhere."""
    mismatch = np.full(len(positions), MISMATCH, dtype=np.float32)
    return CopyingModel(np.asarray(positions) * switches, mismatch, settings)


def trace(alleles, panel, model, core, ids=None, owner=NOBODY):
    """ALT [Q, setting, L], posterior [Q, setting, L, K] of haplotypes [Q, S], typed where the first
    is.
    """
    typed = np.flatnonzero(alleles[0] >= 0)
    cut = cut_segments(PlainPanel(panel), typed, core, model.distance)
    queries = Queries(np.ascontiguousarray(alleles[:, typed]), owner)
    traced = run_forward_backward(queries, cut, model, ids=ids)
    return traced.alternate, traced.posterior[:, :, cut.groups.of_site]


@given(
    st.integers(0, 2**32), st.integers(3, 60), st.integers(2, 12), st.floats(0, 1), st.booleans(),
    st.sampled_from([30, 2**26]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_it_is_li_and_stephens_model(seed, sites, people, hidden, is_reference, alleles_at_once):
    """Every setting, in one segment or many, with rates that differ from site to site."""
    generator = np.random.default_rng(seed)
    panel = generator.integers(0, 2, (2 * people, sites), dtype=np.uint8)
    kinds = (
        PLAIN,
        CopyingSetting(switching=4, mismatch=5),
        CopyingSetting(switching=0.5, mismatch=1),
    )
    model = CopyingModel(
        np.cumsum(generator.exponential(0.05, sites)),
        generator.uniform(0.001, 0.05, sites).astype(np.float32),
        kinds,
    )
    alleles = generator.integers(0, 2, (1, sites), dtype=np.int8)
    alleles[0, generator.random(sites) < hidden] = -1
    core = np.arange(sites // 3, sites - sites // 3)
    own = people - 1 if is_reference else -1
    ids = generator.permutation(2 * people)[None, :3]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "SEGMENT_ALLELES", alleles_at_once)
        patch.setattr(cutting, "SEGMENT_SITES", 1)
        patch.setattr(site_groups, "GROUP_SWITCHES", 1e-9)
        cutting._cut_segments.cache_clear()
        found, posterior = trace(alleles, panel, model, core, ids, np.array([own]))
        cutting._cut_segments.cache_clear()
    typed = np.flatnonzero(alleles[0] >= 0)
    for number, kind in enumerate(kinds):
        distance = model.distance * kind.switching
        [weights] = weigh_haplotypes(
            alleles[:, typed], panel[None][..., typed], distance[typed], distance[core],
            model.mismatch[typed] * kind.mismatch, own,
        )  # fmt: skip
        expected = (weights * panel.T[core]).sum(axis=1)
        np.testing.assert_allclose(found[0, number], expected, atol=1e-4)
        np.testing.assert_allclose(posterior[0, number], weights[:, ids[0]], atol=1e-4)


def test_sites_of_a_group_share_their_weights():
    """They are so close that what is lost is small."""
    generator = np.random.default_rng(5)
    panel = generator.integers(0, 2, (60, 200), dtype=np.uint8)
    model = assume(np.linspace(0, 0.1, 200), 6)
    alleles = np.full((1, 200), -1, dtype=np.int8)
    alleles[0, ::20] = panel[3, ::20]
    core = np.arange(200)
    grouped, _ = trace(alleles, panel, model, core)
    groups = group_core_sites(np.flatnonzero(alleles[0] >= 0), core, model.distance, WHOLE)
    assert len(groups.before) < 100
    typed = np.arange(0, 200, 20)
    [weights] = weigh_haplotypes(
        alleles[:, typed], panel[None][..., typed], model.distance[typed], model.distance, MISMATCH
    )
    np.testing.assert_allclose(grouped[0, 0], (weights * panel.T).sum(axis=1), atol=6e-3)


def test_a_mosaic_of_two_haplotypes_by_eye():
    panel = np.array([[0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], [0, 1, 0, 0, 0, 1]], dtype=np.uint8)
    distance = 4000 * np.array([0.0, 0.00001, 0.00002, 0.5, 0.50001, 0.50002])
    model = assume(distance, 1)
    alleles = np.array([[0, -1, 0, 1, -1, 1]], dtype=np.int8)
    alternate, posterior = trace(alleles, panel, model, np.array([1, 4]), np.array([[0, 1, 2]]))
    # On the left the first and the third agree equally; on the right the second agrees, and the
    # third at one site of two.
    assert alternate[0, 0, 0] == pytest.approx(0.5, abs=0.03)
    assert alternate[0, 0, 1] == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(posterior[0, 0], [[0.5, 0, 0.5], [0, 1, 0]], atol=0.03)


def test_nobody_copies_themselves():
    generator = np.random.default_rng(1)
    panel = generator.integers(0, 2, (8, 40), dtype=np.uint8)
    model = assume(np.linspace(0, 0.01, 40), 1500)
    alleles = panel[:2].astype(np.int8)
    alleles[:, 1::2] = -1
    ids = np.tile(np.arange(8), (2, 1))
    owner = np.array([0, 0])
    alternate, posterior = trace(alleles, panel, model, np.arange(40), ids, owner)
    assert not posterior[..., :2].any()
    np.testing.assert_allclose(posterior.sum(axis=3), 1, rtol=1e-5)
    changed = panel.copy()
    changed[:2, 1::2] ^= 1
    again, _ = trace(alleles, changed, model, np.arange(40), ids, owner)
    np.testing.assert_allclose(alternate, again, atol=1e-6)


def test_with_nothing_typed_everyone_counts_alike():
    panel = np.random.default_rng(1).integers(0, 2, (10, 5), dtype=np.uint8)
    model = assume(np.linspace(0, 1, 5), 6)
    nothing = np.full((1, 5), -1, dtype=np.int8)
    alternate, posterior = trace(nothing, panel, model, np.arange(5), np.array([[3, -1]]))
    np.testing.assert_allclose(alternate[0, 0], panel.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(posterior[0, 0, :, 0], 0.1, rtol=1e-5)
    assert not posterior[..., 1].any()


def test_a_missing_allele_says_nothing():
    generator = np.random.default_rng(2)
    panel = generator.integers(0, 2, (20, 30), dtype=np.uint8)
    model = assume(np.linspace(0, 0.02, 30), 600)
    alleles = generator.integers(0, 2, (1, 30), dtype=np.int8)
    alleles[0, ::3] = -1
    cut = cut_segments(PlainPanel(panel), np.arange(30), np.arange(30), model.distance)
    missing = run_forward_backward(Queries(alleles, NOBODY), cut, model).alternate
    untyped, _ = trace(alleles, panel, model, np.arange(30))
    np.testing.assert_allclose(missing, untyped, atol=2e-3)


def test_a_lane_does_not_depend_on_those_beside_it():
    generator = np.random.default_rng(4)
    panel = generator.integers(0, 2, (40, 80), dtype=np.uint8)
    model = assume(np.linspace(0, 0.5, 80), 6)
    alleles = generator.integers(0, 2, (11, 80), dtype=np.int8)
    alleles[:, ::2] = -1
    owner = np.arange(11) - 3
    owner[owner < 0] = -1
    together, _ = trace(alleles, panel, model, np.arange(80), owner=owner)
    for row in range(11):
        alone, _ = trace(alleles[row : row + 1], panel, model, np.arange(80), owner=owner[[row]])
        np.testing.assert_array_equal(alone[0], together[row])


TRACE = """
import hashlib, sys
import numpy as np
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.model import run_forward_backward
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import cut_segments
from haplorag.panel.ploidy import Ploidy
from haplorag.settings import CopyingSetting
from support import PlainPanel
generator = np.random.default_rng(1)
founders = generator.integers(0, 2, (900, 12), dtype=np.uint8)
panel = (founders[:, generator.integers(0, 12, 400)] ^ (generator.random((900, 400)) < 0.01)).T
core, typed = np.arange(200, 700), np.flatnonzero(generator.random(900) < 0.3)
kinds = tuple(CopyingSetting(switching=1, mismatch=factor) for factor in (1, 25, 5))
mismatch = np.full(900, 0.003, dtype=np.float32)
model = CopyingModel(np.sort(generator.random(900)) * 24, mismatch, kinds)
cut = cut_segments(PlainPanel(panel.astype(np.uint8)), typed, core, model.distance)
queries = Queries(np.ascontiguousarray(panel[:60, typed].astype(np.int8)), np.arange(60) // 2)
found = run_forward_backward(
    queries, cut, model, int(sys.argv[1]), np.tile(np.arange(32), (60, 1))
)
print(hashlib.sha256(b"".join(part.tobytes() for part in found)).hexdigest())
"""


@pytest.mark.slow
def test_compiled_now_or_before_and_with_any_threads_the_bytes_are_the_same(tmp_path):
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": f"{ROOT / 'workflow'}:{ROOT / 'tests'}",
    }
    said = {
        subprocess.run(
            [sys.executable, "-c", TRACE, threads], env=environment, check=True, capture_output=True
        ).stdout
        for threads in ("1", "1", "2")
    }
    assert len(said) == 1
    assert len(list(tmp_path.rglob("*.nbc"))) > 3


@given(st.integers(0, 2**32), st.integers(1, 200))
def test_groups_lie_among_their_sites(seed, sites):
    generator = np.random.default_rng(seed)
    distance = np.round(np.sort(generator.random(sites)) * 5, 1) + 0.1234567
    typed = np.flatnonzero(generator.random(sites) < 0.3)
    groups = group_core_sites(typed, np.arange(sites), distance, WHOLE)
    assert (np.repeat(np.arange(len(groups.before)), np.diff(groups.first)) == groups.of_site).all()
    mean = groups.average(distance)
    for group, (first, last) in enumerate(
        zip(groups.first[:-1], groups.first[1:] - 1, strict=True)
    ):
        assert distance[first] - 1e-9 <= mean[group] <= distance[last] + 1e-9
        assert groups.before[group] == np.searchsorted(typed, first, side="right")
        assert groups.before[group] == np.searchsorted(typed, last, side="right")


@given(st.integers(0, 2**32), st.integers(8, 40), st.integers(3, 8), st.sampled_from([30, 2**26]))
@settings(max_examples=40, deadline=None)
def test_who_has_one_haplotype_is_copied_by_one(seed, sites, people, alleles_at_once):
    """Each stretch is as if it were a chromosome of its own, with the haplotypes that there are."""
    generator = np.random.default_rng(seed)
    panel = generator.integers(0, 2, (2 * people, sites), dtype=np.uint8)
    first = np.array([0, sites // 4, sites // 2])
    ploidy = Ploidy(first, generator.integers(1, 3, (3, people)).astype(np.int8))
    model = assume(np.cumsum(generator.exponential(0.05, sites)), 1)
    alleles = generator.integers(0, 2, (2, sites), dtype=np.int8)
    typed = np.flatnonzero(generator.random(sites) < 0.6)
    core = np.arange(sites)
    owner = np.array([people - 1, -1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "SEGMENT_ALLELES", alleles_at_once)
        patch.setattr(cutting, "SEGMENT_SITES", 1)
        patch.setattr(site_groups, "GROUP_SWITCHES", 1e-9)
        cut = cut_segments(PlainPanel(panel, ploidy), typed, core, model.distance)
        cutting._cut_segments.cache_clear()
    queries = Queries(np.ascontiguousarray(alleles[:, typed]), owner)
    found = run_forward_backward(queries, cut, model)[0][:, 0]
    for stretch, (start, stop) in enumerate(pairwise([*first.tolist(), sites])):
        read = typed[(typed >= start) & (typed < stop)]
        there = np.ones(2 * people, dtype=bool)
        there[1::2] = ploidy.people[stretch] == 2
        for row, others in enumerate((there & (np.arange(2 * people) < 2 * people - 2), there)):
            weights = weigh_haplotypes(
                alleles[row : row + 1, read], panel[others][None][..., read],
                model.distance[read], model.distance[start:stop], MISMATCH,
            )[0]  # fmt: skip
            expected = (weights * panel[others].T[start:stop]).sum(axis=1)
            np.testing.assert_allclose(found[row, start:stop], expected, atol=1e-4)


@pytest.mark.parametrize("ploidies", [1, 2])
def test_a_part_of_the_core_sites_is_told_the_same(ploidies):
    """Across segments and stretches, to the last bit, whichever groups are asked for."""
    generator = np.random.default_rng(9)
    panel = generator.integers(0, 2, (60, 200), dtype=np.uint8)
    first = np.array([0, 70])[:ploidies]
    ploidy = Ploidy(first, generator.integers(1, 3, (ploidies, 30)).astype(np.int8))
    model = assume(np.cumsum(generator.exponential(0.003, 200)), 1)
    typed = np.flatnonzero(generator.random(200) < 0.4)
    core = np.union1d(np.setdiff1d(np.arange(200), typed), typed[::5])
    queries = Queries(panel[:5, typed].astype(np.int8), np.full(5, -1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "SEGMENT_ALLELES", 2000)
        patch.setattr(cutting, "SEGMENT_SITES", 1)
        cut = cut_segments(PlainPanel(panel, ploidy), typed, core, model.distance)
    cutting._cut_segments.cache_clear()
    assert len(cut.segments) > 3
    ids = generator.integers(0, 30, (5, 2))
    whole = run_forward_backward(queries, cut, model, ids=ids, evident=0)
    bounds = cut.groups.first[:: len(cut.groups.first) // 6].tolist()
    for start, stop in combinations([*bounds, len(core)], 2):
        places = slice(*np.searchsorted(cut.groups.first, (start, stop)))
        some = run_forward_backward(
            queries, cut.narrow(slice(start, stop)), model, ids=ids, evident=0
        )
        for name, mine in some._asdict().items():
            theirs = getattr(whole, name)
            if name == "posterior":
                expected = theirs[:, :, places]
            else:
                expected = theirs[..., places if name == "agreement" else slice(start, stop)]
            np.testing.assert_array_equal(mine, expected)


def test_what_is_said_of_a_site_does_not_depend_on_which_typed_ones_are_asked_for():
    generator = np.random.default_rng(8)
    panel = generator.integers(0, 2, (60, 200), dtype=np.uint8)
    model = assume(np.cumsum(generator.exponential(0.003, 200)), 1)
    typed = np.flatnonzero(generator.random(200) < 0.4)
    untyped = np.setdiff1d(np.arange(200), typed)
    queries = Queries(panel[:5, typed].astype(np.int8), np.full(5, -1))
    shards = PlainPanel(panel)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "SEGMENT_ALLELES", 2000)
        patch.setattr(cutting, "SEGMENT_SITES", 1)
        expected = None
        for more in (typed[:0], typed[::3], typed):
            core = np.union1d(untyped, more)
            cut = cut_segments(shards, typed, core, model.distance)
            found = run_forward_backward(queries, cut, model)[0][:, 0, np.isin(core, untyped)]
            np.testing.assert_array_equal(found, found if expected is None else expected)
            expected = found


def test_where_arrays_lie_in_memory_changes_no_bit(monkeypatch):
    """Compiled loops take another way where what they write lies within some vectors of what they
    read: a panel of few haplotypes, in arrays that lie one after another.
    """
    generator = np.random.default_rng(1)
    founders = generator.integers(0, 2, (300, 12), dtype=np.uint8)
    panel = founders[:, generator.integers(0, 12, 60)] ^ (generator.random((300, 60)) < 0.01)
    typed = np.flatnonzero(generator.random(300) < 0.3)
    model = assume(np.sort(generator.random(300)), 24)
    shards = PlainPanel(panel.T.astype(np.uint8))
    cut = cut_segments(shards, typed, np.arange(50, 250), model.distance)
    queries = Queries(panel.T[:16, typed].astype(np.int8), np.arange(16) // 2)

    def trace_in(memory, order):
        middle = len(memory) // 2
        bounds = [middle, middle]

        class Packed:
            def __getattr__(self, name):
                return getattr(np, name)

            def empty(self, shape, dtype):
                """What follows what was given so far, or lies before it."""
                size = int(np.prod(shape))
                if order.random() < 0.5:
                    bounds[0] -= size
                    return memory[bounds[0] : bounds[0] + size].reshape(shape)
                bounds[1] += size
                return memory[bounds[1] - size : bounds[1]].reshape(shape)

        monkeypatch.setattr(states, "np", Packed())
        return run_forward_backward(queries, cut, model).alternate

    memory = np.empty(5_000_000, dtype=np.float32)
    expected = trace_in(memory, np.random.default_rng(0))
    for seed in range(1, 10):
        found = trace_in(memory, np.random.default_rng(seed))
        np.testing.assert_array_equal(found, expected)
