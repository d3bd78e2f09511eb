"""`haplorag merge`: imputed VCFs of batches of people become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from haplorag.commands.flags import Verbose

EXAMPLES = """Example:

    haplorag merge batch1.vcf.gz batch2.vcf.gz -o study.vcf.gz
"""


def merge(
    batches: Annotated[
        list[Path], Argument(metavar="VCF...", help="VCFs that one imputer has imputed.")
    ],
    output: Annotated[
        Path, Option("--output", "-o", help="File to write: .vcf.gz or .bcf, as its name ends.")
    ],
    verbose: Verbose = False,
) -> None:
    """Merge imputed VCFs of different people.

    Genotypes stay as they are; AF, R2 and INFO are computed anew, of everybody.
    """
    from haplorag.commands.session import summarising

    with summarising(verbose, "merger") as summary:
        from haplorag.steps.merger import merger

        merger(output, batches=batches)
        summary.outputs[output] = "genotypes of all batches, with their index beside them"
        summary.sentence = f"Merged {len(batches)} batches"
