"""How kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numba


def jit(function: Callable) -> Callable:
    """Compile, and keep the machine code beside the module where that can be written; else every
    process compiles.

    Sums may be taken in any order, for speed. All other liberties of `fastmath`, and loops that
    numba makes parallel, give other last bits in the process that compiles than in those that find
    the code in the cache.
    """
    return _compile(function, inline="never")


def jit_in_order(function: Callable) -> Callable:
    """As `jit`, with every sum in the order in which it is written."""
    return _compile(function, inline="never", liberties=())


def jit_inline(function: Callable) -> Callable:
    """As what calls it, put in place of every call: handing many arrays on costs more than using
    them."""
    return _compile(function, inline="always")


def _compile(function: Callable, inline: str, liberties: Iterable[str] = ("reassoc",)) -> Callable:
    options: dict[str, Any] = {
        "nogil": True, "fastmath": set(liberties), "error_model": "numpy", "inline": inline,
    }  # fmt: skip
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(**options)(function)
