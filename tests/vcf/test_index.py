"""An index from elsewhere may say anything: it is counted within the bounds of its size, and read
by libraries only in a process of its own.
"""

import gzip
import os
import random
import struct
from functools import partial
from pathlib import Path

import pysam
import pytest

from haplorag.errors import InputError
from haplorag.io.apart import try_apart
from haplorag.vcf.bgzf import read_pieces
from haplorag.vcf.index import count_indexed
from haplorag.vcf.reader import open_vcf, read_vcf_header

HEADER = struct.Struct("<4s8i")


@pytest.fixture(params=["tbi", "csi"])
def indexed(request, tmp_path) -> Path:
    """A VCF of 400 records on two chromosomes, with an index of a kind."""
    head = "##fileformat=VCFv4.2\n##contig=<ID=1>\n##contig=<ID=2>\n"
    head += '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n'
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\n"
    lines = [
        f"{chromosome}\t{place}\t.\tA\tC\t.\t.\t.\tGT\t0|1\n"
        for chromosome in (1, 2)
        for place in range(1, 2_000_000, 10_000)
    ]
    (tmp_path / "x.vcf").write_text(head + columns + "".join(lines))
    pysam.tabix_index(str(tmp_path / "x.vcf"), preset="vcf", csi=request.param == "csi", force=True)
    return tmp_path / "x.vcf.gz"


def find_index(path: Path) -> Path:
    return next(path.parent.glob("*.[ct][sb]i"))


def write_index(path: Path, data: bytes) -> None:
    with pysam.BGZFile(str(find_index(path)), "wb") as file:
        file.write(data)


def read_all(path: Path) -> None:
    """Read records through the index, as htslib does."""
    reader = open_vcf(path)
    for region in ("1:1-20000", "2:1900000-1990000"):
        for record in reader(region):
            record.genotype.array()


@pytest.mark.timeout(60)
def test_an_index_that_never_ends_or_takes_all_memory_is_refused(indexed):
    header = read_vcf_header(indexed)
    whole = b"".join(read_pieces(find_index(indexed)))
    assert count_indexed(indexed, header) == {"1": 200, "2": 200}
    # Where the number of bins of the first chromosome stands.
    is_tabix = whole[:3] == b"TBI"
    first = struct.unpack_from("<i", whole, 32 if is_tabix else 12)[0]
    first += HEADER.size if is_tabix else 20
    hostile = {
        "bomb": whole + b"\0" * 300_000_000,
        "cut": whole[: len(whole) // 2],
        "many bins": whole[:first] + b"\xff\xff\xff\x7f" + whole[first + 4 :],
        "less than no bins": whole[:first] + b"\xff\xff\xff\xff" + whole[first + 4 :],
        "backwards": whole.replace(struct.pack("<i", 2), struct.pack("<i", -2)),
        "of another kind": b"BAI\1" + whole[4:],
    }
    for name, data in hostile.items():
        write_index(indexed, data)
        with pytest.raises(InputError, match=r"not a whole index of .*; remove it"):
            count_indexed(indexed, header)
            pytest.fail(name)


def test_an_index_that_is_a_pipe_is_refused(indexed):
    find_index(indexed).unlink()
    os.mkfifo(f"{indexed}.tbi")
    with pytest.raises(InputError, match="it is not a file"):
        count_indexed(indexed, read_vcf_header(indexed))


@pytest.mark.parametrize("cases", [60, pytest.param(3000, marks=pytest.mark.slow)])
def test_mutants_of_an_index_end_no_process(indexed, cases):
    """Whether it is counted, refused, or ends the library that reads it."""
    header = read_vcf_header(indexed)
    whole = b"".join(read_pieces(find_index(indexed)))
    refused = 0
    for seed in range(cases):
        generator = random.Random(seed)
        data = bytearray(whole)
        for _ in range(generator.randint(1, 4)):
            place = generator.randrange(len(data) - 8)
            value = generator.choice((-1, 0, 1, 2**31 - 1, -(2**31), generator.randrange(2**31)))
            data[place : place + 4] = struct.pack("<i", value)
        write_index(indexed, bytes(data))
        for read in (partial(count_indexed, indexed, header), partial(read_apart, indexed)):
            try:
                read()
            except InputError:
                refused += 1
    assert refused > cases // 10


def read_apart(path: Path) -> None:
    try_apart(path, partial(read_all, path))


def test_a_plainly_gzipped_index_is_counted_or_refused(indexed):
    """As text in gzip it is no index; whichever way, it is one line."""
    data = b"".join(read_pieces(find_index(indexed)))
    find_index(indexed).write_bytes(gzip.compress(data))
    with pytest.raises(InputError, match="not a whole index"):
        count_indexed(indexed, read_vcf_header(indexed))
