"""The passes over the whole panel: against the plain model, by eye, and at their edges."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haplorag.li_stephens.haplotype_blocks import cut_haplotype_blocks
from haplorag.li_stephens.model import run_forward_backward
from haplorag.li_stephens.parameters import MISMATCH, SWITCHES_PER_CENTIMORGAN
from haplorag.li_stephens.reference import weigh_haplotypes
from haplorag.li_stephens.site_groups import SiteGroups, group_core_sites
from support import ROOT

NOBODY = np.array([-1])


def run_plainly(alleles, panel, centimorgan, own):
    """ALT [S] and posterior [S, N] of one haplotype [S] (-1 untyped) over a panel [N, S]."""
    per_centimorgan = SWITCHES_PER_CENTIMORGAN / len(panel)
    [weights] = weigh_haplotypes(
        alleles[None], panel[None], centimorgan, centimorgan, per_centimorgan, MISMATCH, own
    )
    return (weights * panel.T).sum(axis=1), weights


def trace(alleles, panel, centimorgan, core, ids, owner=NOBODY):
    """Trace haplotypes [Q, S]; typed where the first of them is."""
    typed = np.flatnonzero(alleles[0] >= 0)
    places = group_core_sites(typed, core, centimorgan, len(panel))
    stretches = cut(panel, typed, core)
    return *run_forward_backward(
        alleles[:, typed], centimorgan[typed], stretches, places, ids, owner
    ), places


def cut(panel, typed, core):
    """Stretches of a panel [N, S] with typed and core columns."""
    known, wanted = np.ascontiguousarray(panel[:, typed].T), np.ascontiguousarray(panel[:, core].T)
    return cut_haplotype_blocks(known, wanted, np.searchsorted(typed, core, side="right"))


@given(
    st.integers(0, 2**32), st.integers(3, 60), st.integers(2, 12), st.floats(0, 1), st.booleans()
)
@settings(max_examples=60, deadline=None)
def test_it_is_li_and_stephens_model(seed, sites, people, hidden_rate, is_reference):
    generator = np.random.default_rng(seed)
    panel = generator.integers(0, 2, (2 * people, sites), dtype=np.uint8)
    # So close together that core sites of one group share their posterior to a thousandth.
    centimorgan = np.sort(generator.random(sites)) * 0.05 * people / 10
    alleles = generator.integers(0, 2, (1, sites), dtype=np.int8)
    alleles[0, generator.random(sites) < hidden_rate] = -1
    core = np.arange(sites // 3, sites - sites // 3)
    owner = np.array([people - 1 if is_reference else -1])
    ids = generator.permutation(2 * people)[None, :3]
    alternate, posterior, places = trace(alleles, panel, centimorgan, core, ids, owner)
    expected, weights = run_plainly(alleles[0], panel, centimorgan, owner[0])
    np.testing.assert_allclose(alternate[0], expected[core], atol=6e-3)
    np.testing.assert_allclose(posterior[0][places.of_site], weights[core][:, ids[0]], atol=6e-3)


def test_a_mosaic_of_two_haplotypes_by_eye():
    panel = np.array([[0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], [0, 1, 0, 0, 0, 1]], dtype=np.uint8)
    centimorgan = np.array([0.0, 0.00001, 0.00002, 0.5, 0.50001, 0.50002])
    alleles = np.array([[0, -1, 0, 1, -1, 1]], dtype=np.int8)
    alternate, posterior, places = trace(
        alleles, panel, centimorgan, np.array([1, 4]), np.array([[0, 1, 2]])
    )
    # On the left the first and the third agree equally; on the right the second agrees, and the
    # third at one site of two.
    assert alternate[0, 0] == pytest.approx(0.5, abs=0.03)
    assert alternate[0, 1] == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(posterior[0], [[0.5, 0, 0.5], [0, 1, 0]], atol=0.03)
    assert places.of_site.tolist() == [0, 1]


def test_nobody_copies_themselves():
    generator = np.random.default_rng(1)
    panel = generator.integers(0, 2, (8, 40), dtype=np.uint8)
    alleles = panel[:2].astype(np.int8)
    alleles[:, 1::2] = -1
    ids, owner = np.tile(np.arange(8), (2, 1)), np.array([0, 0])
    alternate, posterior, _ = trace(
        alleles, panel, np.linspace(0, 0.01, 40), np.arange(40), ids, owner
    )
    assert not posterior[:, :, :2].any()
    np.testing.assert_allclose(posterior.sum(axis=2), 1, rtol=1e-5)
    changed = panel.copy()
    changed[:2, 1::2] ^= 1
    again, _, _ = trace(alleles, changed, np.linspace(0, 0.01, 40), np.arange(40), ids, owner)
    np.testing.assert_allclose(alternate, again, atol=1e-6)


def test_with_nothing_typed_everyone_counts_alike():
    panel = np.random.default_rng(1).integers(0, 2, (10, 5), dtype=np.uint8)
    nothing = np.full((1, 5), -1, dtype=np.int8)
    alternate, posterior, _ = trace(
        nothing, panel, np.linspace(0, 1, 5), np.arange(5), np.array([[3, -1]])
    )
    np.testing.assert_allclose(alternate[0], panel.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(posterior[0, :, 0], 0.1, rtol=1e-5)
    assert not posterior[0, :, 1].any()


def test_a_missing_allele_says_nothing():
    generator = np.random.default_rng(2)
    panel = generator.integers(0, 2, (20, 30), dtype=np.uint8)
    alleles = generator.integers(0, 2, (1, 30), dtype=np.int8)
    alleles[0, ::3] = -1
    core, centimorgan = np.arange(30), np.linspace(0, 0.02, 30)
    places = SiteGroups(np.arange(30), np.arange(31), np.arange(30) + 1, centimorgan)
    stretches, nobody = cut(panel, core, core), np.empty((1, 0), dtype=int)
    missing, _ = run_forward_backward(alleles, centimorgan, stretches, places, nobody, NOBODY)
    untyped, _, _ = trace(alleles, panel, centimorgan, core, nobody)
    np.testing.assert_allclose(missing, untyped, atol=2e-3)


TRACE = """
import hashlib, sys
import numpy as np
from haplorag.li_stephens.haplotype_blocks import cut_haplotype_blocks
from haplorag.li_stephens.model import run_forward_backward
from haplorag.li_stephens.site_groups import group_core_sites
generator = np.random.default_rng(1)
founders = generator.integers(0, 2, (900, 12), dtype=np.uint8)
panel = founders[:, generator.integers(0, 12, 400)] ^ (generator.random((900, 400)) < 0.01)
core, typed = np.arange(200, 700), np.flatnonzero(generator.random(900) < 0.3)
centimorgan = np.sort(generator.random(900)) * 0.8
before = np.searchsorted(typed, core, side="right")
blocks = cut_haplotype_blocks(panel[typed], panel[core], before)
groups = group_core_sites(typed, core, centimorgan, 400)
alleles = np.ascontiguousarray(panel[typed][:, :60].T.astype(np.int8))
ids, owner = np.tile(np.arange(32), (60, 1)), np.arange(60) // 2
found = run_forward_backward(
    alleles, centimorgan[typed], blocks, groups, ids, owner, int(sys.argv[1])
)
print(hashlib.sha256(b"".join(part.tobytes() for part in found)).hexdigest())
"""


@pytest.mark.slow
def test_compiled_now_or_before_and_with_any_threads_the_bytes_are_the_same(tmp_path):
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOT / "workflow"),
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
def test_places_lie_among_their_sites(seed, sites):
    generator = np.random.default_rng(seed)
    centimorgan = np.round(np.sort(generator.random(sites)) * 5, 1) + 0.1234567
    typed = np.flatnonzero(generator.random(sites) < 0.3)
    places = group_core_sites(typed, np.arange(sites), centimorgan, 4000)
    assert (np.repeat(np.arange(len(places.before)), np.diff(places.first)) == places.of_site).all()
    for place, (first, last) in enumerate(
        zip(places.first[:-1], places.first[1:] - 1, strict=True)
    ):
        assert centimorgan[first] - 1e-9 <= places.centimorgan[place] <= centimorgan[last] + 1e-9
        assert places.before[place] == np.searchsorted(typed, first, side="right")
        assert places.before[place] == np.searchsorted(typed, last, side="right")
