"""Conversion is exact, and every record is counted."""

import gzip
import os
from pathlib import Path

import cyvcf2
import h5py
import numpy as np
import pandas as pd
import pysam
import pysam.bcftools
import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from haplorag.alleles import ABSENT
from haplorag.errors import InputError
from haplorag.io.hdf5 import read_arrays
from haplorag.io.tables import read_table, write_table
from haplorag.panel.samples import read_samples
from haplorag.qc.verification import verify_store
from haplorag.settings import GenotypeSettings, SampleSettings
from haplorag.steps.genotypes import genotypes
from haplorag.steps.samples import samples

PLAIN = GenotypeSettings(
    variants="snps", multiallelic="split", max_missing=0.4, max_unphased=0.0, min_minor_count=0
)
HEAD = '##fileformat=VCFv4.2\n##contig=<ID=1>\n##contig=<ID=2>\n##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n'


def convert(
    folder, records: list[str], people=("a", "b"), settings=PLAIN, chromosome="1", head=HEAD
):
    """Convert a VCF of these lines (CHROM POS REF ALT GT..., blanks); gives arrays and the tally."""
    lines = []
    for record in records:
        chrom, position, ref, alt, *calls = record.split()
        lines.append("\t".join([chrom, position, ".", ref, alt, ".", ".", ".", "GT", *calls]))
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
    (folder / "x.vcf").write_text(
        head + "\t".join([*columns, *people]) + "\n" + "\n".join(lines) + "\n"
    )
    rows = [
        {"sample": name, "population": "P", "super_population": "S", "role": "reference"}
        for name in people
    ]
    write_table(folder / "samples.tsv", pd.DataFrame(rows))
    paths = folder / "x.vcf", folder / "samples.tsv", folder / "x.h5", folder / "x.tally.tsv"
    genotypes(*paths, settings=settings, chromosome=chromosome)
    tally = read_table(folder / "x.tally.tsv").set_index("reason")["records"]
    return read_arrays(folder / "x.h5", "genotypes"), tally


def test_alleles_by_eye(tmp_path):
    arrays, tally = convert(tmp_path, ["1 10 A C 0|1 1|1", "1 20 G T 0|0 .|1"])
    assert arrays["calldata/GT"].tolist() == [[[0, 1], [1, 1]], [[0, 0], [-1, 1]]]
    assert arrays["variants/POS"].tolist() == [10, 20]
    assert arrays["samples"].tolist() == ["a", "b"]
    assert tally["read"] == 2 and tally["kept"] == 2 and tally["missing_alleles"] == 1


def test_every_record_has_a_fate(tmp_path):
    records = [
        "1 10 A C 0|1 1|1",
        "1 10 A C 0|1 1|1",
        "1 20 A C,G 1|2 0|1",
        "1 30 A <DEL> 0|1 0|0",
        "1 40 AT A 0|1 0|0",
        "1 50 A . 0|0 0|0",
        "1 60 A G .|. 0|1",
        "2 10 A G 0|1 0|1",
    ]
    arrays, tally = convert(tmp_path, records)
    assert arrays["variants/POS"].tolist() == [10, 20, 20]
    assert arrays["calldata/GT"][1:].tolist() == [[[1, 0], [0, 1]], [[0, 1], [0, 0]]]
    expected = {
        "read": 7,
        "kept": 3,
        "duplicate_site": 1,
        "multiallelic": 1,
        "symbolic": 1,
        "indel": 1,
    }
    expected |= {"no_alt": 1, "too_many_missing": 1}
    assert {reason: tally[reason] for reason in expected} == expected


def test_indels_are_kept_where_asked_for(tmp_path):
    settings = PLAIN.model_copy(update={"variants": "all_biallelic", "multiallelic": "skip"})
    arrays, tally = convert(
        tmp_path, ["1 40 AT A 0|1 0|0", "1 50 A C,G 0|1 0|2"], settings=settings
    )
    assert arrays["variants/REF"].tolist() == ["AT"]
    assert tally["multiallelic"] == 1


def test_rare_sites_are_dropped_by_reference_people_only(tmp_path):
    settings = PLAIN.model_copy(update={"min_minor_count": 2})
    arrays, tally = convert(
        tmp_path, ["1 10 A C 0|1 0|0", "1 20 A C 0|1 0|1", "1 30 A C 1|1 1|1"], settings=settings
    )
    assert arrays["variants/POS"].tolist() == [20]
    assert tally["below_min_minor_count"] == 2


def test_haploid_calls_have_no_second_allele(tmp_path):
    arrays, _ = convert(tmp_path, ["X 10 A C 1 0|1"], chromosome="X")
    assert arrays["calldata/GT"].tolist() == [[[1, ABSENT], [0, 1]]]
    assert arrays["ploidy/people"].tolist() == [[1, 2]]
    with pytest.raises(InputError, match="record 1:10 has 1 haploid genotypes on an autosome"):
        convert(tmp_path, ["1 10 A C 1 0|1"])


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (["1 20 A C 0|1 0|0", "1 10 A C 0|1 0|0"], r"x\.vcf: record 1:10 follows 20; sort it"),
        (["1 10 A C 0/1 0|0"], r"1 of 1 heterozygous genotypes are unphased.*phase it"),
        (["1 10 A C 0|1|1 0|0"], r"record 1:10\) has 3 alleles a person"),
        (["1 10 A C 0|2 0|0"], r"record 1:10 has a genotype with an allele that is not listed"),
        (["1 10 AT C 0|1 0|0"], r"no site of chromosome 1 is left"),
        (["2 10 A C 0|1 0|0"], r"no record on chromosome 1"),
        (["1 10 A C 0|1 0|0", "2 10 A C 0|1 0|0", "1 20 A C 0|1 0|0"], r"stands in two places"),
    ],
)
def test_bad_records_are_refused_and_leave_nothing(tmp_path, records, message):
    with pytest.raises(InputError, match=message):
        convert(tmp_path, records)
    assert not (tmp_path / "x.h5").exists()


def test_chr_prefixes_are_one_chromosome(tmp_path):
    arrays, _ = convert(tmp_path, ["chr1 10 A C 0|1 0|0"], head=HEAD.replace("ID=1", "ID=chr1"))
    assert arrays["variants/POS"].tolist() == [10]


def test_a_cut_file_is_refused(simulated, tmp_path):
    whole = (simulated.folder / "demo/1.vcf.gz").read_bytes()
    for cut, message in (
        (len(whole) - 28, "end-of-file block"),
        (len(whole) // 2, "cut short in the block at byte"),
    ):
        (tmp_path / "cut.vcf.gz").write_bytes(whole[:cut])
        paths = tmp_path / "cut.vcf.gz", simulated.samples, tmp_path / "x.h5", tmp_path / "t.tsv"
        with pytest.raises(InputError, match=message):
            genotypes(*paths, settings=PLAIN, chromosome="1")
    assert not (tmp_path / "x.h5").exists()


def test_simulated_genotypes_are_those_of_the_vcf(simulated):
    with gzip.open(simulated.folder / "demo/1.vcf.gz", "rt") as file:
        rows = [line.split() for line in file if not line.startswith("#")]
    expected = np.array([[call.split("|") for call in row[9:]] for row in rows], dtype=np.int8)
    arrays = read_arrays(simulated.genotypes, "genotypes")
    kept = np.isin([int(row[1]) for row in rows], arrays["variants/POS"])
    np.testing.assert_array_equal(arrays["calldata/GT"], expected[kept])


@bounds(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from("01.")] * 4), min_size=1, max_size=12))
def test_round_trip(tmp_path_factory, calls):
    records = [f"1 {10 * (row + 1)} A C {a}|{b} {c}|{d}" for row, (a, b, c, d) in enumerate(calls)]
    settings = PLAIN.model_copy(update={"max_missing": 1.0})
    arrays, _ = convert(tmp_path_factory.mktemp("round"), records, settings=settings)
    values = np.array(
        [[-1 if call == "." else int(call) for call in row] for row in calls], dtype=np.int8
    )
    np.testing.assert_array_equal(arrays["calldata/GT"], values.reshape(-1, 2, 2))


def test_genotypes_are_found_wherever_they_stand(tmp_path):
    """Other fields before and after GT, a field left out at the end, and a file of BCF form."""
    arrays, _ = convert(tmp_path, ["1 10 A C 0|1 1|1", "1 20 G T 1|0 .|1"])
    text = (tmp_path / "x.vcf").read_text()
    for old, new in (
        ("GT\t0|1\t1|1", "DP:GT:GQ\t7:0|1:9\t3:1|1"),
        ("GT\t1|0\t.|1", "GT:DP\t1|0:4\t.|1"),
    ):
        assert old in text
        text = text.replace(old, new)
    extra = '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">\n##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">\n'
    (tmp_path / "other.vcf").write_text(text.replace("#CHROM", extra + "#CHROM"))
    bcf = cyvcf2.VCF(str(tmp_path / "other.vcf"))
    writer = cyvcf2.Writer(str(tmp_path / "other.bcf"), bcf, mode="wb")
    for record in bcf:
        writer.write_record(record)
    writer.close()
    for name in ("other.vcf", "other.bcf"):
        genotypes(
            tmp_path / name,
            tmp_path / "samples.tsv",
            tmp_path / "y.h5",
            tmp_path / "y.tsv",
            settings=PLAIN,
            chromosome="1",
        )
        again = read_arrays(tmp_path / "y.h5", "genotypes")
        np.testing.assert_array_equal(again["calldata/GT"], arrays["calldata/GT"])


def test_the_store_is_compared_with_its_file(simulated, tmp_path):
    vcf = simulated.folder / "demo/1.vcf.gz"
    (tmp_path / "x.h5").write_bytes(simulated.genotypes.read_bytes())
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        assert verify_store(vcf, file, "1") == 8
        file["calldata/GT"][-1, 5, 0] = 1 - file["calldata/GT"][-1, 5, 0]
        with pytest.raises(InputError, match=r"1\.vcf\.gz: record 1:\d+ reads otherwise"):
            verify_store(vcf, file, "1")


def test_one_person_under_two_names_is_reported(tmp_path, caplog):
    alleles = np.random.default_rng(3).integers(0, 2, (150, 4, 2))
    # The third person is the first, their haplotypes exchanged; the fourth shares one haplotype
    # with the second.
    alleles[:, 2], alleles[:, 3, 0] = alleles[:, 0, ::-1], alleles[:, 1, 1]
    records = [
        f"1 {10 * site + 10} A C " + " ".join(f"{a}|{b}" for a, b in row)
        for site, row in enumerate(alleles)
    ]
    _, tally = convert(tmp_path, records, people=("a", "b", "c", "d"))
    assert "duplicate_genome_pairs=1" in caplog.text and "rows 1 and 3" in caplog.text
    assert tally["duplicate_people_across_roles"] == 0


def test_an_index_of_another_file_is_refused(simulated, tmp_path):
    vcf = simulated.folder / "demo/1.vcf.gz"
    lines = gzip.decompress(vcf.read_bytes()).splitlines(keepends=True)
    (tmp_path / "x.vcf.gz").write_bytes(vcf.read_bytes())
    pysam.tabix_index(str(tmp_path / "x.vcf.gz"), preset="vcf")
    (tmp_path / "x.vcf").write_bytes(b"".join(lines[:-5]))
    pysam.tabix_compress(str(tmp_path / "x.vcf"), str(tmp_path / "x.vcf.gz"), force=True)
    with pytest.raises(InputError, match=r"its index counts \d+"):
        genotypes(
            tmp_path / "x.vcf.gz",
            simulated.samples,
            tmp_path / "x.h5",
            tmp_path / "t.tsv",
            settings=PLAIN,
            chromosome="1",
        )


def compare_with_bcftools(store_path, vcf, people):
    """Every genotype of a store beside what bcftools says of the same site and person; gives how
    many were compared.
    """
    arrays = read_arrays(store_path, "genotypes")
    calls = arrays["calldata/GT"]
    keys = zip(
        *(arrays[f"variants/{word}"].tolist() for word in ("POS", "REF", "ALT")), strict=True
    )
    row = {key: number for number, key in enumerate(keys)}
    compared = 0
    said = pysam.bcftools.query(
        "-f", r"%POS\t%REF\t%ALT[\t%GT]\n", "-s", ",".join(people), str(vcf)
    )
    for line in said.splitlines():
        position, ref, alt, genotypes = line.split("\t", 3)
        for number, one in enumerate(alt.split(","), start=1):
            if (place := row.get((int(position), ref, one))) is not None:
                # One digit or point an allele: 0|1 and a tab.
                alleles = np.frombuffer(f"{genotypes}\t".encode(), dtype="S1").reshape(
                    len(people), 4
                )[:, ::2]
                expected = np.where(
                    alleles == b".", -1, (alleles == str(number).encode()).astype(int)
                )
                np.testing.assert_array_equal(calls[place], expected)
                compared += expected.size
    assert compared == calls.size
    return compared


def test_bcftools_agrees_on_every_genotype(simulated):
    people = simulated.people["sample"].tolist()
    assert (
        compare_with_bcftools(simulated.genotypes, simulated.folder / "demo/1.vcf.gz", people)
        > 100_000
    )


DATA = Path(os.environ.get("HAPLORAG_DATA", "data"))


@pytest.mark.real
@pytest.mark.parametrize("chromosome", ["20", "22"])
def test_bcftools_agrees_on_every_genotype_of_real_people(chromosome, tmp_path):
    vcf = DATA / f"kgp.chr{chromosome}.vcf.gz"
    if not vcf.exists():
        pytest.skip("set HAPLORAG_DATA to the folder with the regions of config/kgp.yaml")
    samples(
        vcf,
        tmp_path / "s.tsv",
        people=DATA / "kgp.panel",
        settings=SampleSettings(validation=0.1, test=0.1, most=100, roles=None),
        seed=1,
    )
    settings = PLAIN.model_copy(update={"variants": "all_biallelic"})
    paths = vcf, tmp_path / "s.tsv", tmp_path / "g.h5", tmp_path / "t.tsv"
    genotypes(*paths, settings=settings, chromosome=chromosome)
    assert (
        compare_with_bcftools(
            tmp_path / "g.h5", vcf, read_samples(tmp_path / "s.tsv")["sample"].tolist()
        )
        > 10**7
    )


def test_a_multiallelic_record_that_is_skipped_is_not_compared(tmp_path):
    """The index is right where a biallelic record stands beside one with the same allele."""
    records = ["1 10 A C,G 0|2 0|0", "1 10 A C 0|1 1|1", "1 20 A C 0|1 0|0", "1 20 A C .|. 0|1"]
    settings = PLAIN.model_copy(update={"multiallelic": "skip"})
    convert(tmp_path, records, settings=settings)
    pysam.tabix_compress(str(tmp_path / "x.vcf"), str(tmp_path / "i.vcf.gz"))
    pysam.tabix_index(str(tmp_path / "i.vcf.gz"), preset="vcf")
    paths = tmp_path / "i.vcf.gz", tmp_path / "samples.tsv", tmp_path / "i.h5", tmp_path / "i.tsv"
    genotypes(*paths, settings=settings, chromosome="1")
    arrays = read_arrays(tmp_path / "i.h5", "genotypes")
    assert arrays["calldata/GT"].tolist() == [[[0, 1], [1, 1]], [[0, 1], [0, 0]]]


def test_legal_prefix_phasing_in_an_indexed_panel(tmp_path, caplog):
    """cyvcf2 cannot read it, and that is said."""
    records = ["1 10 A C |0|1 |1|1", "1 20 A C |0|0 |1|0"]
    expected, _ = convert(tmp_path, records, head=HEAD.replace("4.2", "4.4"))
    pysam.tabix_compress(str(tmp_path / "x.vcf"), str(tmp_path / "i.vcf.gz"))
    pysam.tabix_index(str(tmp_path / "i.vcf.gz"), preset="vcf")
    paths = tmp_path / "i.vcf.gz", tmp_path / "samples.tsv", tmp_path / "i.h5", tmp_path / "i.tsv"
    genotypes(*paths, settings=PLAIN, chromosome="1")
    arrays = read_arrays(tmp_path / "i.h5", "genotypes")
    np.testing.assert_array_equal(arrays["calldata/GT"], expected["calldata/GT"])
    assert "which cyvcf2 cannot read" in caplog.text
