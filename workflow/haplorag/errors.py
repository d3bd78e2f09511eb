"""The one exception a user is meant to read."""

from __future__ import annotations


class InputError(ValueError):
    """What is wrong with an input, where, and what to do about it; shown without a traceback, exit
    status 2.
    """
