"""Keeps a second run out of a results folder, by a lock that the kernel frees with its holder."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from haplorag.errors import InputError
from haplorag.io.atomic import sweep

log = logging.getLogger(__name__)
LOCK = ".lock"
# What file systems say that know no locks, or were mounted without them.
LOCKLESS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def holding_folder(folder: Path) -> Iterator[None]:
    """Hold a folder, as `lock_folder` does, until the block ends."""
    descriptor = lock_folder(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def lock_folder(folder: Path) -> int:
    """Hold a folder until this process ends, and remove what dead writers left half-written in it.

    Gives the descriptor that holds it. On NFS the lock holds on all machines. Raises InputError,
    naming the holder, where another process has the folder, and where it cannot be written.
    """
    # Never closed: the lock lives as long as this descriptor, which jobs do not inherit.
    descriptor = _open_lock(folder)
    _take_lock(folder, descriptor)
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    holder = f"process {os.getpid()} on {socket.gethostname()} since {since}\n"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, holder.encode(), 0)
    if stale := sweep(folder):
        log.warning("%s: %d half-written files of a run that was killed are removed", folder, stale)
    return descriptor


def _open_lock(folder: Path) -> int:
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError(f"{path}: is a link, which would be written to; remove it") from error
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); name another folder (`results`, or -o)"
        ) from error


def _take_lock(folder: Path, descriptor: int) -> None:
    """Lock a folder's file; warns where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 1000, 0).decode(errors="replace").strip() or "another process"
        raise InputError(
            f"{folder}: in use by {holder}; wait until it ends, or name another folder "
            "(`results`, or -o)"
        ) from error
    except OSError as error:
        if error.errno not in LOCKLESS:
            raise
        log.warning(
            "%s: its file system has no locks (%s); see to it that one run at a time writes it",
            folder,
            error.strerror,
        )
