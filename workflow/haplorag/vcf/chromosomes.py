"""Names of chromosomes: chr21, 21 and NC_000021.9 are one, and so are X and, for PLINK, 23."""

from __future__ import annotations

import re
from functools import lru_cache

from haplorag.errors import InputError

# PLINK's numbers for human ones. Other species have autosomes of these numbers.
NUMBERED = {"23": "X", "24": "Y", "26": "MT"}
ACCESSION = re.compile(r"NC_0000(\d\d)(?:\.\d+)?", re.IGNORECASE)
MITOCHONDRION = re.compile(r"NC_012920(?:\.\d+)?|M", re.IGNORECASE)
X, MT = "X", "MT"
# Those that one sex lacks.
UNPAIRED = ("Y", "W")
# Those on which some or all people have one haplotype.
HAPLOID = {X, MT, "Z", *UNPAIRED, *NUMBERED}


@lru_cache(maxsize=4096)
def plain_name(chromosome: str) -> str:
    """The chromosome's name without `chr`, and by its number where it is a human accession."""
    plain = re.sub(r"^chr", "", chromosome, flags=re.IGNORECASE)
    if accession := ACCESSION.fullmatch(plain):
        number = str(int(accession[1]))
        return NUMBERED.get(number, number)
    if MITOCHONDRION.fullmatch(plain):
        return MT
    return plain.upper() if len(plain) == 1 else plain


def match_chromosome(chromosome: str, names: list[str]) -> str | None:
    """The one of `names` that means the same chromosome, None if there is none.

    23 is X where neither name has a counterpart of its own.
    """
    plain = {plain_name(name): name for name in reversed(names)}
    wanted = plain_name(chromosome)
    pairs = {**NUMBERED, **{letter: number for number, letter in NUMBERED.items()}}
    other = pairs.get(wanted, wanted)
    return plain.get(wanted, plain.get(other))


def match_both(chromosome: str, own: list[str], others: list[str]) -> str | None:
    """The one of `others` that means a file's chromosome, None if there is none.

    `own` are the names in that file: where it has an X, 23 is an autosome of some other species.
    """
    found = match_chromosome(chromosome, others)
    back = found and match_chromosome(found, [*own, chromosome])
    return found if back and plain_name(back) == plain_name(chromosome) else None


def call_alike(chromosome: str, own: list[str], others: list[str]) -> str:
    """The plain name that another file's chromosomes have, `others`, for one of a file that has
    those of `own`; its own where the other has none.
    """
    return plain_name(match_both(chromosome, own, others) or chromosome)


def may_be_haploid(chromosome: str) -> bool:
    """Whether somebody may have one haplotype of a chromosome of this name."""
    return plain_name(chromosome) in HAPLOID


def tells_people_apart(chromosome: str) -> bool:
    """Whether people who are alike all along a chromosome are most likely the same: not on the
    mitochondrion, which is handed on as a whole.
    """
    return plain_name(chromosome) != MT


def refuse_unpaired(chromosome: str) -> None:
    """Raise InputError for a chromosome that one sex lacks, and that does not recombine."""
    if plain_name(chromosome) in UNPAIRED:
        raise InputError(
            f"chromosomes: {chromosome} is not imputed: half of the people have none, and it is "
            "inherited as a whole; remove it, and use a caller of haplogroups for it"
        )
