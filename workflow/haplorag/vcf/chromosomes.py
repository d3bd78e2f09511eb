"""Names of chromosomes: chr21 and 21 are one."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def plain_name(chromosome: str) -> str:
    """The chromosome's name without `chr`: chr21 and 21 are one."""
    return re.sub(r"^chr", "", chromosome, flags=re.IGNORECASE)


def match_chromosome(chromosome: str, names: list[str]) -> str | None:
    """The one of `names` that means the same chromosome, None if there is none."""
    return next((name for name in names if plain_name(name) == plain_name(chromosome)), None)
