"""What becomes of a target's variants: compared with the panel's, one by one and as a whole file."""

import gzip
import re
import shutil

import numpy as np
import pandas as pd
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplorag.errors import InputError
from haplorag.imputation.diagnosis import check_diagnosis
from haplorag.imputation.imputer import open_imputer
from haplorag.imputation.site_matching import SiteMatcher, trim_variant
from haplorag.imputation.target import read_target
from haplorag.io.hdf5 import read_arrays
from haplorag.io.metadata import read_facts, write_facts
from haplorag.vcf.fates import FATES_OF_TARGETS
from haplorag.vcf.reader import read_vcf_header
from haplorag.vcf.writer import write_vcf

PANEL = ("variants/POS", "variants/REF", "variants/ALT", "calldata/GT")
FLIP = str.maketrans("ACGT", "TGCA")


@pytest.fixture
def read(panel_imputer, tmp_path):
    """Read a target; gives it whole."""

    def run(path, imputer=panel_imputer):
        scratch = tmp_path / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        return read_target(path, read_vcf_header(path), open_imputer(imputer), scratch)

    return run


@pytest.fixture(scope="module")
def sites(simulated):
    """The panel's sites, and the genotypes of three of its people there."""
    arrays = read_arrays(simulated.genotypes, "genotypes", *PANEL)
    position, ref, alt = (arrays[name].tolist() for name in PANEL[:3])
    palindromic = [one.translate(FLIP) == two for one, two in zip(ref, alt, strict=True)]
    calls = arrays["calldata/GT"][:, :3]
    return pd.DataFrame(
        {"position": position, "ref": ref, "alt": alt, "palindromic": palindromic}
    ), calls


def write(path, table, calls, people=("x", "y", "z")):
    region = table["position"].to_numpy(), table[["ref", "alt"]].to_numpy(), calls
    write_vcf(path, list(people), {"1": region})
    return path


def count(target):
    return target.fates["fate"].value_counts().to_dict()


def match(panel, target):
    position, ref, alt = (np.array(column) for column in zip(*panel, strict=True))
    return SiteMatcher(position, ref, alt).match(*target)


@pytest.mark.parametrize(
    ("panel", "target", "fate"),
    [
        # A deletion is no insertion the other way round, whatever the genotypes.
        ((10, "AT", "A"), (10, "A", "AT"), "allele_mismatch"),
        # The other strand of an indel is reversed too, and its position moves: not guessed.
        ((10, "AT", "A"), (10, "TA", "T"), "allele_mismatch"),
        ((10, "AT", "A"), (10, "AT", "A"), "typed"),
        ((10, "AC", "GT"), (10, "GT", "AC"), "allele_mismatch"),
        # One deletion of an A, and one SNP, written in two ways.
        ((10, "CA", "C"), (10, "CAA", "CA"), "typed"),
        ((11, "A", "C"), (10, "TAG", "TCG"), "typed"),
        ((10, "TA", "TC"), (11, "A", "C"), "typed"),
        ((11, "A", "C"), (10, "TCG", "TAG"), "ref_alt_swapped"),
        ((10, "A", "C"), (10, "C", "A"), "ref_alt_swapped"),
        ((10, "A", "C"), (10, "T", "G"), "strand_flip"),
        ((10, "A", "C"), (10, "G", "T"), "strand_flip_swapped"),
        ((10, "A", "T"), (10, "T", "A"), "palindromic_mismatch"),
        ((10, "A", "C"), (10, "A", "."), "hom_ref"),
        ((10, "A", "C"), (10, "C", "."), "allele_mismatch"),
        ((10, "AT", "A"), (10, "A", "."), "allele_mismatch"),
        ((10, "A", "C"), (11, "A", "."), "target_only"),
    ],
)
def test_alleles_taken_as_the_same(panel, target, fate):
    assert match([panel], target).fate == fate


@given(
    st.text("ACGT", min_size=1, max_size=5),
    st.text("ACGT", min_size=1, max_size=5),
    st.text("ACGT", min_size=3, max_size=4),
)
def test_trimming_keeps_the_variant(ref, alt, flank):
    """Put into the sequence, the variant's short form gives what its long form gives."""
    sequence = flank + ref + flank
    position, short, other = trim_variant(len(flank) + 1, ref, alt)
    start = position - 1
    assert sequence[start : start + len(short)] == short and short and other
    assert sequence[:start] + other + sequence[start + len(short) :] == flank + alt + flank
    assert trim_variant(position, short, other) == (position, short, other)
    assert len(short) == 1 or len(other) == 1 or short[-1] != other[-1]


def flip(sites, rows):
    """Sites with some rows on the other strand, REF set to the panel's wherever it can be."""
    table, calls = sites[0].copy(), sites[1].copy()
    for row in np.flatnonzero(rows):
        ref, alt = (table.at[row, word].translate(FLIP) for word in ("ref", "alt"))
        if sites[0]["palindromic"][row]:
            # REF is set to the panel's by who knows the reference genome: it looks as it should.
            ref, alt, calls[row] = alt, ref, 1 - calls[row]
        table.loc[row, ["ref", "alt"]] = ref, alt
    return table, calls


def test_palindromes_of_a_flipped_file_are_not_used_as_typed(read, sites, tmp_path):
    every = np.ones(len(sites[0]), dtype=bool)
    target = read(write(tmp_path / "t.vcf.gz", *flip(sites, every)))
    palindromes = int(sites[0]["palindromic"].sum())
    assert palindromes > 20 and target.diagnosis.strand == "reverse"
    assert count(target) == {
        "strand_flip": len(every) - palindromes,
        "palindromic_unsure": palindromes,
    }
    part = target.chromosomes[0]
    assert not sites[0]["palindromic"][part.typed].any()
    found = part.read_haplotypes(part.typed).reshape(3, 2, -1)
    np.testing.assert_array_equal(found.transpose(2, 0, 1), sites[1][part.typed])


def test_palindromes_of_a_mixed_file_are_not_used_as_typed(read, sites, tmp_path):
    target = read(write(tmp_path / "t.vcf.gz", *flip(sites, np.arange(len(sites[0])) % 3 == 0)))
    assert target.diagnosis.strand == "mixed"
    assert not sites[0]["palindromic"][target.chromosomes[0].typed].any()


def test_palindromes_of_a_forward_file_are_typed(read, sites, tmp_path):
    rows = np.arange(len(sites[0])) == int(np.flatnonzero(~sites[0]["palindromic"])[5])
    target = read(write(tmp_path / "t.vcf.gz", *flip(sites, rows)))
    assert target.diagnosis.strand == "forward"
    assert count(target) == {"typed": len(rows) - 1, "strand_flip": 1}


def write_by_chance(path, table, seed=3):
    """A file of another build: positions and alleles are those of no site of the panel, but by
    chance.
    """
    generator = np.random.default_rng(seed)
    last = int(table["position"].max())
    places = np.sort(generator.choice(last, min(7000, last // 3), replace=False) + 1)
    rows = table.sample(len(places), replace=True, random_state=seed)
    other = pd.DataFrame(
        {"position": places, "ref": rows["ref"].to_numpy(), "alt": rows["alt"].to_numpy()}
    )
    return write(path, other, generator.integers(0, 2, (len(places), 3, 2)).astype(np.int8))


def test_another_build_is_refused_by_that_word(read, sites, simulated, tmp_path):
    target = read(write_by_chance(tmp_path / "t.vcf.gz", sites[0]))
    assert 0 < target.diagnosis.matched < 0.1 * target.diagnosis.variants
    settings = simulated.settings.imputation
    with pytest.raises(InputError, match=r"of another genome build.*overrule to \[build\]"):
        check_diagnosis(tmp_path / "t.vcf.gz", target.diagnosis, settings)
    overruled = settings.model_copy(update={"overrule": ["build"]})
    check_diagnosis(tmp_path / "t.vcf.gz", target.diagnosis, overruled)


def test_limits_stop_a_target_and_can_be_overruled(read, sites, simulated, tmp_path):
    table = sites[0].iloc[::10].reset_index(drop=True)
    more = [place for place in range(int(table["position"].max())) if place % 50 == 7]
    new = pd.DataFrame({"position": more, "ref": "A", "alt": "C"})
    new = new[~new["position"].isin(sites[0]["position"]) & (new["position"] > 0)]
    both = pd.concat([table, new]).sort_values("position")
    target = read(write(tmp_path / "t.vcf.gz", both, np.zeros((len(both), 3, 2), np.int8)))
    settings = simulated.settings.imputation
    with pytest.raises(InputError, match=r"min_overlap 0.5.*many sites that the panel lacks"):
        check_diagnosis(tmp_path / "t.vcf.gz", target.diagnosis, settings)
    for change in ({"overrule": ["overlap"]}, {"min_overlap": 0.0}):
        check_diagnosis(tmp_path / "t.vcf.gz", target.diagnosis, settings.model_copy(update=change))
    every = np.ones(len(sites[0]), dtype=bool)
    flipped = read(write(tmp_path / "f.vcf.gz", *flip(sites, every))).diagnosis
    check_diagnosis(tmp_path / "f.vcf.gz", flipped, settings)
    strict = settings.model_copy(update={"max_flips": 10})
    with pytest.raises(InputError, match=r"strand_flip=\d+ SNPs .* as a whole is reverse"):
        check_diagnosis(tmp_path / "f.vcf.gz", flipped, strict)


def test_hom_ref_with_alt_dot_is_two_ref_alleles(read, sites, tmp_path):
    """A person who has REF twice is the same, whether the file names another allele or not."""
    table, calls = sites[0].copy(), sites[1][:, :1]
    plain = read(write(tmp_path / "a.vcf.gz", table, calls, ["x"])).chromosomes[0]
    expected = plain.read_haplotypes(plain.typed)
    reference = (calls == 0).all(axis=(1, 2))
    table.loc[reference, "alt"] = "."
    dotted = read(write(tmp_path / "b.vcf.gz", table, calls, ["x"]))
    assert count(dotted) == {"hom_ref": reference.sum(), "typed": (~reference).sum()}
    part = dotted.chromosomes[0]
    np.testing.assert_array_equal(part.typed, plain.typed)
    np.testing.assert_array_equal(part.read_haplotypes(part.typed), expected)


def write_lines(path, source, change):
    """Write the demo target with its lines, as lists of columns, changed by a function."""
    lines = gzip.decompress(source.read_bytes()).decode().splitlines()
    head = [line for line in lines if line.startswith("#")]
    rows = [line.split("\t") for line in lines if line[0] != "#"]
    rows = change(rows)
    path.write_text("\n".join([*head, *("\t".join(row) for row in rows)]) + "\n")
    return path


@pytest.fixture(scope="module")
def demo(simulated):
    return simulated.folder / "demo/target.vcf.gz"


def test_duplicates_of_a_panel_site_the_called_one_is_used(read, demo, tmp_path):
    def change(rows):
        for row in rows[:3]:
            empty = [*row[:9], *("./." for _ in row[9:])]
            empty[3], empty[4] = row[4], row[3]
            yield from (empty, row)
        yield from rows[3:]

    whole = read(demo).chromosomes[0]
    expected = whole.read_haplotypes(whole.typed)
    target = read(write_lines(tmp_path / "t.vcf", demo, change))
    part = target.chromosomes[0]
    np.testing.assert_array_equal(part.read_haplotypes(part.typed), expected)
    assert count(target)["duplicate_site"] == 3


def test_input_lost_every_allele_of_every_record_has_a_row(read, demo, tmp_path, caplog):
    odd = [["1", "1", "A", "C,<DEL>,*"], ["1", "2", "A", "."], ["1", "3", "N", "C"]]

    def change(rows):
        calls = ["0|0"] * (len(rows[0]) - 9)
        first = [[*row[:2], ".", *row[2:], ".", "q9", ".", "GT", *calls] for row in odd]
        first.insert(0, ["1", "0", ".", "A", "C", ".", ".", ".", "GT", *calls])
        away = [["7", *row[1:]] for row in rows[:50]]
        return [*first, *rows, *away]

    path = write_lines(tmp_path / "t.vcf", demo, change)
    target = read(path)
    alleles = sum(
        line.split("\t")[4].count(",") + 1
        for line in path.read_text().splitlines()
        if line[0] != "#"
    )
    assert len(target.fates) == alleles
    assert set(target.fates["fate"]) <= set(FATES_OF_TARGETS)
    assert target.fates["explanation"].notna().all()
    assert count(target)["other_chromosome"] == 50 and target.records["7"] == 50
    assert (target.fates["remarks"].str.contains("filter_fail")).sum() == 5
    assert "filter_fail=3 (first at 1:1)" in caplog.text
    assert "multiallelic=1 (first at 1:1)" in caplog.text
    expected = {"telomere": 1, "symbolic": 1, "star": 1, "non_acgt": 1}
    assert {fate: count(target)[fate] for fate in expected} == expected


def test_records_of_other_chromosomes_are_counted_not_their_alleles(read, demo, tmp_path, caplog):
    def change(rows):
        calls = ["0|0"] * (len(rows[0]) - 9)
        return [*rows, ["7", "9", ".", "A", "C,G", ".", ".", ".", "GT", *calls]]

    read(write_lines(tmp_path / "t.vcf", demo, change))
    assert "other_chromosome=1 records" in caplog.text


@pytest.mark.parametrize("is_declared", [True, False])
def test_an_autosome_23_beside_x_is_not_taken_for_it(
    read, demo, panel_imputer, tmp_path, is_declared
):
    """Cattle have both; two chromosomes in one store would be each other's genotypes."""
    folder = shutil.copytree(panel_imputer, tmp_path / "imputer")
    (folder / "1").rename(folder / "X")
    facts = read_facts(folder / "imputer.json", "imputer")
    facts["chromosomes"] = ["X"]
    facts["files"] = {
        name.replace("1/", "X/", 1) if name.startswith("1/") else name: of
        for name, of in facts["files"].items()
    }
    write_facts(folder / "imputer.json", "imputer", facts)

    def change(rows):
        away = [["23", str(number), *row[2:]] for number, row in enumerate(rows[:5], start=1)]
        return [*away, *(["X", *row[1:]] for row in rows)]

    path = write_lines(tmp_path / "t.vcf", demo, change)
    if is_declared:
        text = path.read_text().replace("#CHROM", "##contig=<ID=X>\n##contig=<ID=23>\n#CHROM", 1)
        path.write_text(text)
        target = read(path, folder)
        assert [part.name for part in target.chromosomes] == ["X"]
        assert count(target)["other_chromosome"] == 5
    else:
        with pytest.raises(InputError, match="both 23 and X would be the imputer's chromosome X"):
            read(path, folder)


def test_input_lost_a_stale_index_of_a_target_is_refused(read, demo, tmp_path):
    path = write_lines(tmp_path / "t.vcf", demo, lambda rows: rows)
    pysam.tabix_compress(str(path), f"{path}.gz")
    pysam.tabix_index(f"{path}.gz", preset="vcf")
    longer = write_lines(
        tmp_path / "t.vcf", demo, lambda rows: [*rows, *(["2", *row[1:]] for row in rows[:4])]
    )
    pysam.tabix_compress(str(longer), f"{path}.gz", force=True)
    with pytest.raises(InputError, match="has 4 records on chromosome 2, its index counts 0"):
        read(tmp_path / "t.vcf.gz")


def test_input_lost_small_letters_change_nothing(read, demo, tmp_path):
    def change(rows):
        return [[*row[:3], row[3].lower(), row[4].lower(), *row[5:]] for row in rows]

    target = read(write_lines(tmp_path / "t.vcf", demo, change))
    assert count(target) == count(read(demo))
    assert set(target.fates["remarks"]) == {"lower_case"}


def test_a_chromosome_of_unknown_sites_does_not_undo_the_others(
    read, demo, panel_imputer, tmp_path, caplog
):
    folder = shutil.copytree(panel_imputer, tmp_path / "imputer")
    shutil.copytree(folder / "1", folder / "2")
    facts = read_facts(folder / "imputer.json", "imputer")
    facts["chromosomes"] = ["1", "2"]
    ours = {name: of for name, of in facts["files"].items() if name.startswith("1/")}
    facts["files"] |= {f"2/{name[2:]}": of for name, of in ours.items()}
    write_facts(folder / "imputer.json", "imputer", facts)

    def change(rows):
        return [
            *rows,
            *(["2", str(1000 + number), *row[2:]] for number, row in enumerate(rows[:5])),
        ]

    target = read(write_lines(tmp_path / "t.vcf", demo, change), folder)
    assert [part.name for part in target.chromosomes] == ["1"]
    assert (target.fates["chromosome"] == "2").sum() == 5
    assert re.search("overlap=0 on chromosome 2: none of its sites", caplog.text)
