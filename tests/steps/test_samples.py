"""Roles: stratified, disjoint, seeded, joined by name, or as a file says."""

import numpy as np
import pandas as pd
import pytest

from haplorag.errors import InputError
from haplorag.panel.samples import draw_roles, read_panel_file, read_roles, read_samples
from haplorag.settings import SampleSettings
from haplorag.steps.samples import samples

SHARES = SampleSettings(validation=0.1, test=0.2, most=100, roles=None)


def table_of(sizes: dict[str, int]) -> pd.DataFrame:
    return pd.DataFrame({"population": [name for name, size in sizes.items() for _ in range(size)]})


def test_every_population_gives_its_share():
    table = table_of({"A": 100, "B": 50, "C": 7})
    table["role"] = draw_roles(table, SHARES, seed=1)
    counts = table.groupby(["population", "role"]).size().unstack(fill_value=0)
    assert counts.loc["A"].to_dict() == {"reference": 70, "test": 20, "validation": 10}
    assert (np.abs(counts.div(counts.sum(axis=1), axis=0)["test"] - 0.2) < 0.15).all()


def test_tiny_populations_owe_each_other_nothing():
    table = table_of(dict.fromkeys("ABCDEFGHIJ", 2))
    roles = pd.Series(draw_roles(table, SHARES, seed=1)).value_counts()
    assert roles.to_dict() == {"reference": 14, "test": 4, "validation": 2}


def test_of_a_large_panel_no_more_are_held_out_than_figures_need():
    table = table_of({"A": 3000, "B": 1000})
    table["role"] = draw_roles(table, SHARES, seed=1)
    counts = table.groupby(["population", "role"]).size().unstack(fill_value=0)
    assert counts.loc["A"].to_dict() == {"reference": 2850, "test": 75, "validation": 75}
    assert counts.loc["B"].to_dict() == {"reference": 950, "test": 25, "validation": 25}


def test_roles_depend_on_the_seed_only():
    table = table_of({"A": 40})
    assert (draw_roles(table, SHARES, 1) == draw_roles(table, SHARES, 1)).all()
    assert (draw_roles(table, SHARES, 1) != draw_roles(table, SHARES, 2)).any()


def test_who_only_imputes_holds_nobody_out(simulated, tmp_path):
    demo = simulated.folder / "demo"
    settings = SampleSettings(validation=0, test=0, most=100, roles=None)
    vcf, panel = demo / "1.vcf.gz", demo / "panel.tsv"
    samples(vcf, tmp_path / "s.tsv", people=panel, settings=settings, seed=1)
    assert set(pd.read_csv(tmp_path / "s.tsv", sep="\t")["role"]) == {"reference"}


def test_a_role_file_decides(simulated, tmp_path):
    names = simulated.people["sample"].tolist()
    lines = [
        f"{name}\t{('reference', 'validation', 'test')[number % 3]}"
        for number, name in enumerate(names[:30])
    ]
    (tmp_path / "roles.tsv").write_text("sample\trole\n" + "\n".join(lines))
    demo = simulated.folder / "demo"
    samples(
        demo / "1.vcf.gz",
        tmp_path / "s.tsv",
        people=demo / "panel.tsv",
        settings=SHARES,
        seed=1,
        roles=tmp_path / "roles.tsv",
    )
    table = pd.read_csv(tmp_path / "s.tsv", sep="\t")
    assert table["role"].tolist() == [line.split("\t")[1] for line in lines]


@pytest.mark.parametrize(
    "text",
    [
        "sample\tpop\tsuper_pop\tgender\nA\tX\tY\tmale\n",
        "sample pop super_pop gender\nA X Y male\n",
        "\ufeffsample\tpop\tsuper_pop\r\nA\tX\tY\r\n",
        "sample\tsuper_pop\textra\tpop\nA\tY\tz\tX\n\n",
        "sample\tpop\tsuper_pop\tgender\t\t\nA\tX\tY\tmale\t\t\n",
    ],
)
def test_panel_files_of_all_kinds(tmp_path, text):
    (tmp_path / "panel.tsv").write_text(text, encoding="utf-8")
    table = read_panel_file(tmp_path / "panel.tsv")
    sex = "male" if "gender" in text else ""
    assert table.to_numpy().tolist() == [["A", "X", "Y", sex]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks the column sample"),
        ("sample\tpop\nA\tX\n", "lacks the column super_pop"),
        ("sample\tpop\tsuper_pop\nA\tX\n", "line 2 has 2 columns"),
        ("sample\tpop\tsuper_pop\nA\tX\tY\nA\tX\tY\n", "line 3 repeats the sample of line 2"),
    ],
)
def test_broken_panel_files_are_refused(tmp_path, text, message):
    (tmp_path / "panel.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_panel_file(tmp_path / "panel.tsv")


def test_names_stay_text(tmp_path):
    (tmp_path / "panel.tsv").write_text(
        "sample\tpop\tsuper_pop\n" + "".join(f"{n}\tX\tY\n" for n in ("0001", "NA", "1e5", "True"))
    )
    assert read_panel_file(tmp_path / "panel.tsv")["sample"].tolist() == [
        "0001",
        "NA",
        "1e5",
        "True",
    ]


def test_an_unknown_role_is_refused(tmp_path):
    (tmp_path / "roles.tsv").write_text("sample\trole\nA\tvalidate\n")
    with pytest.raises(
        InputError, match="line 2 has no known role in the column role; use one of reference"
    ):
        read_roles(tmp_path / "roles.tsv")


def test_nobody_in_common_is_refused(simulated, tmp_path):
    (tmp_path / "panel.tsv").write_text("sample\tpop\tsuper_pop\nnobody\tX\tY\n")
    with pytest.raises(InputError, match="none of its 1 people"):
        samples(
            simulated.folder / "demo/1.vcf.gz",
            tmp_path / "s.tsv",
            people=tmp_path / "panel.tsv",
            settings=SHARES,
            seed=1,
        )


def test_without_a_panel_file_everybody_is_taken(simulated, tmp_path):
    vcf, table = simulated.folder / "demo/1.vcf.gz", tmp_path / "s.tsv"
    samples(vcf, table, settings=SHARES.model_copy(update={"test": 0.0}), seed=1)
    assert read_samples(table)["sample"].tolist() == simulated.people["sample"].tolist()
    assert set(read_samples(table)["super_population"]) == {"unknown"}


def test_one_reference_person_is_too_few(simulated, tmp_path):
    roles = ["reference", "validation", "test"]
    lines = [
        f"{name}\t{role}" for name, role in zip(simulated.people["sample"], roles, strict=False)
    ]
    (tmp_path / "roles.tsv").write_text("sample\trole\n" + "\n".join(lines))
    demo, given = (
        simulated.folder / "demo",
        {"settings": SHARES, "seed": 1, "roles": tmp_path / "roles.tsv"},
    )
    with pytest.raises(InputError, match="one reference person has nobody to copy from"):
        samples(demo / "1.vcf.gz", tmp_path / "s.tsv", people=demo / "panel.tsv", **given)
