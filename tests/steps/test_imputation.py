"""Imputing a user's VCF: typed genotypes stay, fates are told, and evaluation agrees."""

import gzip
import re
import shutil
import subprocess

import numpy as np
import pysam
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from haplorag.errors import InputError
from haplorag.evaluation.metrics import dosage_r2_by_site
from haplorag.gpu import choice, panel_bits
from haplorag.gpu.passes import GpuPasses
from haplorag.imputation import engine
from haplorag.io.checksums import checksum
from haplorag.io.hdf5 import opening_arrays, read_arrays, write_arrays
from haplorag.io.metadata import read_facts, write_facts
from haplorag.io.tables import read_table
from haplorag.li_stephens.passes import CorePasses
from haplorag.panel.haplotypes import SHARD_SUFFIX
from haplorag.panel.samples import find_samples
from haplorag.seeding import seed_of
from haplorag.steps.baselines import METHODS
from haplorag.steps.imputation import imputation
from haplorag.vcf.bgzf import read_pieces
from haplorag.vcf.writer import (
    LEVELS,
    estimate_information,
    estimate_r2,
    format_entry,
    write_vcf,
)
from support import SEED

PANEL = ("variants/POS", "variants/REF", "variants/ALT", "calldata/GT")


@pytest.fixture
def impute(imputer_folder, simulated, tmp_path):
    """Impute a target into `tmp_path`; gives the output's path."""

    def run(target, name="o.vcf.gz", imputer=imputer_folder, phasing=None, **changes):
        settings = simulated.settings.imputation.model_copy(update=changes)
        imputation(
            imputer, target, tmp_path / name, tmp_path / "sites.tsv", settings=settings,
            phasing=phasing,
        )  # fmt: skip
        return tmp_path / name

    return run


@pytest.fixture(scope="module")
def imputed(imputer_folder, simulated):
    output = simulated.folder / "imputation/demo.vcf.gz"
    target = simulated.folder / "demo/target.vcf.gz"
    imputation(
        imputer_folder,
        target,
        output,
        output.with_name("demo.sites.tsv"),
        settings=simulated.settings.imputation,
    )
    return output


def read(path, field="DS"):
    """Positions, INFO flags and a field of every person: int [S], list, float [S, n, ...]."""
    with pysam.VariantFile(str(path)) as vcf:
        records = list(vcf)
        values = [[np.ravel(call[field]) for call in record.samples.values()] for record in records]
    return (
        np.array([record.pos for record in records]),
        [set(record.info) for record in records],
        np.array(values, float),
    )


def test_every_panel_site_comes_out(imputed, simulated):
    position, flags, _ = read(imputed)
    np.testing.assert_array_equal(
        position, read_arrays(simulated.genotypes, "genotypes", *PANEL)["variants/POS"]
    )
    assert {frozenset(flag & {"IMP", "TYPED"}) for flag in flags} == {
        frozenset({"IMP"}),
        frozenset({"TYPED"}),
    }


def test_typed_genotypes_stay(imputed, simulated):
    with pysam.VariantFile(str(simulated.folder / "demo/target.vcf.gz")) as target:
        given_ = {
            (r.pos, r.alts): [call["GT"] for call in r.samples.values()] for r in target.fetch("1")
        }
    with pysam.VariantFile(str(imputed)) as vcf:
        typed = {
            (r.pos, r.alts): [call["GT"] for call in r.samples.values()]
            for r in vcf
            if "TYPED" in r.info
        }
    assert len(typed) > 20
    assert typed == given_


def test_imputed_dosages_are_near_the_truth(imputed, simulated):
    position, flags, dosage = read(imputed)
    with pysam.VariantFile(str(simulated.folder / "demo/target.truth.vcf.gz")) as vcf:
        truth = {r.pos: [sum(call["GT"]) for call in r.samples.values()] for r in vcf.fetch("1")}
    hidden = np.array(["IMP" in flag for flag in flags])
    errors = np.abs(dosage[..., 0] - np.array([truth[place] for place in position]))[hidden]
    assert errors.mean() < 0.15


def test_a_chromosome_keeps_its_length(impute, simulated, tmp_path):
    text = gzip.decompress((simulated.folder / "demo/target.vcf.gz").read_bytes())
    (tmp_path / "t.vcf").write_bytes(text.replace(b"<ID=1>", b"<ID=1,length=12345678>"))
    with pysam.VariantFile(str(impute(tmp_path / "t.vcf", "long.vcf.gz"))) as vcf:
        assert vcf.header.contigs["1"].length == 12345678


def test_a_chromosome_without_records_is_not_in_the_target(impute, simulated, tmp_path):
    """A header may declare the whole genome; a file without an index tells only by its records what
    it has.
    """
    text = gzip.decompress((simulated.folder / "demo/target.vcf.gz").read_bytes())
    (tmp_path / "t.vcf").write_bytes(text.replace(b"\n1\t", b"\n9\t"))
    with pytest.raises(InputError, match="has none of the imputer's chromosomes 1"):
        impute(tmp_path / "t.vcf")


@pytest.mark.skipif(not shutil.which("vcf-validator"), reason="needs vcftools")
def test_vcf_validator_finds_nothing(imputed):
    done = subprocess.run(["vcf-validator", imputed], capture_output=True, text=True)
    # It would like to know the reference genome, which nobody told us.
    assert not [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if "'reference' not present" not in line
    ]


@pytest.mark.skipif(not shutil.which("bcftools"), reason="needs bcftools")
def test_bcftools_reads_it(imputed):
    done = subprocess.run(
        ["bcftools", "view", "-r", "1:1-50000", "-H", imputed], capture_output=True, text=True
    )
    assert done.returncode == 0 and not done.stderr
    assert len(done.stdout.splitlines()) > 10


def test_repeated_it_is_the_same(imputed, impute, simulated):
    output = impute(simulated.folder / "demo/target.vcf.gz", batch_people=2)
    assert output.read_bytes() == imputed.read_bytes()


def test_bcf_holds_the_same(imputed, impute, simulated):
    output = impute(simulated.folder / "demo/target.vcf.gz", "demo.bcf")
    np.testing.assert_allclose(read(output)[2], read(imputed)[2], atol=1e-6)
    assert output.with_name("demo.bcf.csi").exists()


def write_test_people(simulated, path, mask):
    """Write test people with a mask's sites removed; gives the mask's row and its hidden sites."""
    arrays = read_arrays(simulated.genotypes, "genotypes", *PANEL)
    people = find_samples(simulated.people, "test")
    drawn = read_arrays(simulated.drawn("masks", "test"), "masks")
    row = drawn["names"].tolist().index(mask)
    hidden = drawn["hidden"][row]
    alleles = np.stack([arrays["variants/REF"], arrays["variants/ALT"]], axis=1)[~hidden]
    region = arrays["variants/POS"][~hidden], alleles, arrays["calldata/GT"][~hidden][:, people]
    write_vcf(path, [f"p{number}" for number in people], {"1": region})
    return row, hidden


def test_evaluation_agrees(model_predictions, impute, simulated, tmp_path):
    """Hiding sites of test people and imputing them gives what evaluation judges."""
    mask, hidden = write_test_people(simulated, tmp_path / "t.vcf.gz", "hide_50")
    dosage = read(impute(tmp_path / "t.vcf.gz"))[2][hidden, :, 0]
    expected = model_predictions["probability"][0, mask].astype(float).sum(axis=2).T[hidden]
    np.testing.assert_allclose(dosage, expected, atol=2.5e-3)


def test_without_a_network_it_is_li_and_stephens_model(
    baseline_predictions, impute, panel_imputer, simulated, tmp_path
):
    mask, hidden = write_test_people(simulated, tmp_path / "t.vcf.gz", "hide_50")
    haplotypes = read(impute(tmp_path / "t.vcf.gz", imputer=panel_imputer), "HDS")[2][hidden]
    row = METHODS.index("li_stephens")
    expected = baseline_predictions["probability"][row, mask].astype(float)
    np.testing.assert_allclose(haplotypes, expected.swapaxes(0, 1)[hidden], atol=1.5e-3)


def test_without_a_network_people_at_a_time_change_nothing(
    impute, panel_imputer, simulated, monkeypatch
):
    target = simulated.folder / "demo/target.vcf.gz"
    together = impute(target, imputer=panel_imputer).read_bytes()
    assert impute(target, "a.vcf.gz", panel_imputer, batch_people=1).read_bytes() == together
    monkeypatch.setattr("haplorag.li_stephens.model.MOST_PROBABILITIES", 1)
    assert impute(target, "b.vcf.gz", panel_imputer).read_bytes() == together


def test_without_a_network_windows_change_nothing(
    impute, panel_imputer, simulated, tmp_path, monkeypatch
):
    """However the chromosome is cut, a haplotype is followed along the whole of it."""
    # Its shards stay those of the windows before.
    monkeypatch.setattr("haplorag.imputation.imputer.check_shards", lambda *_: None)
    other = shutil.copytree(panel_imputer, tmp_path / "imputer")
    arrays = read_arrays(other / "1/windows.h5", "windows")
    cores = arrays["core"]
    arrays["core"] = np.array([[cores[0, 0], cores[-1, 1]]], dtype=cores.dtype)
    arrays["context"] = np.arange(cores[-1, 1], dtype=np.int32)
    arrays["offset"] = np.array([0, cores[-1, 1]])
    write_arrays(other / "1/windows.h5", "windows", arrays)
    facts = read_facts(other / "imputer.json", "imputer")
    facts["files"]["1/windows.h5"] = checksum(other / "1/windows.h5")
    write_facts(other / "imputer.json", "imputer", facts)
    target = simulated.folder / "demo/target.vcf.gz"
    one, many = (impute(target, f"{name.name}.vcf.gz", name) for name in (other, panel_imputer))
    assert one.read_bytes() == many.read_bytes()


@pytest.mark.parametrize("kind", ["panel_imputer", "imputer_folder"])
def test_a_region_is_what_it_is_of_the_whole(impute, simulated, tmp_path, request, kind):
    """It begins and ends within a window and between two typed sites that share weights."""
    imputer = request.getfixturevalue(kind)

    def change(row, line):
        if row % 5 == 0:
            line[9] = ".|."
        if row % 7 == 0:
            line[3:5] = "A", "TG"
        return line

    rewrite(simulated.folder / "demo/target.vcf.gz", tmp_path / "t.vcf", change)
    with (tmp_path / "t.vcf").open("a") as file:
        file.write("9\t7\t.\tA\tC\t.\t.\t.\tGT\t0|0\t0|1\t1|1\n")
    changed = {"imputer": imputer, "min_overlap": 0}
    whole = gzip.decompress(impute(tmp_path / "t.vcf", **changed).read_bytes()).splitlines()
    told = read_table(tmp_path / "sites.tsv")
    places = [int(line.split(b"\t")[1]) for line in whole if not line.startswith(b"#")]
    for low, high in ((0.3, 0.55), (0.0, 0.01), (0.61, 0.611)):
        first, last = (places[int(share * len(places))] + 1 for share in (low, high))
        output = impute(tmp_path / "t.vcf", "r.vcf.gz", region=f"chr1:{first}-{last}", **changed)
        expected = [
            line
            for line in whole
            if line.startswith(b"#") or first <= int(line.split(b"\t")[1]) <= last
        ]
        assert gzip.decompress(output.read_bytes()).splitlines() == expected
        found = read_table(tmp_path / "sites.tsv")
        inside = told["position"].between(first, last) | (told["chromosome"].astype(str) == "9")
        assert (found["fate"] == told["fate"].where(inside, "outside_region")).all()


def test_a_region_leaves_other_chromosomes_of_the_imputer_alone(
    impute, panel_imputer, simulated, tmp_path, caplog
):
    imputer = shutil.copytree(panel_imputer, tmp_path / "imputer")
    facts = read_facts(imputer / "imputer.json", "imputer")
    without_shards = shutil.ignore_patterns(f"*{SHARD_SUFFIX}")
    shutil.copytree(imputer / "1", imputer / "2", ignore=without_shards)
    facts["chromosomes"] = ["1", "2"]
    facts["files"] |= {
        name.replace("1/", "2/", 1): told for name, told in facts["files"].items() if "1/" in name
    }
    write_facts(imputer / "imputer.json", "imputer", facts)
    text = gzip.decompress((simulated.folder / "demo/target.vcf.gz").read_bytes()).decode()
    first = re.findall(r"^1\t.*\n", text, re.M)
    head = re.findall(r"^#.*\n", text, re.M)
    (tmp_path / "t.vcf").write_text("".join([*head, *first, first[0].replace("1\t", "2\t", 1)]))
    # Of chromosome 2 there are no haplotypes to be read.
    output = impute(tmp_path / "t.vcf", imputer=imputer, region="1")
    with pysam.VariantFile(str(output)) as vcf:
        assert {record.chrom for record in vcf} == {"1"}
    fates = read_table(tmp_path / "sites.tsv")["fate"].value_counts()
    assert fates["outside_region"] == 1 and fates["typed"] == len(first)
    assert "left out" not in caplog.text and "other_chromosome" not in caplog.text
    (tmp_path / "t.vcf").write_text("".join([*head, first[0].replace("1\t", "2\t", 1)]))
    with pytest.raises(InputError, match="has none of the region's chromosome 1"):
        impute(tmp_path / "t.vcf", imputer=imputer, region="1")


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        ("7:1-9", "7:1-9: the imputer has no chromosome 7, only 1; name one of these"),
        ("1:9000000-9000001", "has no site there; those of 1 lie from \\d+ to \\d+$"),
    ],
)
def test_a_region_that_the_imputer_lacks_is_refused(impute, simulated, tmp_path, region, reason):
    with pytest.raises(InputError, match=reason):
        impute(simulated.folder / "demo/target.vcf.gz", region=region)
    assert not list(tmp_path.iterdir())


def complement(allele: str) -> str:
    return allele.translate(str.maketrans("ACGT", "TGCA"))


def test_every_fate_by_eye(impute, simulated, tmp_path):
    panel = read_arrays(simulated.genotypes, "genotypes", *PANEL)
    position, ref, alt = (panel[name].tolist() for name in PANEL[:3])
    palindromic = [complement(one) == two for one, two in zip(ref, alt, strict=True)]
    typed, swapped, flipped, turned, other = [
        row for row in range(len(ref)) if not palindromic[row]
    ][:5]
    unsure = palindromic.index(True)
    third = next(
        base for base in "ACGT" if base not in (alt[other], ref[other], complement(ref[other]))
    )
    records = [
        (position[typed], ref[typed], alt[typed]),
        (position[swapped], alt[swapped], ref[swapped]),
        (position[flipped], complement(ref[flipped]), complement(alt[flipped])),
        (position[turned], complement(alt[turned]), complement(ref[turned])),
        (position[unsure], alt[unsure], ref[unsure]),
        (position[other], ref[other], third),
        (position[-1] + 5, "A", "C"),
    ]
    records.sort()
    calls = np.zeros((len(records), 2, 2), dtype=np.int8)
    calls[:, 0, 1] = 1
    region = (
        np.array([place for place, _, _ in records]),
        np.array([pair for _, *pair in records]),
        calls,
    )
    write_vcf(tmp_path / "t.vcf.gz", ["x y", "$(touch z)"], {"chr1": region})
    output = impute(tmp_path / "t.vcf.gz")
    fates = read_table(tmp_path / "sites.tsv").set_index("position")["fate"]
    expected = {
        typed: "typed",
        swapped: "ref_alt_swapped",
        flipped: "strand_flip",
        turned: "strand_flip_swapped",
    }
    expected |= {unsure: "palindromic_mismatch", other: "allele_mismatch"}
    assert {row: fates[position[row]] for row in expected} == expected
    assert fates[position[-1] + 5] == "target_only"
    with pysam.VariantFile(str(output)) as vcf:
        assert list(vcf.header.samples) == ["x y", "$(touch z)"]
        found = {(record.pos, record.alts[0]): record for record in vcf.fetch("chr1")}
    assert found[position[typed], alt[typed]].samples[0]["GT"] == (0, 1)
    assert found[position[swapped], alt[swapped]].samples[0]["GT"] == (1, 0)
    assert found[position[flipped], alt[flipped]].samples[0]["GT"] == (0, 1)
    assert found[position[turned], alt[turned]].samples[0]["GT"] == (1, 0)
    assert "TARGET_ONLY" in found[position[-1] + 5, "C"].info
    assert "TARGET_ONLY" in found[position[other], third].info
    assert "IMP" in found[position[unsure], alt[unsure]].info


def test_a_target_of_many_chromosomes_is_read_once(
    impute, simulated, tmp_path, monkeypatch, caplog
):
    """Those the imputer lacks are counted; the file is opened once for its header, once for its
    records.
    """
    source = simulated.folder / "demo/target.vcf.gz"
    lines = gzip.decompress(source.read_bytes()).splitlines(keepends=True)
    head = [line for line in lines if line.startswith(b"#")]
    ours = [line for line in lines if line.startswith(b"1\t")]
    before, after = (
        [line.replace(b"1\t", name + b"\t", 1) for line in ours] for name in (b"chr7", b"9")
    )
    (tmp_path / "t.vcf").write_bytes(b"".join([*head, *before, *ours, *after]))
    opened = []

    def watch(path, *arguments):
        opened.append(path)
        return read_pieces(path, *arguments)

    for module in ("header", "records"):
        monkeypatch.setattr(f"haplorag.vcf.{module}.read_pieces", watch)
    output = impute(tmp_path / "t.vcf")
    assert opened.count(tmp_path / "t.vcf") == 2
    expected = f"other_chromosome={2 * len(ours)} records .* does not have \\(chr7, 9\\)"
    assert re.search(expected, caplog.text)
    with pysam.VariantFile(str(output)) as vcf:
        assert list(vcf.header.contigs) == ["1"]


def test_a_chromosome_in_two_places_is_refused(impute, simulated, tmp_path):
    text = gzip.decompress((simulated.folder / "demo/target.vcf.gz").read_bytes())
    line = next(line for line in text.splitlines() if line.startswith(b"1\t"))
    again = text + line.replace(b"1\t", b"9\t", 1) + b"\n" + line + b"\n"
    (tmp_path / "t.vcf").write_bytes(again)
    with pytest.raises(InputError, match=r"record 1:\d+: its chromosome stands in two places"):
        impute(tmp_path / "t.vcf")


def test_many_unused_sites_come_out_in_order(impute, simulated, tmp_path, monkeypatch):
    monkeypatch.setattr("haplorag.panel.genotype_store.BLOCK_SITES", 7)
    panel = read_arrays(simulated.genotypes, "genotypes", *PANEL)
    there = set(panel["variants/POS"].tolist())
    typed = range(0, len(panel["variants/POS"]), 9)
    sites = [(int(panel["variants/POS"][row]), row) for row in typed]
    sites += [(place, -1) for place in range(5, 900, 3) if place not in there]
    sites.sort()
    calls = np.random.default_rng(3).integers(0, 2, (len(sites), 2, 2), dtype=np.int8)
    alleles = np.array(
        [
            (panel["variants/REF"][row], panel["variants/ALT"][row]) if row >= 0 else ("A", "C")
            for _, row in sites
        ]
    )
    region = np.array([place for place, _ in sites]), alleles, calls
    write_vcf(tmp_path / "t.vcf.gz", ["a", "b"], {"1": region})
    with pysam.VariantFile(str(impute(tmp_path / "t.vcf.gz"))) as vcf:
        records = list(vcf)
    places = [record.pos for record in records]
    assert places == sorted(places) and len(places) == len(there) + sum(row < 0 for _, row in sites)
    unused = [record for record in records if "TARGET_ONLY" in record.info]
    expected = [genotype for genotype, (_, row) in zip(calls, sites, strict=True) if row < 0]
    found = [[sample["GT"] for sample in record.samples.values()] for record in unused]
    np.testing.assert_array_equal(found, expected)
    assert {record.id for record in unused} == {f"1:{record.pos}:A:C" for record in unused}


def rewrite(source, path, change) -> None:
    """Write a VCF with every record's columns changed by a function of (row, columns)."""
    with pysam.VariantFile(str(source)) as vcf:
        lines = [str(record).rstrip("\n").split("\t") for record in vcf]
        header = str(vcf.header)
    path.write_text(
        header + "".join("\t".join(change(row, line)) + "\n" for row, line in enumerate(lines))
    )


def test_an_output_that_is_the_target_is_refused(impute, simulated, tmp_path):
    """By its name, by a link, and as the table of sites."""
    source = (simulated.folder / "demo/target.vcf.gz").read_bytes()
    (tmp_path / "o.vcf.gz").write_bytes(source)
    (tmp_path / "link.vcf.gz").symlink_to("o.vcf.gz")
    (tmp_path / "sites.tsv").write_bytes(source)
    for target in ("o.vcf.gz", "link.vcf.gz", "sites.tsv"):
        with pytest.raises(InputError, match="one would be lost"):
            impute(tmp_path / target)
    with pytest.raises(InputError, match=r"ends in neither \.vcf\.gz nor \.bcf"):
        impute(tmp_path / "link.vcf.gz", "o.vcf")
    assert (tmp_path / "o.vcf.gz").read_bytes() == source


@pytest.mark.parametrize("method", [None, "none"])
def test_unphased_targets_are_refused_where_nothing_phases_them(
    impute, simulated, tmp_path, method
):
    source = simulated.folder / "demo/target.vcf.gz"
    rewrite(source, tmp_path / "t.vcf", lambda row, line: [cell.replace("|", "/") for cell in line])
    phasing = method and simulated.settings.phasing.model_copy(update={"method": method})
    with pytest.raises(
        InputError, match=r"unphased, the first in record 1:\d+; set phasing.method"
    ):
        impute(tmp_path / "t.vcf", phasing=phasing)
    assert [path.name for path in tmp_path.iterdir()] == ["t.vcf"]


def test_missing_genotypes_are_imputed_for_that_person(impute, simulated, tmp_path):
    source = simulated.folder / "demo/target.truth.vcf.gz"
    rewrite(
        source,
        tmp_path / "t.vcf",
        lambda row, line: [*line[:9], ".|.", *line[10:]] if row % 7 == 0 else line,
    )
    output = impute(tmp_path / "t.vcf")
    with pysam.VariantFile(str(source)) as vcf:
        truth = [call.samples[0]["GT"] for call in vcf.fetch("1")]
    with pysam.VariantFile(str(output)) as vcf:
        called = [call.samples[0]["GT"] for call in vcf]
    assert np.mean([one == two for one, two in zip(called[::7], truth[::7], strict=True)]) > 0.9
    assert called[1::7] == truth[1::7]
    with pysam.VariantFile(str(output)) as vcf:
        marked = [[call.get("IMP") for call in record.samples.values()] for record in vcf]
    assert {tuple(row) for row in marked[::7]} == {(1, 0, 0)}
    assert {tuple(row) for row in marked[1::7]} == {(None, None, None)}


def test_another_chromosome_is_refused(impute, tmp_path):
    write_vcf(
        tmp_path / "t.vcf.gz",
        ["x"],
        {"9": (np.array([5]), np.array([["A", "C"]]), np.zeros((1, 1, 2), np.int8))},
    )
    with pytest.raises(InputError, match="has none of the imputer's chromosomes 1"):
        impute(tmp_path / "t.vcf.gz")
    assert not (tmp_path / "o.vcf.gz").exists()


@given(st.integers(0, LEVELS), st.integers(0, LEVELS))
def test_entries_add_up(first, second):
    genotype, dosage, chances, halves = format_entry(first, second).split(":")
    chance = [float(value) for value in chances.split(",")]
    assert sum(chance) == pytest.approx(1, abs=0.0016)
    assert float(dosage) == pytest.approx(chance[1] + 2 * chance[2], abs=0.0016)
    assert float(dosage) == pytest.approx(sum(map(float, halves.split(","))), abs=1e-9)
    assert genotype == f"{int(first > 500)}|{int(second > 500)}"


def test_estimated_r2_is_the_true_one_where_probabilities_are_honest():
    generator = np.random.default_rng(seed_of(SEED, "r2"))
    probability = generator.beta(0.2, 0.8, (20_000, 2))
    truth = (generator.random(probability.shape) < probability).astype(int)
    true = dosage_r2_by_site(probability.reshape(-1, 1), truth.reshape(-1, 1))[0]
    everyone = np.ones((1, probability.size), dtype=bool)
    found = estimate_r2(probability.reshape(1, -1), everyone)
    assert found == pytest.approx(true, abs=0.02)
    frequency = np.array([0.2])
    found = estimate_information(probability.reshape(1, -1), everyone, frequency)
    assert found == pytest.approx(true, abs=0.02)
    some = everyone[:, :4]
    still = estimate_r2(np.array([[0.3] * 4, [0.0] * 4, [1.0] * 4]), np.repeat(some, 3, axis=0))
    assert still == pytest.approx(0, abs=1e-12)
    assert estimate_r2(np.array([[0.0, 1.0, 1.0, 0.0]]), some) == 1
    # Of one person R2 tells nothing; what is known for certain is information all the same.
    sure = np.array([[0.0, 0.0]])
    assert estimate_r2(sure, some[:, :2]) == 0
    assert estimate_information(sure, some[:, :2], frequency) == 1


def test_a_gpu_imputes_the_same(panel_imputer, simulated, tmp_path, monkeypatch):
    """Without a card by Triton's interpreter; a third digit may round the other way."""
    # The interpreter takes program after program: all lanes go in one.
    monkeypatch.setattr(panel_bits, "MOST_LANES", 16)
    # Much is learned from more haplotypes than it takes in seconds; tests/gpu has that.
    monkeypatch.setattr(GpuPasses, "expect_events", CorePasses(1).expect_events)
    learn, learned = engine.learn_mixture, []
    monkeypatch.setattr(
        engine,
        "learn_mixture",
        lambda *given: learned.append(learn(*given[:-1], CorePasses(1))) or learned[-1],
    )
    target = simulated.folder / "demo/target.vcf.gz"
    few = tmp_path / "few.vcf.gz"
    with pysam.VariantFile(str(target)) as vcf:
        people = list(vcf.header.samples)[:2]
    pysam.bcftools.view(
        "-s", ",".join(people), "-Oz", "-o", str(few), str(target), catch_stdout=False
    )
    settings = simulated.settings.imputation
    said = {}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for passes in (CorePasses(1), GpuPasses(device, 1, "imputation.batch_people", 32)):
        monkeypatch.setattr(choice, "choose_passes", lambda *_, passes=passes: passes)
        output = tmp_path / f"{type(passes).__name__}.vcf.gz"
        imputation(panel_imputer, few, output, tmp_path / "sites.tsv", settings=settings, gpus=1)
        said[type(passes)] = read(output, "HDS")
    assert len(learned) == 2 and None not in learned
    for ours, theirs in zip(said[GpuPasses], said[CorePasses], strict=True):
        if isinstance(ours, np.ndarray) and ours.dtype.kind == "f":
            np.testing.assert_allclose(ours, theirs, atol=1.001e-3)
            assert (ours == theirs).mean() > 0.99
        else:
            assert list(ours) == list(theirs)


@pytest.mark.parametrize("name", ["o.vcf.gz", "o.bcf"])
def test_an_index_that_is_needed(impute, panel_imputer, simulated, tmp_path, name):
    """Positions above 512 Mb get an index that reaches them; one of an earlier file goes."""
    beyond = 2**29
    imputer = shutil.copytree(panel_imputer, tmp_path / "imputer")
    for file, key in (("panel.h5", "variants/POS"), ("windows.h5", "position")):
        path = imputer / "1" / file
        with opening_arrays(path, file.split(".")[0]) as opened:
            facts = {key: opened.attrs[key] for key in opened.attrs if key != "format"}
        arrays = read_arrays(path, file.split(".")[0])
        if key in arrays:
            arrays[key] = arrays[key] + np.int32(beyond)
        write_arrays(path, file.split(".")[0], arrays, **facts)
    facts = read_facts(imputer / "imputer.json", "imputer")
    facts["files"] |= {name: checksum(imputer / name) for name in ("1/panel.h5", "1/windows.h5")}
    write_facts(imputer / "imputer.json", "imputer", facts)
    source = simulated.folder / "demo/target.vcf.gz"
    rewrite(
        source,
        tmp_path / "t.vcf",
        lambda row, line: [line[0], str(int(line[1]) + beyond), *line[2:]],
    )
    (tmp_path / f"{name}.tbi").write_bytes(b"of an earlier file")
    output = impute(tmp_path / "t.vcf", name, imputer)
    assert [path.name for path in tmp_path.glob("o.*i")] == [f"{name}.csi"]
    with pysam.VariantFile(str(output)) as vcf:
        first = next(iter(vcf)).pos
        assert first > beyond and next(vcf.fetch("1", first - 1, first)).pos == first
