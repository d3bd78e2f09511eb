"""Seeds: everything random is a pure function of the configured seed and a name."""

from __future__ import annotations

import hashlib


def seed_of(seed: int, *names: object) -> int:
    """A 64-bit seed that depends on the configured seed and on names, and on nothing else."""
    return int.from_bytes(
        hashlib.sha256(repr((seed, *map(str, names))).encode()).digest()[:8], "big"
    )
