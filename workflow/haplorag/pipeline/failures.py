"""Says in one line what a machine could not do, and the remedy."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

RUN_AGAIN = "run the same command again"
REMEDIES = {
    errno.ENOSPC: f"free some space, then {RUN_AGAIN}",
    errno.EDQUOT: f"free some of your quota, then {RUN_AGAIN}",
    errno.EFBIG: f"raise the largest file size (ulimit -f), then {RUN_AGAIN}",
    errno.EROFS: "name a folder that can be written (`results`, or -o)",
    errno.EACCES: "name a folder that you may write (`results`, or -o), or ask for permission",
    errno.EMFILE: f"raise the number of open files (ulimit -n), then {RUN_AGAIN}",
    errno.ENOMEM: f"run fewer jobs at once (--cores), then {RUN_AGAIN}",
    errno.EIO: f"have the disk or the network file system looked at, then {RUN_AGAIN}",
    errno.ESTALE: f"the network file system has lost it; {RUN_AGAIN}",
}
# What libraries say that have no exception of their own for it.
NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "bad_alloc",
    "can't start new thread",
    "not enough memory",
)
# Bytes that a disk has left where it counts as full: the next block of output may need them.
FULL_BYTES = 2**26
# Characters of a library's message that are repeated.
LONGEST_MESSAGE = 300
SETTING_TO_LOWER = {
    "training": "training.batch_people",
    "untrained": "training.batch_people",
    "predictions": "imputation.batch_people",
    "imputation": "imputation.batch_people",
}


def explain_failure(error: Exception, step: str) -> str | None:
    """One line that says what a machine lacked and what to do, None where it is no such thing."""
    if isinstance(error, OSError) and error.errno in REMEDIES:
        return f"{error.filename or step}: {os.strerror(error.errno)}; {REMEDIES[error.errno]}"
    message = " ".join(str(error).split())[:LONGEST_MESSAGE]
    if isinstance(error, OSError) and error.filename and error.errno is None:
        cause = _guess_cause(Path(error.filename))
        return f"{error.filename}: could not be written ({message}); {cause}, then {RUN_AGAIN}"
    if isinstance(error, MemoryError) or any(words in message for words in NO_MEMORY):
        lower = f"lower {SETTING_TO_LOWER[step]}, " if step in SETTING_TO_LOWER else ""
        remedy = f"{lower}run fewer jobs at once (--cores), or use a larger machine"
        return f"{step}: out of memory ({message}); {remedy}"
    if type(error).__name__ == "AcceleratorError" or "CUDA error" in message:
        return f"{step}: the GPU failed ({message}); {RUN_AGAIN}, or without it: --resources gpu=0"
    return None


def _guess_cause(path: Path) -> str:
    """What to do where a library says no more than that it could not write: the disk tells."""
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return "see that its folder is there and may be written"
    if free < FULL_BYTES:
        return "free some space"
    return (
        f"see to what it says, or to a limit of quota or file size (its disk has {free / 1e9:.1f} "
        "GB left)"
    )
