"""Retrieval on a GPU finds what FAISS finds, ties and all; here by PyTorch on the CPU."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from haplorag.gpu import search
from haplorag.panel.ploidy import find_own_rows
from haplorag.retrieval.search import search_neighbours

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def draw(generator, people, columns, queries):
    """Few founders, so that many haplotypes are as near; queries of the panel's own and of others."""
    founders = generator.integers(0, 2, (3, columns), dtype=np.uint8)
    panel = founders[generator.integers(0, 3, 2 * people)]
    panel = panel ^ (generator.random(panel.shape) < 0.02).astype(np.uint8)
    owner = generator.integers(-1, people, queries)
    asked = np.where(
        owner[:, None] >= 0, panel[2 * owner], panel[generator.integers(0, 2 * people, queries)]
    )
    asked = np.where(generator.random(asked.shape) < 0.05, -1, asked).astype(np.int8)
    return asked, panel, find_own_rows(np.arange(0, len(panel) + 1, 2), owner)


@given(st.integers(0, 2**32), st.integers(2, 30), st.integers(1, 90), st.integers(1, 8))
@limits(max_examples=40, deadline=None)
def test_it_finds_what_faiss_finds(settings, seed, people, columns, count):
    generator = np.random.default_rng(seed)
    asked, panel, own = draw(generator, people, columns, 6)
    start = int(generator.integers(0, columns))
    core = start, int(generator.integers(start, columns)) + 1
    wanted = settings.neighbours.model_copy(update={"count": count})
    expected = search_neighbours(asked, panel, core, own, wanted)
    found = search_neighbours(asked, panel, core, own, wanted, rank=search.rank_on(DEVICE))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_queries_may_go_one_after_another(settings, monkeypatch):
    asked, panel, own = draw(np.random.default_rng(1), 40, 200, 9)
    arguments = asked, panel, (50, 150), own, settings.neighbours
    expected = search_neighbours(*arguments, rank=search.rank_on(DEVICE))
    monkeypatch.setattr(search, "MOST_PAIRS", 2 * len(panel))
    found = search_neighbours(*arguments, rank=search.rank_on(DEVICE))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_precision_of_products_is_left_as_it_was():
    before = torch.get_float32_matmul_precision()
    with search._exact_products():
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == before
