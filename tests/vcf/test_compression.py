"""Blocks compressed side by side are block gzip, the same whatever the threads."""

import gzip

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haplorag.errors import InputError
from haplorag.vcf.bgzf import check_container, read_pieces
from haplorag.vcf.compression import BLOCK, compress_block, writing_blocks


def write(path, pieces, threads):
    with writing_blocks(path, threads) as writer:
        for piece in pieces:
            writer.write(piece)
    return path.read_bytes()


@given(st.lists(st.integers(0, 3 * BLOCK), max_size=6), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_text_comes_back_whatever_its_pieces_and_the_threads(tmp_path_factory, sizes, seed):
    folder = tmp_path_factory.mktemp("blocks")
    # What cannot be compressed is the longest.
    generator = np.random.default_rng(seed)
    pieces = [generator.bytes(size) for size in sizes]
    one = write(folder / "1.gz", pieces, 1)
    assert gzip.decompress(one) == b"".join(pieces)
    assert write(folder / "3.gz", [b"".join(pieces)], 3) == one


def test_it_is_block_gzip_to_who_reads_it(tmp_path):
    line = b"1\t%d\t.\tA\tC\t.\tPASS\t.\tGT\t0|1\n"
    head = b'##fileformat=VCFv4.2\n##contig=<ID=1>\n##FORMAT=<ID=GT,Number=1,Type=String,Description="">\n'
    head += b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tp\n"
    lines = [line % position for position in range(1, 9000)]
    path = tmp_path / "o.vcf.gz"
    write(path, [head, *lines], 2)
    assert check_container(path) == "bgzf"
    assert b"".join(read_pieces(path)) == head + b"".join(lines)
    pysam.tabix_index(str(path), preset="vcf")
    with pysam.VariantFile(str(path)) as vcf:
        assert [record.pos for record in vcf.fetch("1", 4000, 4003)] == [4001, 4002, 4003]


def test_where_writing_fails_no_end_is_written(tmp_path):
    path = tmp_path / "o.gz"
    with pytest.raises(ValueError, match="spoilt"), writing_blocks(path, 2) as writer:
        writer.write(bytes(3 * BLOCK))
        raise ValueError("spoilt")
    with pytest.raises(InputError):
        check_container(path)


def test_a_full_block_of_noise_fits():
    noise = np.random.default_rng(1).bytes(BLOCK)
    assert BLOCK < len(compress_block(noise)) <= 2**16
