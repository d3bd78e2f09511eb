"""Phasing against the panel: genotypes and known phase stay, most of the rest is found."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haplorag.li_stephens.parameters import CopyingModel
from haplorag.panel.ploidy import Ploidy
from haplorag.phasing.panel_model import (
    _choose_sweeps,
    open_phaser,
    phase_people,
    read_whole_haplotypes,
)
from haplorag.phasing.states import choose_states
from haplorag.phasing.sweep import go_back, go_forward
from haplorag.phasing.units import find_units
from haplorag.seeding import seed_of
from haplorag.settings import CopyingSetting, PhasingSettings
from support import SEED, PlainPanel

SITES, PEOPLE = 400, 6


def open_tiny(states: int):
    """A panel of 60 haplotypes that are mosaics of 12, and people whose haplotypes are, too."""
    generator = np.random.default_rng(seed_of(SEED, "phasing"))
    founders = generator.random((12, SITES)) < 0.3

    def copy(count: int) -> np.ndarray:
        rows = np.empty((count, SITES), np.uint8)
        for row in rows:
            cuts = [0, *sorted(generator.choice(SITES, 2, replace=False)), SITES]
            for low, high in pairwise(cuts):
                row[low:high] = founders[generator.integers(12), low:high]
        return rows

    panel, people = copy(60), copy(2 * PEOPLE).reshape(PEOPLE, 2, SITES).astype(np.int8)
    centimorgan = np.linspace(0, 4, SITES)
    model = CopyingModel(
        centimorgan * 2,
        np.full(SITES, 0.002, np.float32),
        (CopyingSetting(switching=1, mismatch=1),),
    )
    chosen = PhasingSettings(
        method="panel", states=states, burn_in=3, sweeps=4, draws=2, arguments=""
    )
    shards = PlainPanel(panel)
    return open_phaser(shards, np.arange(SITES), centimorgan, model, chosen), people


@pytest.fixture(scope="module", params=[60, 24], ids=["whole", "chosen"])
def tiny(request):
    return open_tiny(request.param)


def count_switch_errors(found: np.ndarray, truth: np.ndarray) -> tuple[int, int]:
    sites = np.flatnonzero(truth[0] != truth[1])
    turned = found[0, sites] != truth[0, sites]
    return int((turned[1:] != turned[:-1]).sum()), len(sites) - 1


def test_phase_is_found_whatever_the_order_of_alleles(tiny):
    phaser, people = tiny
    unphased = np.zeros(SITES, np.int32)
    errors, differ = np.array([0, 0]), 0
    for number, truth in enumerate(people):
        found, *draws = phaser.phase(np.sort(truth, axis=0), unphased, number)
        assert len(draws) == 2
        for one in draws:
            np.testing.assert_array_equal(np.sort(one, axis=0), np.sort(truth, axis=0))
            assert count_switch_errors(one, truth)[0] < 30
            differ += (one != found).any()
        np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(truth, axis=0))
        errors += count_switch_errors(found, truth)
    assert errors[0] < 0.02 * errors[1] and errors[1] > 500
    assert differ


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_genotypes_missing_alleles_and_sets_stay(tiny, seed):
    phaser, people = tiny
    generator = np.random.default_rng(seed)
    given_ = people[seed % PEOPLE].copy()
    given_[:, generator.random(SITES) < 0.1] = -1
    given_[1, :20] = -2
    # Long sets, short ones, some within each other, and sites in none.
    phase = np.repeat(generator.integers(0, 5, SITES // 8), 8).astype(np.int32)
    phase[generator.random(SITES) < 0.2] = 0
    heterozygous = (given_[0] != given_[1]) & (given_ >= 0).all(axis=0)
    for found in phaser.phase(given_, phase, seed):
        np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(given_, axis=0))
        same = given_[0] == found[0]
        for one in range(1, 5):
            assert len(set(same[heterozygous & (phase == one)].tolist())) <= 1
        np.testing.assert_array_equal(found[:, ~heterozygous], given_[:, ~heterozygous])


def test_people_do_not_depend_on_each_other_nor_on_threads(tiny):
    phaser, people = tiny
    given_ = [
        (np.sort(one, axis=0), np.zeros(SITES, np.int32), number)
        for number, one in enumerate(people)
    ]
    together = list(phase_people(phaser, given_, 2))
    for number, one in enumerate(given_):
        np.testing.assert_array_equal(phaser.phase(*one), together[number])
    other = [phaser.phase(genotypes, phase, 77) for genotypes, phase, _ in given_]
    assert any((one != two).any() for one, two in zip(other, together, strict=True))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 63), min_size=5, max_size=5))
def test_where_arrays_lie_in_memory_changes_no_bit(tiny, seed, offsets):
    """So that a person comes out the same whoever else is there, to the last bit of what is summed."""
    phaser, people = tiny
    alleles = np.sort(people[seed % PEOPLE], axis=0)
    units = find_units(alleles, np.zeros(SITES, np.int32))
    track = phaser._choose_track(alleles)
    uniform = np.random.default_rng(seed).random(len(units.begin))
    found = []
    for first, *rest in ([0] * 5, offsets):
        moved = track._replace(
            **{
                name: place(getattr(track, name), offset)
                for name, offset in zip(("carried", "switch", "mismatch"), rest, strict=False)
            }
        )
        back = place(np.ones((len(units.begin), 2, track.carried.shape[1]), np.float32), first)
        drawn = place(alleles, rest[-1])
        go_back(drawn, moved, units, back)
        go_forward(drawn, moved, units, back, uniform)
        found.append((back.tobytes(), drawn.tobytes()))
    assert found[0] == found[1]


def place(array: np.ndarray, offset: int) -> np.ndarray:
    """The same array, so many of its items from where a new one begins."""
    room = np.zeros(array.size + offset, array.dtype)
    room[offset:] = array.ravel()
    return room[offset:].reshape(array.shape)


@pytest.mark.parametrize(
    ("sweeps", "draws", "chosen"),
    [(8, 0, []), (8, 3, [1, 4, 7]), (4, 4, [0, 1, 2, 3]), (9, 1, [8])],
)
def test_draws_lie_apart(sweeps, draws, chosen):
    given_ = PhasingSettings(
        method="panel", states=8, burn_in=0, sweeps=sweeps, draws=draws, arguments=""
    )
    assert sorted(_choose_sweeps(given_)) == chosen


def test_there_are_no_more_draws_than_sweeps():
    with pytest.raises(ValueError, match="no more of them than sweeps"):
        PhasingSettings(method="panel", states=8, burn_in=0, sweeps=2, draws=3, arguments="")


def test_the_nearest_haplotypes_are_states_in_every_stretch():
    phaser, _ = open_tiny(24)
    panel = phaser.panel
    rows = panel.alleles[:, [3, 40]].T.astype(np.int8)
    states = choose_states(rows, panel, 24)
    assert len(states.ids) == len(states.site) == len(panel.first) > 3
    for ids in states.ids:
        assert {3, 40} <= set(ids.tolist()) and (np.diff(ids) > 0).all()
    for stretch in range(1, len(states.ids)):
        here, before = states.ids[stretch], states.ids[stretch - 1]
        for one, origin in zip(here, states.origin[stretch], strict=True):
            assert before[origin] == one if origin >= 0 else one not in before
    assert (states.origin[0] == -1).all()


def test_of_x_those_haplotypes_are_followed_that_go_all_the_way():
    panel = np.random.default_rng(3).integers(0, 2, (6, 4)).astype(np.uint8)
    # The second person is a man: two haplotypes at the first two sites, one at the others.
    ploidy = Ploidy(np.array([0, 2]), np.array([[2, 2, 2], [2, 1, 2]], np.int8))
    found = read_whole_haplotypes(PlainPanel(panel, ploidy), np.arange(4))
    np.testing.assert_array_equal(found, panel[[0, 1, 2, 4, 5]].T)
    both = read_whole_haplotypes(PlainPanel(panel, ploidy), np.arange(2))
    np.testing.assert_array_equal(both, panel[:, :2].T)
