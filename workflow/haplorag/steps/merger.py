"""Merges imputed VCFs of batches of people into one, and computes AF, R2 and INFO anew."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from haplorag.errors import InputError
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.logs import show_progress
from haplorag.vcf.header import Header
from haplorag.vcf.merging import merge_lines
from haplorag.vcf.reader import read_vcf_header
from haplorag.vcf.writer import LONGEST_TBI, check_ending, writing_imputed

log = logging.getLogger(__name__)


def merger(output: Path, *, batches: list[Path]) -> None:
    """Write the people of all batches, in the order of the files, as one VCF or BCF with its index.

    Batches are VCFs as `imputation` writes them, imputed with one imputer; a site that only some
    targets have is missing in the people of the others. AF, R2 and INFO are those of everybody, and
    all else is as it was. Raises InputError where a person is in two batches, a site of the panel
    is not in all of them, or a file is of another program.
    """
    check_ending(output)
    if os.path.realpath(output) in map(os.path.realpath, batches):
        raise InputError(f"{output}: is one of the batches; name another output")
    headers = [read_vcf_header(path) for path in batches]
    people = _list_people(batches, headers)
    last = LONGEST_TBI + 1 if any(Path(f"{path}.csi").exists() for path in batches) else 0
    output.parent.mkdir(parents=True, exist_ok=True)
    sites = 0
    # Batches may have been phased, each by itself.
    told = dict.fromkeys(line for header in headers for line in header.phasing)
    source = "".join(f"{line}\n" for line in told)
    with writing_imputed(output, headers[0].lengths, people, last, source=source) as writer:
        for line in show_progress(merge_lines(batches, headers), "sites"):
            writer.write(line)
            sites += 1
    log.info("%d sites of %d people in %d batches", sites, len(people), len(batches))


def _list_people(paths: list[Path], headers: list[Header]) -> list[str]:
    """Everybody, batch by batch. Raises InputError where batches do not go together."""
    people: list[str] = []
    for path, header in zip(paths, headers, strict=True):
        if header.kind == "bcf":
            raise InputError(f"{path}: is a BCF; run: bcftools view -Oz -o new.vcf.gz {path}")
        if list(header.lengths) != list(headers[0].lengths):
            raise InputError(f"{path}: has other chromosomes than {paths[0]}; merge the same ones")
        if both := set(people) & set(header.samples):
            raise InputError(
                f"{path}: {len(both)} of its people are in another batch too; rename them: "
                "bcftools reheader"
            )
        people += header.samples
    return people


if __name__ == "__main__":
    run_step(merger)
