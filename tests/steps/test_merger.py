"""Batches of people imputed apart and merged are what they are together."""

import gzip
from pathlib import Path

import numpy as np
import pysam
import pytest

from haplorag.errors import InputError
from haplorag.steps.imputation import imputation
from haplorag.steps.merger import merger


def read(path):
    """Columns of every record, and the names of the people."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    names = next(line for line in lines if line.startswith("#CHROM")).split("\t")[9:]
    return names, [line.split("\t") for line in lines if line[0] != "#"]


def cut(source, target, people, lose=lambda row, person: False):
    """Write some people of a target; who loses a genotype is told by the record and the person."""
    lines = gzip.decompress(source.read_bytes()).decode().splitlines()
    kept, row = [], 0
    for line in lines:
        words = line.split("\t")
        if not line.startswith("##"):
            cells = [
                ".|." if line[0] != "#" and lose(row, person) else words[9 + person]
                for person in people
            ]
            words = [*words[:9], *cells]
            row += line[0] != "#"
        kept.append("\t".join(words))
    target.write_text("\n".join(kept) + "\n")
    return target


@pytest.fixture(scope="module")
def batches(simulated, panel_imputer, tmp_path_factory):
    """Everybody together, and the same people in two batches; some lack genotypes."""
    folder = tmp_path_factory.mktemp("batches")
    source = simulated.folder / "demo/target.vcf.gz"
    lose = lambda row, person: (row * 7 + person * 3) % 11 == 0 and person != 1  # noqa: E731
    outputs = []
    for name, people in (("all", (0, 1, 2)), ("a", (0, 2)), ("b", (1,))):
        target = cut(source, folder / f"{name}.vcf", people, lose)
        output = folder / f"{name}.out.vcf.gz"
        settings = simulated.settings.imputation
        imputation(panel_imputer, target, output, folder / f"{name}.tsv", settings=settings)
        outputs.append(output)
    return outputs


def test_people_come_out_alike_alone_and_together(batches):
    together, *apart = (read(path) for path in batches)
    for names, lines in apart:
        columns = [9 + together[0].index(name) for name in names]
        for alone, whole in zip(lines, together[1], strict=True):
            assert alone[:5] == whole[:5]
            for cell, column in zip(alone[9:], columns, strict=True):
                assert cell.split(":")[:4] == whole[column].split(":")[:4]


def test_merged_batches_are_the_whole(batches, tmp_path):
    whole, *apart = batches
    merger(tmp_path / "merged.vcf.gz", batches=apart)
    names, merged = read(tmp_path / "merged.vcf.gz")
    expected_names, expected = read(whole)
    order = [9 + names.index(name) for name in expected_names]
    assert len(merged) == len(expected)
    for line, wanted in zip(merged, expected, strict=True):
        assert line[:7] == wanted[:7] and line[8] == wanted[8]
        assert [line[column] for column in order] == wanted[9:]
        facts, wished = (
            dict(fact.partition("=")[::2] for fact in words[7].split(";"))
            for words in (line, wanted)
        )
        assert facts.keys() == wished.keys()
        assert facts["AF"] == wished["AF"] and facts["R2"] == wished["R2"]
        assert float(facts["INFO"]) == pytest.approx(float(wished["INFO"]), abs=2e-4)
    with pysam.VariantFile(str(tmp_path / "merged.vcf.gz")) as vcf:
        assert len(list(vcf.fetch("1", 0, 50_000))) > 10


def test_what_does_not_go_together_is_refused(batches, tmp_path):
    whole, first, second = batches
    with pytest.raises(InputError, match="people are in another batch too"):
        merger(tmp_path / "x.vcf.gz", batches=[whole, first])
    lines = gzip.decompress(second.read_bytes()).splitlines(keepends=True)
    (tmp_path / "short.vcf").write_bytes(b"".join(lines[:-1]))
    pysam.tabix_compress(str(tmp_path / "short.vcf"), str(tmp_path / "short.vcf.gz"))
    with pytest.raises(InputError, match=r"short\.vcf\.gz: lacks the site 1:\d+ of"):
        merger(tmp_path / "x.vcf.gz", batches=[first, tmp_path / "short.vcf.gz"])
    assert not (tmp_path / "x.vcf.gz").exists()


def test_an_unused_variant_beside_its_site_of_the_panel_is_merged_by_itself(tmp_path):
    """An A/T SNP in a file of mixed strands is imputed, and comes out as it was too."""
    head = "##fileformat=VCFv4.2\n##contig=<ID=1>\n##FORMAT=<ID=GT,Number=1,Type=String>\n#CHROM\t"
    columns = "POS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"
    imputed = "1\t9\ts\tA\tT\t.\tPASS\tAF=0.5;R2=0;INFO=0.5;{}\tGT:DS:GP:HDS\t0|1:1:0,1,0:0,1\n"
    unused = "1\t9\t.\tA\tT\t.\tPASS\tTARGET_ONLY\tGT\t0|0\n"
    records = {"x": imputed.format("IMP") + unused, "y": imputed.format("TYPED")}
    paths = [tmp_path / f"{name}.vcf" for name in records]
    for path, (name, text) in zip(paths, records.items(), strict=True):
        path.write_text(f"{head}{columns}{name}\n{text}")
    merger(tmp_path / "o.vcf.gz", batches=paths)
    both, alone = read(tmp_path / "o.vcf.gz")[1]
    assert both[7].endswith("INFO=0.5000;TYPED") and [cell[-1] for cell in both[9:]] == ["1", "0"]
    assert alone[7:] == ["TARGET_ONLY", "GT", "0|0", "."]


def test_an_output_that_is_a_batch_or_of_another_kind_is_refused(batches, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="ends in neither"):
        merger(tmp_path / "x.vcf", batches=batches[1:])
    monkeypatch.chdir(batches[1].parent)
    with pytest.raises(InputError, match="is one of the batches"):
        merger(batches[1].parent.resolve() / batches[1].name, batches=[Path(batches[1].name)])


def test_ids_are_the_targets_then_the_panels(batches, simulated, panel_imputer, tmp_path):
    source = simulated.folder / "demo/target.vcf.gz"
    target = cut(source, tmp_path / "t.vcf", (0, 1, 2))
    text = target.read_text().splitlines()
    rows = [row for row, line in enumerate(text) if line[0] != "#"]
    for number, row in enumerate(rows):
        words = text[row].split("\t")
        words[2] = "." if number % 2 else f"rs{number}"
        text[row] = "\t".join(words)
    target.write_text("\n".join(text) + "\n")
    output = tmp_path / "o.vcf.gz"
    settings = simulated.settings.imputation
    imputation(panel_imputer, target, output, tmp_path / "s.tsv", settings=settings)
    typed = [line for line in read(output)[1] if line[7].endswith("TYPED")]
    expected = [f"rs{number}" for number in range(0, len(rows), 2)]
    assert [line[2] for line in typed][::2] == expected
    assert all(line[2] == f"1:{line[1]}:{line[3]}:{line[4]}" for line in typed[1::2])
    assert np.mean([line[2] == "." for line in read(output)[1]]) == 0
