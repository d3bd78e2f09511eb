"""Relatives: found where chromosomes are long enough, and told apart from strangers."""

import logging

import numpy as np
import pandas as pd
import pytest

from haplorag.io.hdf5 import write_arrays
from haplorag.io.tables import read_table, write_table
from haplorag.qc import kinship
from haplorag.qc.kinship import find_relatives
from haplorag.steps.relatives import relatives

SITES = 4000


@pytest.fixture
def families():
    """Haplotypes 0/1 [2n, SITES]: 40 strangers of two populations, two children of 0 and 1, and
    person 5 once more.
    """
    generator = np.random.default_rng(3)
    frequency = generator.uniform(0.1, 0.9, (2, SITES))
    frequency[1] = np.clip(frequency[1] + generator.normal(0, 0.2, SITES), 0.05, 0.95)
    founders = np.concatenate(
        [(generator.random((40, SITES)) < one).astype(np.int8) for one in frequency]
    )

    def pass_on(parent):
        takes = np.cumsum(generator.random(SITES) < 0.003) + generator.integers(2)
        return np.where(takes % 2, founders[2 * parent], founders[2 * parent + 1])

    children = [pass_on(parent) for _ in range(2) for parent in (0, 1)]
    return np.concatenate([founders, children, founders[10:12]])


def dosage_of(haplotypes):
    return haplotypes.reshape(-1, 2, haplotypes.shape[1]).sum(axis=1).astype(np.int8)


def test_children_siblings_and_twins_are_found_and_nobody_else(families):
    population = np.array(["a"] * 20 + ["b"] * 20 + ["a"] * 3)
    found = find_relatives(dosage_of(families), population)
    estimates = {
        tuple(pair): value for pair, value in zip(found.pairs.tolist(), found.kinship, strict=True)
    }
    assert set(estimates) == {(0, 40), (1, 40), (0, 41), (1, 41), (40, 41), (5, 42)}
    assert estimates[5, 42] == pytest.approx(0.5, abs=1e-6)
    assert all(
        value == pytest.approx(0.25, abs=0.05)
        for pair, value in estimates.items()
        if pair != (5, 42)
    )
    assert found.spread < 0.03


def test_people_are_compared_in_blocks(families, monkeypatch):
    dosage, population = dosage_of(families), np.zeros(len(families) // 2)
    whole = find_relatives(dosage, population)
    monkeypatch.setattr(kinship, "ROWS", 7)
    cut = find_relatives(dosage, population)
    assert cut.pairs.tolist() == whole.pairs.tolist()
    assert (cut.kinship == whole.kinship).all() and cut.spread == whole.spread


def test_of_very_many_pairs_the_closest_are_kept(families, monkeypatch):
    dosage, population = dosage_of(families[:, :60]), np.zeros(len(families) // 2)
    every = find_relatives(dosage, population)
    assert every.found == len(every.pairs) > 8
    monkeypatch.setattr(kinship, "MOST_PAIRS", 8)
    few = find_relatives(dosage, population)
    assert few.found == every.found and len(few.pairs) == 8
    assert sorted(few.kinship) == sorted(every.kinship)[-8:]


def test_missing_genotypes_do_not_count(families):
    dosage = dosage_of(families)
    dosage[:, ::2] = np.where(
        np.random.default_rng(1).random(dosage[:, ::2].shape) < 0.3, -1, dosage[:, ::2]
    )
    found = find_relatives(dosage, np.zeros(len(dosage)))
    assert {tuple(pair) for pair in found.pairs.tolist()} == {
        (0, 40),
        (1, 40),
        (0, 41),
        (1, 41),
        (40, 41),
        (5, 42),
    }


def write_case(folder, haplotypes):
    people = len(haplotypes) // 2
    roles = ["reference"] * (people - 3) + ["test"] * 3
    names, population = (
        [f"person {row}" for row in range(people)],
        ["b" if 20 <= row < 40 else "a" for row in range(people)],
    )
    table = {"sample": names, "population": population, "super_population": "S", "role": roles}
    write_table(folder / "samples.tsv", pd.DataFrame(table))
    calls = haplotypes.T.reshape(-1, people, 2)
    write_arrays(
        folder / "1.h5",
        "genotypes",
        {"calldata/GT": calls},
        vcf="1.vcf",
        chromosome="1",
        sha256="",
        sources="{}",
    )
    frequency = haplotypes.mean(axis=0, dtype=np.float32)
    arrays = {"frequency": frequency, "genotype_frequency": np.zeros((len(calls), 3), np.float32)}
    arrays |= {"populations": np.array(["S"]), "population_frequency": frequency[None]}
    arrays |= {"population_genotype_frequency": np.zeros((1, len(calls), 3), np.float32)}
    write_arrays(folder / "f.h5", "frequencies", arrays, sources="{}")
    relatives(
        folder / "samples.tsv",
        folder / "o.tsv",
        genotypes=[folder / "1.h5"],
        frequencies=[folder / "f.h5"],
    )
    return read_table(folder / "o.tsv")


def test_pairs_across_roles_are_warned_of_without_names(families, tmp_path, caplog):
    caplog.set_level(logging.INFO, "haplorag")
    table = write_case(tmp_path, families)
    assert len(table) == 6
    assert (table["first_role"] != table["second_role"]).sum() == 5
    assert {"person 5", "person 42"} in [
        set(row) for row in table[["first", "second"]].itertuples(index=False)
    ]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "related_pairs=6" in record.message and "5 of them in different roles" in record.message
    assert "person" not in record.message.replace("of people", "").replace(str(tmp_path), "")


def test_a_short_stretch_cannot_tell(families, tmp_path, caplog):
    caplog.set_level(logging.INFO, "haplorag")
    assert len(write_case(tmp_path, families[:, :60])) >= 6
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "cannot tell relatives from strangers" in record.message


def test_strangers_have_no_relatives(families, tmp_path, caplog):
    caplog.set_level(logging.INFO, "haplorag")
    assert not len(write_case(tmp_path, families[:40]))
    assert "no relatives" in caplog.text
