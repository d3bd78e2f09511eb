"""Retrieval equals brute force, stays local, and nobody finds themselves."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from haplorag.io.hdf5 import read_arrays
from haplorag.network.embedding import MASKED, HaplotypeEmbedding
from haplorag.panel.haplotypes import open_shards
from haplorag.panel.ploidy import find_own_rows
from haplorag.panel.samples import rank_reference_samples
from haplorag.panel.windows import read_windows
from haplorag.retrieval import search as search_module
from haplorag.retrieval.search import EqualHaplotypes, cut_segments, search_neighbours
from haplorag.settings import NeighbourSettings
from haplorag.steps.neighbours import neighbours
from support import random_haplotypes

WHOLE = NeighbourSettings(
    count=5,
    segments=1,
    scales=[1],
    min_typed=1,
    flank_typed=1000,
    reach_typed=1000,
    people_per_window=1,
    windows=100,
)


def search(queries, reference, typed, settings=WHOLE, owner=None, core=None):
    owner = np.full(len(queries), -1) if owner is None else owner
    core = core or (0, reference.shape[1])
    columns = np.flatnonzero(typed)
    inside = tuple(np.searchsorted(columns, core).tolist())
    return search_neighbours(
        queries[:, columns], reference[:, columns].astype(np.uint8), inside,
        find_own_rows(np.arange(0, len(reference) + 1, 2), owner), settings,
    )  # fmt: skip


@bounds(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(1, 70), st.integers(1, 12))
def test_whole_window_search_is_brute_force(seed, people, sites, count):
    generator = np.random.default_rng(seed)
    reference = random_haplotypes(generator, people, sites)
    queries = random_haplotypes(generator, 3, sites)
    typed = generator.random(sites) < 0.7
    typed[0] = True
    ids, distances = search(queries, reference, typed, WHOLE.model_copy(update={"count": count}))
    exact = (queries[:, None, typed] != reference[None, :, typed]).sum(axis=2)
    # Ties go by haplotype id: the sort is stable.
    expected = np.argsort(exact, axis=1, kind="stable")[:, :count]
    found = min(count, len(reference))
    np.testing.assert_array_equal(ids[:, :found], expected[:, :found])
    np.testing.assert_array_equal(
        distances[:, :found], np.take_along_axis(exact, expected, axis=1)[:, :found]
    )
    assert (ids[:, found:] == -1).all() and (distances[:, found:] == -1).all()


@bounds(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(2, 8),
    st.integers(0, 60),
    st.sampled_from([(1,), (1, 3), (1, 3, 7)]),
)
def test_nobody_retrieves_their_own_haplotypes(seed, people, sites, scales):
    generator = np.random.default_rng(seed)
    reference = random_haplotypes(generator, people, max(sites, 1))
    settings = WHOLE.model_copy(update={"count": 2 * people, "segments": 4, "scales": list(scales)})
    owner = np.repeat(np.arange(people), 2)
    typed = np.full(max(sites, 1), sites > 0)
    ids, _ = search(reference, reference, typed, settings, owner)
    assert not ((ids // 2 == owner[:, None]) & (ids >= 0)).any()
    # Everybody else is there, once.
    for row, own in zip(ids, owner, strict=True):
        assert sorted(row[row >= 0]) == [
            number for number in range(2 * people) if number // 2 != own
        ]


@pytest.mark.parametrize("room", [1, 10**5, 10**9])
def test_batches_of_queries_change_nothing(room, monkeypatch):
    generator = np.random.default_rng(3)
    reference, queries = (random_haplotypes(generator, people, 90) for people in (60, 40))
    settings = WHOLE.model_copy(update={"count": 20, "segments": 3, "min_typed": 8})
    expected = search(queries, reference, np.ones(90, dtype=bool), settings)
    monkeypatch.setattr("haplorag.retrieval.search.BATCH_IDS", room)
    for found, wanted in zip(
        search(queries, reference, np.ones(90, dtype=bool), settings), expected, strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


@bounds(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(3, 120), st.integers(1, 90))
def test_equal_haplotypes_are_compared_once_to_the_same_end(seed, kinds, people, count):
    generator = np.random.default_rng(seed)
    reference = random_haplotypes(generator, kinds, 25)[
        generator.integers(2 * kinds, size=2 * people)
    ]
    queries = random_haplotypes(generator, 4, 25)
    settings = WHOLE.model_copy(update={"count": count, "segments": 3, "scales": [1, 2]})
    owner = np.repeat(generator.integers(-1, people, 4), 2)
    ids, distances = search(queries, reference, np.ones(25, dtype=bool), settings, owner)
    one_by_one = EqualHaplotypes(*(np.arange(2 * people + extra) for extra in (0, 0, 1)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_module, "group_equal", lambda _: one_by_one)
        plain = search(queries, reference, np.ones(25, dtype=bool), settings, owner)
    np.testing.assert_array_equal(ids, plain[0])
    np.testing.assert_array_equal(distances, plain[1])


def test_segments_find_who_matches_only_in_part():
    generator = np.random.default_rng(1)
    reference = generator.integers(0, 2, (200, 160)).astype(np.int8)
    # A mosaic of haplotypes 17 and 93: neither is near over the whole window.
    query = np.concatenate([reference[17, :80], reference[93, 80:]])[None]
    settings = WHOLE.model_copy(update={"count": 4, "segments": 4, "min_typed": 8})
    ids, _ = search(query, reference, np.ones(160, dtype=bool), settings)
    assert {17, 93} <= set(ids[0].tolist())


def test_the_context_decides_among_equals():
    reference = np.zeros((50, 40), dtype=np.int8)
    reference[:, 30:] = np.random.default_rng(2).integers(0, 2, (50, 10))
    query = reference[31:32]
    # The core's segment is equal in everyone; beyond it only some match the query.
    settings = WHOLE.model_copy(update={"count": 1, "flank_typed": 0})
    ids, distances = search(query, reference, np.ones(40, dtype=bool), settings, core=(0, 20))
    assert distances[0, 0] == 0
    assert (reference[ids[0, 0]] == query).all()


def test_hidden_columns_do_not_count():
    generator = np.random.default_rng(4)
    reference, query = random_haplotypes(generator, 20, 50), random_haplotypes(generator, 1, 50)
    typed = generator.random(50) < 0.4
    other = np.where(typed, query, 1 - query)
    for first, second in zip(
        search(query, reference, typed), search(other, reference, typed), strict=True
    ):
        np.testing.assert_array_equal(first, second)


def test_missing_alleles_count_as_the_major_one():
    reference = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]], dtype=np.int8)
    missing, filled = np.array([[-1, -1, 1]], dtype=np.int8), np.array([[0, 0, 1]], dtype=np.int8)
    typed = np.ones(3, dtype=bool)
    np.testing.assert_array_equal(
        search(missing, reference, typed)[0], search(filled, reference, typed)[0]
    )


def test_without_typed_sites_ids_spread_over_the_panel():
    ids, distances = search(
        np.zeros((2, 5), np.int8),
        np.zeros((50, 5), np.int8),
        np.zeros(5, bool),
        owner=np.array([0, -1]),
    )
    assert len(set(ids[0].tolist())) == 5 and ids[0].min() >= 2 and ids[0].max() > 30
    assert (distances == 0).all()


@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(1, 12),
    st.integers(1, 30),
)
def test_segments_cover_the_core_and_stay_inside(left, core, right, segments, min_typed):
    columns = left + core + right
    if not columns:
        return
    settings = WHOLE.model_copy(
        update={"segments": segments, "scales": [1, 3], "min_typed": min_typed, "flank_typed": 10}
    )
    cut = cut_segments(left, left + core, columns, settings)
    covered = np.zeros(columns, dtype=bool)
    for first, last in cut:
        assert 0 <= first < last <= columns
        covered[first:last] = True
    assert covered[left : left + core].all()
    assert len(set(cut)) == len(cut)


@pytest.mark.parametrize("steps", [0, 20])
def test_embedding_distance_is_hamming_distance(simulated, steps):
    """What the published systems searched, before and after their embedding is trained."""
    torch.manual_seed(1)
    cut = read_windows(simulated.windows)
    sites = cut.context(1)
    haplotypes = open_shards(simulated.shards).haplotypes(sites)
    frequency = torch.from_numpy(
        read_arrays(simulated.frequencies, "frequencies", "frequency")["frequency"][sites]
    )
    place = torch.from_numpy(cut.centimorgan[sites]).float()
    hidden = torch.from_numpy(np.random.default_rng(1).random(len(sites)) < 0.5)
    embedding = HaplotypeEmbedding(16)
    optimiser = torch.optim.Adam(embedding.parameters(), lr=0.05)
    tokens = torch.from_numpy(haplotypes).long().masked_fill(hidden, MASKED)
    for _ in range(steps):
        optimiser.zero_grad()
        embedding(tokens[:20], frequency, place).square().mean().backward()
        optimiser.step()
    with torch.no_grad():
        flat = embedding(tokens, frequency, place).flatten(1).double()
        squared = ((flat[:10, None] - flat[None]) ** 2).sum(-1)
        constant = (embedding.token.weight[0] - embedding.token.weight[1]).double().square().sum()
    hamming = (tokens[:10, None] != tokens[None]).sum(-1)
    torch.testing.assert_close(squared, constant * hamming, rtol=1e-4, atol=1e-3)


def test_as_few_are_judged_as_is_asked_for(simulated, tmp_path):
    inputs = [getattr(simulated, name) for name in ("genotypes", "samples", "windows")]
    inputs += [simulated.drawn("masks", "validation"), simulated.shards, tmp_path / "n.h5"]
    few = simulated.settings.neighbours.model_copy(update={"windows": 2})
    where = {"draw": "validation", "chromosome": "1", "seed": 1, "people": 3}
    neighbours(*inputs, settings=few, **where)
    found = read_arrays(tmp_path / "n.h5", "neighbours")
    whole = read_arrays(simulated.drawn("neighbours", "validation"), "neighbours")
    last = len(read_windows(simulated.windows)) - 1
    assert last > 1 and np.unique(found["window"]).tolist() == [0, last]
    assert np.unique(found["person"]).tolist() == np.unique(whole["person"])[:3].tolist()
    kept = np.isin(whole["window"], [0, last]) & np.isin(whole["person"], found["person"])
    assert (found["ids"] == whole["ids"][kept]).all()


def test_neighbours_on_disk_leave_everyone_out_of_their_own(simulated):
    found = read_arrays(simulated.drawn("neighbours", "001"), "neighbours")
    owner = rank_reference_samples(simulated.people)[found["person"]]
    assert (owner >= 0).all()
    assert not (found["ids"] // 2 == owner[:, None, None]).any()
    held_out = read_arrays(simulated.drawn("neighbours", "test"), "neighbours")
    assert (rank_reference_samples(simulated.people)[held_out["person"]] == -1).all()
    assert (held_out["ids"] >= 0).all()
