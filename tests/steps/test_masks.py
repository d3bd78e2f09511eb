"""Masks: pure functions of seed and name, with the rates they promise, blind to genotypes."""

import gzip
import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplorag import masking
from haplorag.errors import InputError
from haplorag.io.hdf5 import read_arrays
from haplorag.masking import choose_rate, draw_chromosome, draw_mask, tabulate_rates
from haplorag.panel.masked_window import choose_typed_columns
from haplorag.retrieval.neighbours import choose_items
from haplorag.seeding import seed_of
from haplorag.settings import Curriculum, Mask
from haplorag.steps.masks import read_given

SITES = 20_000
GENERATOR = np.random.default_rng(3)
FREQUENCY = GENERATOR.beta(0.2, 1.0, SITES)
POSITION = np.sort(GENERATOR.choice(10**7, SITES, replace=False))
MAF = np.minimum(FREQUENCY, 1 - FREQUENCY)


def draw(strategy: str, rate: float, seed: int = 1) -> np.ndarray:
    return draw_mask(Mask(strategy=strategy), rate, FREQUENCY, POSITION, seed)


@pytest.mark.parametrize("strategy", ["random", "span", "maf_stratified"])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_rates_come_out_as_asked(strategy, rate):
    assert draw(strategy, rate).mean() == pytest.approx(rate, abs=0.015)


def test_af_guided_hides_rare_sites_at_seven_tenths():
    hidden = draw("af_guided", 0.3)
    assert hidden[MAF < 0.05].mean() == pytest.approx(0.70, abs=0.01)
    assert hidden[MAF >= 0.05].mean() == pytest.approx(0.30, abs=0.02)


def test_span_is_one_block():
    hidden = draw("span", 0.4)
    assert np.abs(np.diff(hidden.astype(int))).sum() <= 2


def test_stratified_hides_each_class_alike():
    hidden = draw("maf_stratified", 0.5)
    for low, high in ((0, 0.005), (0.005, 0.01), (0.01, 0.05), (0.05, 0.51)):
        chosen = (low <= MAF) & (high > MAF)
        assert hidden[chosen].mean() == pytest.approx(0.5, abs=1.5 / chosen.sum())


def test_array_keeps_only_common_sites_evenly_spread():
    typed = ~draw("array", 0.95)
    assert MAF[typed].min() > 0.05
    assert typed.mean() == pytest.approx(0.05, abs=0.01)
    gaps = np.diff(POSITION[typed])
    assert np.percentile(gaps, 99) < 5 * gaps.mean()


@given(
    st.sampled_from(["random", "span", "maf_stratified", "af_guided", "array"]),
    st.floats(0, 1),
    st.integers(0, 2**60),
)
def test_equal_seed_gives_equal_mask(strategy, rate, seed):
    part = slice(0, 50)
    first, second = (
        draw_mask(Mask(strategy=strategy), rate, FREQUENCY[part], POSITION[part], seed)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_windows_are_drawn_on_their_own():
    cores = np.array([[0, 100], [100, 300]])
    whole = draw_chromosome(
        Mask(strategy="random"), 0.5, FREQUENCY[:300], POSITION[:300], cores, 1, "001"
    )
    alone = draw_chromosome(
        Mask(strategy="random"), 0.5, FREQUENCY[:100], POSITION[:100], cores[:1], 1, "001"
    )
    np.testing.assert_array_equal(whole[:100], alone)
    other = draw_chromosome(
        Mask(strategy="random"), 0.5, FREQUENCY[:300], POSITION[:300], cores, 1, "002"
    )
    assert (whole != other).any()


def test_no_function_can_be_given_a_genotype():
    names = {
        name
        for _, function in inspect.getmembers(masking, inspect.isfunction)
        for name in inspect.signature(function).parameters
    }
    assert not {name for name in names if "geno" in name or "haplo" in name or "allele" in name}


def test_seeds_differ_by_every_name():
    seeds = {
        seed_of(*names)
        for names in ((1,), (2,), (1, "a"), (1, "b"), (1, "a", 0), (1, "a0"), (1, "a", "0", ""))
    }
    assert len(seeds) == 7


def test_the_curriculum_rises_and_stays():
    curriculum = Curriculum(mixture={"a": Mask(strategy="random")}, rates=[0.1, 0.5], every=2)
    assert [choose_rate(curriculum, epoch) for epoch in range(1, 7)] == [
        0.1,
        0.1,
        0.5,
        0.5,
        0.5,
        0.5,
    ]


def test_typed_columns_by_eye():
    hidden = np.array([0, 1, 0, 0, 1, 0, 1, 0, 0, 0], dtype=bool)
    columns, core = choose_typed_columns(hidden, (4, 6), 2)
    assert columns.tolist() == [2, 3, 5, 7, 8] and core == (2, 3)
    columns, core = choose_typed_columns(hidden, (4, 6), 0)
    assert columns.tolist() == [5] and core == (0, 1)


def test_items_have_one_mask_a_window(settings):
    curriculum = settings.masks.training
    mask, window, person = choose_items(curriculum, np.arange(50), 12, settings.neighbours, 1, "x")
    assert len(mask) == 12 * settings.neighbours.people_per_window
    for number in range(12):
        mine = window == number
        assert len(set(mask[mine])) == 1
        assert len(set(person[mine])) == settings.neighbours.people_per_window


def test_of_many_windows_an_epoch_meets_about_so_many_others_each_time(settings):
    curriculum, few = (
        settings.masks.training,
        settings.neighbours.model_copy(update={"windows": 30}),
    )
    met = [
        np.unique(choose_items(curriculum, np.arange(50), 300, few, 1, epoch)[1])
        for epoch in range(4)
    ]
    assert all(15 < len(windows) < 50 for windows in met)
    assert len(np.unique(np.concatenate(met))) > 70


def test_rates_are_tabulated_by_class():
    rows = tabulate_rates(["m"], np.array([[True, False, True]]), np.array([0.001, 0.2, 0.9]))
    assert [(row["sites"], row["hidden"]) for row in rows] == [(1, 1), (0, 0), (0, 0), (2, 1)]


def test_fixed_draws_on_disk_do_not_move(simulated):
    hidden = read_arrays(simulated.drawn("masks", "validation"), "masks")
    names = hidden["names"].tolist()
    assert sorted(names) == sorted(simulated.settings.masks.validation)
    assert hidden["hidden"][names.index("hide_50")].mean() == pytest.approx(0.5, abs=0.05)


def test_a_given_mask_is_matched_by_site(simulated, tmp_path):
    arrays = read_arrays(
        simulated.genotypes, "genotypes", "variants/POS", "variants/REF", "variants/ALT"
    )
    sites = list(zip(*arrays.values(), strict=True))
    rows = [
        f"chr1\t{position}\t{ref}\t{alt}\t{position % 2}" for position, ref, alt in reversed(sites)
    ]
    (tmp_path / "m.tsv").write_text("#CHROM\tPOS\tREF\tALT\todd\n" + "\n".join(rows))
    mask = Mask(strategy="given", file=str(tmp_path / "m.tsv"), column="odd")
    np.testing.assert_array_equal(
        read_given(mask, "1", simulated.genotypes), arrays["variants/POS"] % 2 == 1
    )
    (tmp_path / "m.tsv").write_text("#CHROM\tPOS\tREF\tALT\todd\n" + "\n".join(rows[1:]))
    with pytest.raises(InputError, match="lacks 1 sites of the panel"):
        read_given(mask, "1", simulated.genotypes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1\t1000\tA\tC\t1", "line 4 gives the site of line 2 the other flag"),
        ("chr1\t1000\tA\tC\t1", "line 4 gives the site of line 2 the other flag"),
        ("\t1000\tA\tC\t1", "line 4 lacks its CHROM"),
        ("1\t1000\t\tC\t1", "line 4 lacks its CHROM"),
        ("1\t-5\tA\tC\t1", "line 4 has no valid position"),
        (f"1\t{2**63}\tA\tC\t1", "line 4 has no valid position"),
        (f"1\t{'9' * 5000}\tA\tC\t1", "line 4 has no valid position"),
        ("1\tx\tA\tC\t1", "line 4 has no valid position"),
        ("1\t1002\tA\tC\t2", "line 4 has neither 0 nor 1"),
        ("1\t1002\tA\tC", "line 4 has neither 0 nor 1"),
        ("1\t1002\tA\tC\t1\t5", "not a table"),
    ],
)
def test_mask_tables_that_contradict_themselves_are_refused_by_line(
    line, message, simulated, tmp_path
):
    text = f"CHROM\tPOS\tREF\tALT\thide\n1\t1000\tA\tC\t0\n1\t1001\tA\tC\t0\n{line}\n"
    (tmp_path / "m.tsv").write_text(text)
    mask = Mask(strategy="given", file=str(tmp_path / "m.tsv"), column="hide")
    with pytest.raises(InputError, match=message):
        read_given(mask, "1", simulated.genotypes)


def test_a_site_twice_with_one_flag_is_taken(simulated, tmp_path):
    arrays = read_arrays(
        simulated.genotypes, "genotypes", "variants/POS", "variants/REF", "variants/ALT"
    )
    rows = [
        f"1\t{place}\t{ref}\t{alt}\t1\n" for place, ref, alt in zip(*arrays.values(), strict=True)
    ]
    text = "CHROM\tPOS\tREF\tALT\thide\n" + "".join(rows * 2)
    (tmp_path / "m.tsv.gz").write_bytes(gzip.compress(text.encode()))
    mask = Mask(strategy="given", file=str(tmp_path / "m.tsv.gz"), column="hide")
    assert read_given(mask, "1", simulated.genotypes).all()
