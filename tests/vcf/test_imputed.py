"""What is read back of imputed and of true genotypes."""

import pytest

from haplorag.vcf.imputed import iterate_dosages, iterate_imputed, read_truth

HEAD = """##fileformat=VCFv4.2
##contig=<ID=X>
##INFO=<ID=R2,Number=1,Type=Float,Description="">
##INFO=<ID=IMP,Number=0,Type=Flag,Description="">
##FORMAT=<ID=GT,Number=1,Type=String,Description="">
##FORMAT=<ID=DS,Number=1,Type=Float,Description="">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tm\tw
"""


def write(path, *lines):
    path.write_text(HEAD + "".join("\t".join(line.split()) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("man", ["1", "1/1", "1|1"])
def test_a_mans_allele_counts_twice_however_it_is_written(tmp_path, man):
    truth = write(tmp_path / "t.vcf", f"X 5 . A C . . . GT {man} 0|1", "X 7 . A C . . . GT . ./1")
    found = read_truth(truth, ["w", "m"], ["X"])
    assert found["X", 5, "A", "C"].tolist() == [1, 2]
    assert found["X", 7, "A", "C"].tolist() == [-1, -1]


@pytest.mark.parametrize(("man", "woman"), [("1:0.75", "0|1:1.25"), ("1|1:1.5", "0|1:1.25")])
def test_dosages_are_those_of_diploids(tmp_path, man, woman):
    imputed = write(tmp_path / "i.vcf", f"X 5 . A C . . R2=1;IMP GT:DS {man} {woman}")
    ((_, dosage),) = iterate_dosages(imputed)
    (site,) = iterate_imputed(imputed, with_dosages=True)
    assert dosage.tolist() == site.dosage.tolist() == [1.5, 1.25]


def test_of_men_only_each_has_one_allele(tmp_path):
    imputed = write(tmp_path / "i.vcf", "X 5 . A C . . R2=1;IMP GT:DS 1:0.75 0:0.125")
    ((_, dosage),) = iterate_dosages(imputed)
    assert dosage.tolist() == [1.5, 0.25]
    assert read_truth(imputed, ["m", "w"], ["X"])["X", 5, "A", "C"].tolist() == [2, 0]


@pytest.mark.parametrize(
    ("chromosomes", "name"), [(["23"], "23"), (["chrX"], "X"), (["X", "23"], "X"), (["1"], "X")]
)
def test_sites_of_the_truth_are_called_as_in_the_imputed_file(tmp_path, chromosomes, name):
    truth = write(tmp_path / "t.vcf", "X 5 . A C . . . GT 1 0|1")
    assert list(read_truth(truth, ["w"], chromosomes)) == [(name, 5, "A", "C")]
