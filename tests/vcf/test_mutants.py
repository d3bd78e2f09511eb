"""Files with faults that nobody thought of: each is read or refused in one line; `pytest -m slow`."""

import numpy as np
import pytest

from haplorag.errors import InputError
from haplorag.seeding import seed_of
from haplorag.vcf.biallelic import BiallelicReader
from haplorag.vcf.position import Rules
from haplorag.vcf.reader import find_chromosomes, read_vcf_header

MUTANTS = 20_000
TEXT = b"""##fileformat=VCFv4.3
##contig=<ID=1,length=5000>
##contig=<ID=X>
##FILTER=<ID=q10,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=DS,Number=1,Type=Float,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc
1\t10\trs1\tA\tC\t.\tPASS\t.\tGT\t0|1\t1|1\t0|0
1\t10\trs1\ta\tG,*\t30\tq10\tAC=1\tGT:DS\t0|1:1\t2|2:.\t./.:0
1\t20\t.\tAT\tA,<DEL>\t.\t.\t.\tDS:GT\t1:0|1\t0:0|2\t1:.|1
1\t20\t.\tC\t.\t.\t.\t.\tGT\t0|0\t0|0\t.
1\t4999\t.\tG\tT,<*>\t.\t.\t.\tGT\t0|1\t|1|1\t/0/0
X\t7\t.\tG\tT\t.\t.\t.\tGT\t0\t1|1\t1
"""
SPICE = [
    *(bytes([byte]) for byte in b"\t\n\r\0 |/.,:;<>*-+#09ACN\xff\xc3"),
    b"2147483648", b"-1", b"1e5", b"NaN", b"\t\t", b"\n\n", b"0|1|1", b"<NON_REF>", b"chr1",
    b"##contig=<ID=2,length=99999999999>\n", b"#CHROM", "\N{SNOWMAN}".encode(), b"9" * 300,
]  # fmt: skip


def mutate(text: bytes, generator: np.random.Generator) -> bytes:
    """A text with one to four faults: bytes or lines changed, put in, taken out, moved."""
    for _ in range(generator.integers(1, 5)):
        at, stop = np.sort(generator.integers(0, len(text) + 1, 2))
        stop = min(stop, at + int(generator.integers(0, 40)))
        spice = SPICE[generator.integers(len(SPICE))]
        lines = text.split(b"\n")
        one, other = generator.integers(0, len(lines), 2)
        kind = generator.integers(6)
        if kind == 0:
            text = text[:at] + spice + text[at:]
        elif kind == 1:
            text = text[:at] + text[stop:]
        elif kind == 2:
            text = text[:at] + text[at:stop] * 2 + text[stop:]
        elif kind == 3:
            text = text[:at] + spice + text[at + len(spice) :]
        elif kind == 4:
            lines[one], lines[other] = lines[other], lines[one]
            text = b"\n".join(lines)
        else:
            columns = [line.split(b"\t") for line in lines]
            columns[one][generator.integers(len(columns[one]))] = spice
            text = b"\n".join(map(b"\t".join, columns))
    return text


def read_all(path):
    """Read every chromosome as a target is read; gives how many records."""
    header = read_vcf_header(path)
    records = 0
    for name in find_chromosomes(path, header):
        rules = Rules("all_biallelic", hom_ref=True)
        reader = BiallelicReader(path, name, header.samples, rules, listing=True)
        for block in reader:
            assert block.alleles.min() >= -2 and block.alleles.max() <= 1
            assert block.positions.min() > 0
        records += reader.tally["read"]
    return records


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_mutants_are_read_or_refused_in_one_line(tmp_path):
    path = tmp_path / "x.vcf"
    read = 0
    for number in range(MUTANTS):
        text = mutate(TEXT, np.random.default_rng(seed_of(number, "mutant")))
        path.write_bytes(text)
        try:
            read += read_all(path) > 0
        except InputError as error:
            message = str(error)
            assert message.startswith(str(path)) and len(message) < 500, (number, message)
            assert message.isprintable(), (number, message)
        except Exception as error:
            raise AssertionError(f"mutant {number}: {error!r}") from error
    # Both ends are met often.
    assert MUTANTS / 50 < read < MUTANTS / 2
