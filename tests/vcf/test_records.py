"""What becomes of records, row by row of what was seen in people's files."""

import time
from collections import Counter
from dataclasses import replace

import cyvcf2
import numpy as np
import pysam
import pysam.bcftools
import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from haplorag.errors import InputError
from haplorag.vcf.biallelic import BiallelicReader
from haplorag.vcf.header import read_header
from haplorag.vcf.position import Rules
from haplorag.vcf.reader import name_chromosomes, read_vcf_header

HEAD = """##fileformat=VCFv4.4
##contig=<ID=1>
##contig=<ID=2>
##INFO=<ID=LEN,Number=1,Type=Integer,Description="length=7 of something">
##FILTER=<ID=q10,Description="x">
##ALT=<ID=DEL,Description="x">
##ALT=<ID=*,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=PS,Number=1,Type=Integer,Description="x">
"""
COLUMNS = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]


def write_text(path, records, people=("a", "b"), head=HEAD, end="\n"):
    """Write lines CHROM POS REF ALT GT..., parted by blanks, as a VCF."""
    lines = []
    for record in records:
        chromosome, position, ref, alt, *calls = record.split()
        fixed = [chromosome, position, ".", ref, alt, ".", ".", ".", "GT"]
        lines.append("\t".join([*fixed, *calls]))
    text = head + "\t".join([*COLUMNS, *people]) + "\n" + "\n".join(lines) + end
    path.write_text(text)
    return path


def read(path, chromosome="1", **rules):
    """Sites of a chromosome by position, REF and ALT, their alleles, and the reader after it."""
    reader = BiallelicReader(
        path, chromosome, read_vcf_header(path).samples, Rules(**rules), listing=True
    )
    sites = {
        (position, ref, alt): calls.tolist()
        for block in reader
        for position, ref, alt, calls in zip(
            block.positions.tolist(), block.refs, block.alts, block.alleles, strict=True
        )
    }
    return sites, reader


def as_bcf(path):
    bcf = path.with_suffix(".bcf")
    pysam.bcftools.view("-Ob", "-o", str(bcf), str(path), catch_stdout=False)
    return bcf


@pytest.mark.parametrize("kind", ["vcf", "bcf"])
def test_lower_case_alleles_are_capitals(tmp_path, kind):
    path = write_text(tmp_path / "x.vcf", ["1 10 a C 0|1 0|0", "1 20 G t 1|1 0|0"])
    sites, reader = read(path if kind == "vcf" else as_bcf(path))
    assert list(sites) == [(10, "A", "C"), (20, "G", "T")]
    assert reader.tally["lower_case"] == 2


def test_a_block_is_packed_once_and_what_is_made_of_it_anew(tmp_path):
    path = write_text(tmp_path / "x.vcf", ["1 10 A C 0|1 .|0", "1 20 G T 1|1 0|0"])
    (block,) = BiallelicReader(path, "1", ["a", "b"])
    assert block.bits is block.bits
    assert block.bits.alternate.tolist() == [[0b01000000], [0b11000000]]
    assert block.bits.known.tolist() == [[0b11010000], [0b11110000]]
    assert block.take(np.array([False, True])).bits.alternate.tolist() == [[0b11000000]]
    other = replace(block, alleles=1 - abs(block.alleles))
    assert other.bits.alternate.tolist() == [[0b10010000], [0b00110000]]


def test_lower_case_and_capitals_are_duplicates(tmp_path):
    sites, reader = read(write_text(tmp_path / "x.vcf", ["1 10 A C 0|1 0|0", "1 10 a C 1|1 0|0"]))
    assert sites == {(10, "A", "C"): [[0, 1], [0, 0]]}
    assert reader.tally["duplicate_site"] == 1


def test_duplicates_the_called_record_wins(tmp_path):
    records = ["1 10 A C .|. .|.", "1 10 A C 0|1 1|1", "1 20 A C 0|1 1|1", "1 20 A C 0|0 0|0"]
    sites, reader = read(write_text(tmp_path / "x.vcf", records))
    assert sites == {(10, "A", "C"): [[0, 1], [1, 1]], (20, "A", "C"): [[0, 1], [1, 1]]}
    assert reader.tally["duplicate_site"] == 2
    assert [one.position for one in reader.dropped] == [10, 20]


@pytest.mark.parametrize("kind", ["vcf", "bcf"])
@pytest.mark.parametrize(
    "records", [["1 10 A C,* 1|2 0|0"], ["1 10 A C 1|0 0|0", "1 10 A * 0|1 0|0"]]
)
def test_duplicates_a_spanning_deletion_is_missing(tmp_path, kind, records):
    path = write_text(tmp_path / "x.vcf", records)
    sites, reader = read(path if kind == "vcf" else as_bcf(path))
    assert sites == {(10, "A", "C"): [[1, -1], [0, 0]]}
    assert reader.tally["star"] == 1


def test_legal_unspecified_alleles_beside_real_ones(tmp_path):
    records = ["1 10 A C,<*> 0|1 0|2", "1 20 A G,<NON_REF> 0|1 0|0", "1 30 A C,N 0|2 1|0"]
    sites, reader = read(write_text(tmp_path / "x.vcf", records))
    assert list(sites.values()) == [[[0, 1], [0, -1]], [[0, 1], [0, 0]], [[0, -1], [1, 0]]]
    assert reader.tally["unspecified"] == 2 and reader.tally["non_acgt"] == 1


@pytest.mark.parametrize("alt", ["<*>", "<NON_REF>"])
def test_gvcf_blocks_are_refused(tmp_path, alt):
    with pytest.raises(InputError, match="record 1:10 is a gVCF block"):
        read(write_text(tmp_path / "x.vcf", [f"1 10 A {alt} 0|0 0|0"]))


@pytest.mark.parametrize("kind", ["vcf", "bcf"])
def test_legal_a_single_dot_is_a_missing_genotype(tmp_path, kind):
    """It says nothing of ploidy: whoever has one is no haploid."""
    path = write_text(tmp_path / "x.vcf", ["1 10 A C 0|1 .", "1 20 A C . .", "1 30 A C 1|1 ./."])
    sites, _ = read(path if kind == "vcf" else as_bcf(path))
    assert list(sites.values()) == [
        [[0, 1], [-1, -1]],
        [[-1, -1], [-1, -1]],
        [[1, 1], [-1, -1]],
    ]


@pytest.mark.parametrize("kind", ["vcf", "vcf.gz", "bcf"])
def test_legal_a_telomere_is_counted(tmp_path, kind):
    """Position 0, in an indexed file too."""
    path = write_text(
        tmp_path / "x.vcf", ["1 0 N <DEL> 0|1 0|0", "1 0 A C 0|1 1|1", "1 5 A C 0|1 0|0"]
    )
    if kind == "vcf.gz":
        path = pysam.tabix_compress(str(path), f"{path}.gz") or path.with_name("x.vcf.gz")
        pysam.tabix_index(str(path), preset="vcf")
    elif kind == "bcf":
        # bcftools makes no index of such a file.
        path = as_bcf(path)
    sites, reader = read(path)
    assert sites == {(5, "A", "C"): [[0, 1], [0, 0]]}
    assert reader.tally["telomere"] == 2 and reader.tally["read"] == 3


def test_legal_prefix_phasing(tmp_path):
    records = ["1 10 A C |0|1 |1|1", "1 20 A C /0|1 0|1", "1 30 A C /0/1 /1/1"]
    sites, reader = read(write_text(tmp_path / "x.vcf", records))
    assert list(sites.values()) == [[[0, 1], [1, 1]], [[0, 1], [0, 1]], [[0, 1], [1, 1]]]
    # An allele that is not phased is not, whatever the other one is.
    assert reader.tally["unphased_heterozygotes"] == 2 and reader.tally["heterozygotes"] == 4
    sites, _ = read(write_text(tmp_path / "y.vcf", ["X 10 A C |1 0|1"]), chromosome="X")
    assert sites[10, "A", "C"][0][0] == 1


def test_legal_a_blank_last_line(tmp_path, caplog):
    records = ["1 10 A C 0|1 0|0"]
    sites, _ = read(write_text(tmp_path / "x.vcf", records, end="\n\n \n"))
    assert len(sites) == 1
    assert "blank_last_lines=2, from line 12 on" in caplog.text
    path = write_text(
        tmp_path / "y.vcf", records, end="\n\n1\t20\t.\tA\tC\t.\t.\t.\tGT\t0|1\t0|0\n"
    )
    with pytest.raises(InputError, match=r"line 12 is blank; remove it"):
        read(path)


def test_legal_a_bcf_whose_contigs_have_no_length(tmp_path):
    path = as_bcf(write_text(tmp_path / "x.vcf", ["1 10 A C 0|1 0|0"]))
    assert read_vcf_header(path).lengths == {"1": 0, "2": 0}
    assert list(read(path)[0]) == [(10, "A", "C")]
    path = write_text(
        tmp_path / "y.vcf", ["1 10 A C 0|1 0|0"], head=HEAD.replace("ID=2", "ID=2,length=9")
    )
    assert read_vcf_header(as_bcf(path)).lengths == {"1": 0, "2": 9}


@pytest.mark.parametrize(
    ("alt", "message"),
    [
        ("C,", r"line 11 \(record 1:10\) has an empty allele in its ALT"),
        (",C", "has an empty allele in its ALT"),
        ("C,,G", "has an empty allele in its ALT"),
        ("C,.", "has an empty allele in its ALT"),
        ("C,c", "lists an allele of ALT twice"),
    ],
)
def test_empty_alt_in_a_list_is_refused_by_line(tmp_path, alt, message):
    with pytest.raises(InputError, match=message):
        read(write_text(tmp_path / "x.vcf", [f"1 10 A {alt} 0|1 0|0"]))


def test_an_allele_without_alt_is_refused(tmp_path):
    with pytest.raises(InputError, match="record 1:10 has a genotype with an allele that is not"):
        read(write_text(tmp_path / "x.vcf", ["1 10 A . 0|1 0|0"]))


def test_hom_ref_is_kept_where_asked_for(tmp_path):
    path = write_text(tmp_path / "x.vcf", ["1 10 A . 0|0 .|.", "1 20 AT . 0|0 0|0"])
    assert read(path, hom_ref=True)[0] == {(10, "A", "."): [[0, 0], [-1, -1]]}
    assert read(path)[1].tally["no_alt"] == 2


def test_input_lost_mixed_names_are_told(tmp_path):
    path = write_text(tmp_path / "x.vcf", ["1 10 A C 0|1 0|0", "chr1 20 A C 0|1 0|0"])
    sites, reader = read(path)
    assert len(sites) == 2
    assert "1 and chr1" in reader.notes["mixed_names"]


def test_input_lost_remarks_are_counted_and_listed(tmp_path):
    head = HEAD.replace("<ID=1>", "<ID=1,length=15>")
    path = write_text(tmp_path / "x.vcf", ["1 10 A C 0|1 0|0", "1 20 A C 0|1 0|0"], head=head)
    text = path.read_text().replace(
        "20\t.\tA\tC\t.\t.\t.\tGT\t0|1", "20\t.\tA\tC\t.\tq10\t.\tGT:PS\t0|1:5"
    )
    path.write_text(text)
    reader = BiallelicReader(path, "1", ["a", "b"])
    remarks = [word for block in reader for word in block.remarks]
    assert remarks == ["", "filter_fail,phase_sets,beyond_contig_end"]
    assert all(reader.tally[word] == 1 for word in remarks[1].split(","))


def indexed(tmp_path, records, kind):
    """A file whose index is of these records only; gives a function that puts others in it."""
    path = write_text(tmp_path / "x.vcf", records)
    if kind == "bcf":
        out = as_bcf(path)
        pysam.bcftools.index("-f", str(out))
        return out
    pysam.tabix_compress(str(path), f"{path}.gz", force=True)
    pysam.tabix_index(f"{path}.gz", preset="vcf", csi=kind == "csi", force=True)
    return path.with_name("x.vcf.gz")


@pytest.mark.parametrize("kind", ["tbi", "csi", "bcf"])
def test_input_lost_a_stale_index_is_found_on_any_chromosome(tmp_path, kind):
    ours, other = "1 10 A C 0|1 0|0", "2 10 A C 0|1 0|0"
    path = indexed(tmp_path, [ours, other], kind)
    assert len(read(path)[0]) == 1
    assert name_chromosomes(path, read_vcf_header(path)) == ["1", "2"]
    stale = next(path.parent.glob(f"{path.name}.?[bs]i")).read_bytes()
    for records in ([ours], [ours, other, "2 20 A C 0|1 0|0"]):
        path = indexed(tmp_path, records, kind)
        next(path.parent.glob(f"{path.name}.?[bs]i")).write_bytes(stale)
        with pytest.raises(InputError, match=r"records on chromosome 2, its index counts 1"):
            read(path)


def test_quadratic_header_reading(tmp_path):
    """Twice the header takes twice the time, about; it took four times as long."""

    def spend(megabytes):
        line = f'##INFO=<ID=A,Number=1,Type=String,Description="{"x" * 80}">\n'
        head = HEAD + line * (megabytes * 2**20 // len(line))
        path = write_text(tmp_path / "x.vcf", ["1 10 A C 0|1 0|0"], head=head)
        started = time.process_time()
        assert read_header(path, "text").samples == ["a", "b"]
        return time.process_time() - started

    spend(1)
    assert spend(16) < 3 * spend(8)


ALTS = ["A", "C", "G", "T", "g", "CA", "ca", "<DEL>", "*", "<*>", "N", "R"]


@st.composite
def whole_files(draw):
    """Records of a file, as lists of its columns, with any mix of what is odd."""
    records = []
    positions = draw(st.lists(st.integers(0, 6), min_size=1, max_size=9).map(sorted))
    for position in positions:
        ref = draw(st.sampled_from(["A", "a", "C", "AC", "N"]))
        alts = draw(st.lists(st.sampled_from(ALTS), max_size=3, unique_by=str.upper))
        alts = [alt for alt in alts if alt.upper() != ref.upper()]
        if set(alts) <= {"<*>"} and alts:
            alts.append("TTT")
        allele = st.sampled_from([".", *map(str, range(len(alts) + 1))])
        calls = [f"{draw(allele)}|{draw(allele)}" for _ in range(3)]
        fixed = [str(position), ".", ref, ",".join(alts) or ".", "."]
        odd = draw(st.sampled_from([".", "PASS", "q10"]))
        if draw(st.booleans()):
            records.append(["1", *fixed, odd, ".", "GT", *calls])
        else:
            records.append(["1", *fixed, odd, ".", "GT:PS", *(f"{call}:1" for call in calls)])
    return records


def is_wanted(ref, alt, variants, hom_ref):
    if alt == ".":
        return hom_ref and ref in list("ACGT")
    size = variants != "snps" or len(ref) == len(alt) == 1
    return size and set(ref + alt) <= set("ACGT")


def tell(allele, alts, number, is_deleted):
    """One allele of a genotype as a store should have it, for the `number`-th ALT."""
    name = alts[allele - 1] if allele > 0 else ""
    nameless = name in ("*", "<*>") or ("<" not in name and set(name) - set("ACGT"))
    if allele < 0 or nameless or (is_deleted and allele != number):
        return -1
    return int(allele == number)


def expect(path, variants, hom_ref):
    """What a store should hold, by cyvcf2's reading of the same file, an allele at a time."""
    by_position = {}
    for record in cyvcf2.VCF(str(path)):
        calls = [allele for genotype in record.genotypes for allele in genotype[:2]]
        facts = (record.REF.upper(), [alt.upper() for alt in record.ALT], calls)
        by_position.setdefault(record.POS, []).append(facts)
    by_position.pop(0, None)
    found = {}
    for position, records in by_position.items():
        deleted = {
            place
            for _, alts, calls in records
            for place, allele in enumerate(calls)
            if allele > 0 and alts[allele - 1] == "*"
        }
        for ref, alts, calls in records:
            for number, alt in enumerate(alts or ["."], start=1):
                if not is_wanted(ref, alt, variants, hom_ref):
                    continue
                known = [
                    tell(one, alts, number, place in deleted) for place, one in enumerate(calls)
                ]
                key = position, ref, alt
                if key not in found or known.count(-1) < found[key].count(-1):
                    found[key] = known
    return found


@bounds(max_examples=150, deadline=None)
@given(whole_files(), st.sampled_from(["snps", "all_biallelic"]), st.booleans(), st.booleans())
def test_whole_files_are_read_as_cyvcf2_reads_them(
    tmp_path_factory, records, variants, hom_ref, blank
):
    """The store of any mix of odd records, from text and from BCF, and the fate of every allele."""
    folder = tmp_path_factory.mktemp("whole")
    text = HEAD + "\t".join([*COLUMNS, "a", "b", "c"]) + "\n"
    lines = ["\t".join(record) for record in records]
    (folder / "x.vcf").write_text(text + "\n".join(lines) + "\n" + "\n" * blank)
    prefixed = [
        "\t".join([*record[:9], *(f"|{call}" for call in record[9:])]) for record in records
    ]
    (folder / "prefixed.vcf").write_text(text + "\n".join(prefixed) + "\n")
    (folder / "plain.vcf").write_text(text + "\n".join(lines) + "\n")
    bcf = as_bcf(folder / "plain.vcf")
    expected = expect(bcf, variants, hom_ref)
    for path in (folder / "x.vcf", folder / "prefixed.vcf", bcf):
        sites, reader = read(path, variants=variants, hom_ref=hom_ref)
        flat = {key: [one for call in calls for one in call] for key, calls in sites.items()}
        assert flat == expected
        assert reader.tally["read"] == len(records)
        assert reader.tally["filter_fail"] == sum(record[6] == "q10" for record in records)
        assert reader.tally["phase_sets"] == sum(record[8] == "GT:PS" for record in records)
        # Every allele of ALT is a site or was left out, and that once.
        told = [*sites, *((one.position, one.ref, one.alt) for one in reader.dropped)]
        every = [
            (int(record[1]), record[3].upper(), one if "<" in one else one.upper())
            for record in records
            for one in (record[4].split(",") if record[1] != "0" else [record[4]])
        ]
        given_ = Counter(
            (
                position,
                ref,
                ",".join(part if "<" in part else part.upper() for part in alt.split(",")),
            )
            for position, ref, alt in every
        )
        assert Counter(told) == given_
