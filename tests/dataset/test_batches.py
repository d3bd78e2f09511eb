"""Batches: a function of their number, wherever and whenever they are cut."""

from dataclasses import fields
from itertools import groupby

import numpy as np
import pytest
import torch

from haplorag.dataset.batches import cut_items, iterate_in_order, iterate_shuffled
from haplorag.dataset.chromosome import open_chromosomes
from haplorag.prefetch import prefetching
from support import SEED, batch_of, draw_of, panel_of


@pytest.fixture(scope="module")
def chromosomes(simulated):
    return open_chromosomes(panel_of(simulated), draw_of(simulated, "001"))


def assert_equal(first, second):
    """Two batches, or what the model over the panel says in them, are the same bit for bit."""
    for field in fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, torch.Tensor):
            assert torch.equal(one, other), field.name
        elif field.name == "mosaic" and one is not None:
            assert_equal(one, other)
        else:
            assert one == other, field.name


def test_batches_made_ahead_are_the_same(simulated, chromosomes):
    reads = simulated.settings.network["copying"]
    alone = list(iterate_shuffled(chromosomes, 4, reads, SEED, 1))
    with prefetching(iterate_shuffled(chromosomes, 4, reads, SEED, 1)) as items:
        for (batch, labels), (ahead, ahead_labels) in zip(alone, items, strict=True):
            assert_equal(batch, ahead)
            assert torch.equal(labels, ahead_labels)


def test_a_batch_is_a_function_of_its_number(simulated, chromosomes):
    reads = simulated.settings.network["embedding_rag_v18"]
    whole = list(iterate_shuffled(chromosomes, 4, reads, SEED, 1))
    some = list(iterate_shuffled(chromosomes, 4, reads, SEED, 1, lambda number: number % 3 == 2))
    assert [pair is None for pair in some] == [number % 3 != 2 for number in range(len(whole))]
    for all_of, pair in zip(whole, some, strict=True):
        if pair:
            assert_equal(all_of[0], pair[0])


def test_a_fixed_draw_comes_in_order_and_whole(simulated):
    (chromosome,) = open_chromosomes(panel_of(simulated), draw_of(simulated, "test"))
    reads = simulated.settings.network["embedding_rag_v18"]
    pieces = list(iterate_in_order(chromosome, 5, reads))
    places = [(piece.mask, piece.window) for piece in pieces]
    assert places == sorted(places)
    assert all(len(piece.labels) == 2 * len(piece.people) <= 10 for piece in pieces)
    people = np.unique(chromosome.retrieved.person)
    for _, group in groupby(pieces, key=lambda piece: (piece.mask, piece.window)):
        np.testing.assert_array_equal(np.concatenate([piece.people for piece in group]), people)


def test_the_first_people_count(simulated):
    (chromosome,) = open_chromosomes(panel_of(simulated), draw_of(simulated, "test"))
    reads = simulated.settings.network["embedding_rag_v18"]
    people = np.unique(chromosome.retrieved.person)
    for piece in iterate_in_order(chromosome, 100, reads, limit=3):
        np.testing.assert_array_equal(piece.people, people[:3])


@pytest.mark.parametrize("model", ["copying", "embedding_rag_v18"])
def test_nothing_counts_beyond_a_networks_reach(simulated, chromosomes, model):
    reads = simulated.settings.network[model].model_copy(
        update={"flank_typed": 3, "panel_typed": 5}
    )
    chromosome = chromosomes[0]
    for items in chromosome.retrieved.group()[:3]:
        near, far = (chromosome.read(items, typed) for typed in (reads.reach, 10_000))
        assert near.haplotypes.shape[1] < far.haplotypes.shape[1]
        (batch, labels), (other, others) = (
            cut_items(chromosome, read, reads) for read in (near, far)
        )
        assert_equal(batch, other)
        assert torch.equal(labels, others)


def test_items_that_are_taken_keep_what_is_theirs(chromosomes):
    chromosome = chromosomes[0]
    items = chromosome.retrieved.group()[0]
    whole, some = chromosome.read(items, 8), np.array([0, 3])
    taken, alone = whole.take(some), chromosome.read(items[some], 8)
    np.testing.assert_array_equal(taken.items, items[some])
    np.testing.assert_array_equal(taken.haplotypes, alone.haplotypes)
    np.testing.assert_array_equal(taken.ids, alone.ids)


def test_chromosomes_have_as_many_paths(simulated):
    panel, draw = panel_of(simulated), draw_of(simulated, "test")
    draw.masks.append(draw.masks[0])
    with pytest.raises(ValueError, match="longer"):
        open_chromosomes(panel, draw)


def test_a_batch_for_a_gpu_waits_in_pinned_memory(monkeypatch):
    """All of it, from where the GPU copies by itself; for the cores it stays where it is."""
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    batch, _ = batch_of()
    assert batch.pin_for(torch.device("cpu")) is batch
    assert not pinned
    assert_equal(batch.pin_for(torch.device("cuda")), batch)
    tensors = [getattr(one, field.name) for one in (batch, batch.mosaic) for field in fields(one)]
    tensors = [tensor for tensor in tensors if isinstance(tensor, torch.Tensor)]
    assert {id(tensor) for tensor in pinned} == {id(tensor) for tensor in tensors}
