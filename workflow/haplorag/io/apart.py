"""Reads a file from elsewhere in a process of its own first, which a hostile one may end."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import warnings
from collections.abc import Callable
from pathlib import Path

from haplorag.errors import InputError

# What a trial may take: bytes of memory, and seconds of work, each a fixed part and one per byte.
MEMORY_BYTES, MEMORY_FACTOR = 2**28, 64
CPU_SECONDS, CPU_PER_MB = 20, 2
# Exit statuses of a trial, and bytes of what it says.
REFUSED, TOO_MUCH = 3, 4
LONGEST_MESSAGE = 4096


def try_apart(path: Path, read: Callable[[], object]) -> None:
    """Call `read` in a child of this process and drop what it gives.

    Libraries end the whole process, or never come back, on files that no program writes. Memory and
    time of the child are bounded by the size of the file at `path`. Raises InputError where it did
    not come back in good order, with what it said where that was an InputError.
    """
    size = path.stat().st_size
    heard, said = os.pipe()
    with warnings.catch_warnings():
        # The child calls one reader and exits; no lock of another thread is asked for.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os.close(heard)
        _try(size, read, said)
    os.close(said)
    with os.fdopen(heard, "rb") as pipe:
        message = pipe.read(LONGEST_MESSAGE).decode("utf-8", "replace")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == REFUSED and message:
        raise InputError(message)
    if status:
        raise InputError(f"{path}: {_explain(status)}; fetch it again, or use another file")


def _explain(status: int) -> str:
    if status == TOO_MUCH:
        return "asks for far more memory than its size allows, so that it is damaged or hostile"
    if status == -signal.SIGXCPU:
        return "takes far longer to read than its size allows, so that it is damaged or hostile"
    return "ends the program that reads it, so that it is damaged or hostile"


def _try(size: int, read: Callable[[], object], said: int) -> None:
    """The life of the child; never comes back."""
    status = 1
    try:
        faulthandler.disable()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 2)
        _limit(size)
        read()
        status = 0
    except InputError as error:
        os.write(said, str(error).encode("utf-8", "replace")[:LONGEST_MESSAGE])
        status = REFUSED
    except MemoryError:
        status = TOO_MUCH
    finally:
        os._exit(status)


def _limit(size: int) -> None:
    """Bound the memory and the time of this process from now on."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    memory = pages * resource.getpagesize() + MEMORY_BYTES + MEMORY_FACTOR * size
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = usage.ru_utime + usage.ru_stime + CPU_SECONDS + CPU_PER_MB * size / 1e6
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_CORE, 0),
    ):
        ceiling = resource.getrlimit(kind)[1]
        wanted = most if ceiling == resource.RLIM_INFINITY else min(most, ceiling)
        resource.setrlimit(kind, (wanted, ceiling))
