"""Writes imputed genotypes as a bgzipped, indexed VCF or as BCF, and reads those of other tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
import pysam.bcftools

from haplorag.alleles import ABSENT
from haplorag.errors import InputError
from haplorag.io.atomic import flush, replacing
from haplorag.vcf.compression import BlockWriter, writing_blocks

# Probabilities are written in thousandths, so that a person's whole entry is a function of two
# numbers.
LEVELS = 1000
# Stands for a second haplotype that there is not, among probabilities in thousandths.
NONE = LEVELS + 1
# Genotypes, phased or haploid, each with the tab before it, by 4 (first allele + 1) + second + 2.
PHASED = np.array(
    [f"\t{first}{second}" for first in ".01" for second in ("", "|.", "|0", "|1")], dtype="S4"
)
# A .tbi reaches no farther than 512 Mb; a .csi does.
LONGEST_TBI = 2**29
COLUMNS = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
SOURCE = """##FILTER=<ID=PASS,Description="All filters passed">
##source=haplorag
"""
IMPUTED_FIELDS = """##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency of ALT in these people, from the haplotypes' dosages">
##INFO=<ID=R2,Number=1,Type=Float,Description="Squared correlation with the true genotypes as estimated from how these people's dosages vary, as Minimac has it; it says little of fewer than 50 people, and nothing of one: see INFO">
##INFO=<ID=INFO,Number=1,Type=Float,Description="Information of the dosages, as IMPUTE has it, with the panel's frequency of ALT: 1 less the uncertainty that is left as a share of that without data; the r2 to be expected, of few people too; a mean over haplotypes, below 0 where less is known than by the frequency">
##INFO=<ID=IMP,Number=0,Type=Flag,Description="Imputed: not in the target file">
##INFO=<ID=TYPED,Number=0,Type=Flag,Description="In the target file; known genotypes are as they were, those of people who lack them are imputed and have IMP=1">
##INFO=<ID=TARGET_ONLY,Number=0,Type=Flag,Description="In the target file and not used, for it matches no site of the panel">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Phased genotype, the more likely allele of each haplotype">
##FORMAT=<ID=DS,Number=A,Type=Float,Description="Dosage: expected number of ALT alleles, of two or of a haploid's one">
##FORMAT=<ID=GP,Number=G,Type=Float,Description="Probabilities of the genotypes 0/0, 0/1 and 1/1, or of a haploid's 0 and 1">
##FORMAT=<ID=HDS,Number=.,Type=Float,Description="Probability of ALT on each haplotype">
##FORMAT=<ID=IMP,Number=1,Type=Integer,Description="At sites that are typed, where somebody lacks a genotype: 1 if it is imputed, 0 if it is the target file's">
"""
PHASED_FIELDS = '##FORMAT=<ID=GT,Number=1,Type=String,Description="Phased genotype">\n'


class Site(NamedTuple):
    """One line's site: 1-based position, id and alleles."""

    position: int
    name: str
    ref: str
    alt: str


class ImputedWriter:
    """Formats and writes lines in order; entries are looked up in a table that fills as it goes.

    `r2` keeps the estimated r2 of all sites that were formatted, float [L] a call.
    """

    def __init__(self, file: BlockWriter) -> None:
        self._file = file
        self.r2: list[np.ndarray] = []
        # Each with the tab before it.
        self._entries = np.full((LEVELS + 1) * (NONE + 1), b"", dtype=object)
        self._known = np.zeros(len(self._entries), dtype=bool)

    def write(self, lines: bytes) -> None:
        """Write lines that were formatted."""
        self._file.write(lines)

    def format_imputed(
        self,
        chromosome: str,
        sites: list[Site],
        frequency: np.ndarray,
        probability: np.ndarray,
        typed: np.ndarray,
    ) -> Iterator[bytes]:
        """Lines of panel sites, whose frequency of ALT in the panel is float [L].

        `probability` float [L, n, 2] is that of ALT on each haplotype, exactly 0 or 1 where known
        and NaN where there is no second one; `typed` bool [L, n] is true where a genotype is the
        target file's, of nobody where a site is not typed.
        """
        absent = np.isnan(probability)
        levels = np.rint(np.where(absent, 0, probability) * LEVELS).astype(np.int32)
        levels[absent] = NONE
        codes = levels[:, :, 0] * (NONE + 1) + levels[:, :, 1]
        for code in np.unique(codes[~self._known[codes]]):
            self._entries[code] = b"\t" + format_entry(*divmod(int(code), NONE + 1)).encode()
            self._known[code] = True
        dosages = np.where(absent, 0, levels / LEVELS).reshape(len(levels), -1)
        there = ~absent.reshape(len(levels), -1)
        information = estimate_information(dosages, there, frequency)
        share, r2 = average(dosages, there), estimate_r2(dosages, there)
        self.r2.append(r2)
        facts = map(format_facts, share.tolist(), r2.tolist(), information.tolist())
        count = typed.sum(axis=1).tolist()
        for number, (site, told) in enumerate(zip(sites, facts, strict=True)):
            kind, fields = "TYPED" if count[number] else "IMP", "GT:DS:GP:HDS"
            entries = self._entries[codes[number]]
            if 0 < count[number] < typed.shape[1]:
                # It says who is typed.
                fields += ":IMP"
                entries = entries + np.where(typed[number], b":0", b":1").astype(object)
            yield _format_line(chromosome, site, f"{told};{kind}", fields, entries)

    def format_untouched(
        self, chromosome: str, site: Site, alleles: np.ndarray, unphased: np.ndarray
    ) -> bytes:
        """The line of a target site that was not used: alleles int8 [n, 2], -1 where missing
        and ABSENT where haploid, and whose two are not in a known order, bool [n].
        """
        return _format_phased(chromosome, site, "TARGET_ONLY", alleles, unphased)


def _format_line(
    chromosome: str, site: Site, facts: str, fields: str, entries: np.ndarray
) -> bytes:
    """A line of entries [n], S or bytes, each with the tab before it."""
    position, name, ref, alt = site
    head = f"{chromosome}\t{position}\t{name}\t{ref}\t{alt}\t.\tPASS\t{facts}\t{fields}"
    return b"".join([head.encode(), *entries.tolist(), b"\n"])


def _format_phased(
    chromosome: str, site: Site, facts: str, alleles: np.ndarray, unphased: np.ndarray | None = None
) -> bytes:
    """A line with nothing but genotypes: alleles int8 [n, 2], -1 where missing and ABSENT where
    haploid; all are phased but those of `unphased` bool [n].
    """
    entries = PHASED[4 * (alleles[:, 0] + 1) + alleles[:, 1] - ABSENT]
    if unphased is not None and unphased.any():
        entries[unphased] = np.char.replace(entries[unphased], b"|", b"/")
    return _format_line(chromosome, site, facts, "GT", entries)


def format_entry(first: int, second: int) -> str:
    """GT:DS:GP:HDS of two haplotypes' probabilities in thousandths, or of one where the second is
    NONE.

    DS is their sum, and GP what independent haplotypes give; each is rounded to three digits, so
    that DS is within 0.0015 of GP1 + 2 GP2.
    """
    p, q = first / LEVELS, second / LEVELS
    if second == NONE:
        return f"{int(first > LEVELS // 2)}:{p:g}:{1 - p:g},{p:g}:{p:g}"
    chances = (1 - p) * (1 - q), p * (1 - q) + q * (1 - p), p * q
    genotype = f"{int(first > LEVELS // 2)}|{int(second > LEVELS // 2)}"
    shown = ",".join(f"{chance:.3f}".rstrip("0").rstrip(".") for chance in chances)
    return f"{genotype}:{p + q:.4g}:{shown}:{p:g},{q:g}"


def format_facts(share: float, r2: float, information: float) -> str:
    """AF, R2 and INFO of a line."""
    return f"AF={share:.6g};R2={r2:.4f};INFO={information:.4f}"


def describe_dosages(dosages: np.ndarray, information: float) -> str:
    """AF and R2 of the haplotypes' dosages at a site, float [n], and INFO as it is given."""
    there = np.ones((1, len(dosages)), dtype=bool)
    share, r2 = average(dosages[None], there), estimate_r2(dosages[None], there)
    return format_facts(share[0], r2[0], information)


def average(dosages: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Mean float64 [L] of haplotype dosages [L, 2n], those that are there, bool [L, 2n]."""
    return np.sum(dosages, axis=1, where=there) / np.maximum(there.sum(axis=1), 1)


def estimate_r2(dosages: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Estimate the r2 of sites from haplotype dosages [L, 2n], those that are there, bool [L, 2n]:
    their variance over that of certain alleles, p (1 - p).

    The estimate of Minimac (Das et al. 2016, doi:10.1038/ng.3656); 0 where all dosages are equal,
    as nothing is told apart.
    """
    mean = average(dosages, there)
    variance = average((dosages - mean[:, None]) ** 2, there)
    return _divide(variance, mean * (1 - mean))


def estimate_information(
    dosages: np.ndarray, there: np.ndarray, frequency: np.ndarray
) -> np.ndarray:
    """Estimate the r2 of sites from haplotype dosages [L, 2n], those that are there, bool [L, 2n],
    and the frequency of ALT [L] in the panel: 1 less the variance that is left in the alleles over
    that which they have without data. Below 0 where the people are less certain than the panel is.

    IMPUTE's measure of information (Marchini and Howie 2010, doi:10.1038/nrg2796), but for the
    frequency, which is the people's own there: of one person that tells nothing.
    """
    left = average(dosages * (1 - dosages), there)
    without = frequency.astype(np.float64) * (1 - frequency)
    share = np.divide(left, without, out=np.ones(len(left)), where=without > 0)
    return 1 - share


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Shares [L], no more than 1, and 0 of nothing."""
    return np.minimum(np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0), 1)


@contextmanager
def writing_imputed(
    path: Path,
    lengths: dict[str, int],
    people: list[str],
    last: int,
    threads: int = 1,
    source: str = "",
) -> Iterator[ImputedWriter]:
    """Give a writer; VCF or BCF (by the name's ending) and index appear at `path` only when all
    went well.

    `lengths` has the length of each chromosome in bp, 0 where it is not known; `last` is the
    greatest position that will be written, `source` more lines of the header. So many threads
    compress, while lines are formatted.
    """
    with replacing(path) as temporary:
        text, pointers = (
            temporary.with_name(temporary.name + ending) for ending in (".vcf.gz", ".index")
        )
        try:
            with writing_blocks(text, threads) as file:
                file.write(format_header(people, lengths, IMPUTED_FIELDS, SOURCE + source))
                yield ImputedWriter(file)
            if path.suffix == ".bcf":
                pysam.bcftools.view(
                    "--no-version", "-Ob", "-o", str(temporary), str(text), catch_stdout=False
                )
                pysam.bcftools.index(
                    "--csi", "-o", str(pointers), str(temporary), catch_stdout=False
                )
            else:
                text.replace(temporary)
                _index_text(temporary, pointers, last)
            flush(pointers)
            _put_index(path, pointers, last)
        finally:
            text.unlink(missing_ok=True)
            pointers.unlink(missing_ok=True)


def check_ending(path: Path) -> None:
    """Raise InputError where a name does not say in which format a file is to be written."""
    if not path.name.endswith((".vcf.gz", ".bcf")):
        raise InputError(f"{path}: ends in neither .vcf.gz nor .bcf; name it so")


def name_index(path: Path, last: int) -> Path:
    """The index of a file whose greatest position is `last`."""
    is_csi = path.suffix == ".bcf" or last > LONGEST_TBI
    return path.with_name(path.name + (".csi" if is_csi else ".tbi"))


def _index_text(path: Path, index: Path, last: int) -> None:
    pysam.tabix_index(str(path), preset="vcf", force=True, index=str(index), csi=last > LONGEST_TBI)


def _put_index(path: Path, index: Path, last: int) -> None:
    """Put an index in its place; one of another kind, of an earlier file, would mislead readers."""
    named = name_index(path, last)
    for ending in {".csi", ".tbi"} - {named.suffix}:
        path.with_name(path.name + ending).unlink(missing_ok=True)
    index.replace(named)


def format_header(
    people: list[str], lengths: dict[str, int], fields: str, source: str = ""
) -> bytes:
    """A VCF's header: `source` lines, chromosomes with their lengths (0 unknown), lines of
    `fields`.
    """
    contigs = "".join(
        f"##contig=<ID={name}{f',length={length}' if length else ''}>\n"
        for name, length in lengths.items()
    )
    columns = "\t".join([*COLUMNS, *people])
    return f"##fileformat=VCFv4.2\n{source}{contigs}{fields}{columns}\n".encode()


def write_phased(
    path: Path,
    chromosome: str,
    sites: Iterable[Site],
    calls: Iterable[np.ndarray],
    people: list[str],
) -> None:
    """Write phased genotypes of one chromosome as a bgzipped, indexed VCF.

    `calls` has alleles int8 [n, 2] of each site, -1 where missing and ABSENT where haploid.
    """
    records = ((site, alleles, None) for site, alleles in zip(sites, calls, strict=True))
    write_genotypes(path, {chromosome: records}, people)


def write_genotypes(
    path: Path,
    chromosomes: Mapping[str, Iterable[tuple[Site, np.ndarray, np.ndarray | None]]],
    people: list[str],
    source: str = "",
) -> None:
    """Write genotypes as a bgzipped, indexed VCF with some more lines `source` in its header.

    Each record is a site, alleles int8 [n, 2], -1 where missing, and which genotypes are not
    phased, bool [n] or None where all are.
    """
    last = 0
    with replacing(path) as temporary:
        with pysam.BGZFile(str(temporary), "wb") as file:
            file.write(format_header(people, dict.fromkeys(chromosomes, 0), PHASED_FIELDS, source))
            for chromosome, records in chromosomes.items():
                for site, alleles, unphased in records:
                    file.write(_format_phased(chromosome, site, ".", alleles, unphased))
                    last = max(last, site.position)
        pointers = temporary.with_name(temporary.name + ".index")
        _index_text(temporary, pointers, last)
        _put_index(path, pointers, last)


def write_vcf(
    path: Path, people: list[str], regions: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> None:
    """Write a stretch of each chromosome as one bgzipped, indexed VCF.

    A stretch is positions int [S], REF and ALT [S, 2] and haplotypes 0/1 [S, n, 2]; a site is
    called by its chromosome, position and alleles.
    """
    chromosomes = {name: _name_sites(name, *region) for name, region in regions.items()}
    write_genotypes(path, chromosomes, people)


def _name_sites(
    chromosome: str, positions: np.ndarray, alleles: np.ndarray, calls: np.ndarray
) -> Iterator[tuple[Site, np.ndarray, None]]:
    for position, (ref, alt), call in zip(positions.tolist(), alleles, calls, strict=True):
        yield Site(position, f"{chromosome}:{position}:{ref}:{alt}", ref, alt), call, None
