"""Keeps others on the machine from reading what was written before anybody asked for it."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

log = logging.getLogger(__name__)
# Whatever group and others may do.
OTHERS = 0o077


def make_private(*folders: Path) -> int:
    """Take from group and others what they may do with files and folders; gives of how many.

    Links are not followed. Says how many there were, and warns of those that are another user's.
    """
    changed, kept = 0, 0
    for folder in folders:
        inside = (
            Path(root, name)
            for root, folders_in, files in os.walk(folder)
            for name in (*folders_in, *files)
        )
        for path in (folder, *inside):
            try:
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode) and mode & OTHERS:
                    path.chmod(stat.S_IMODE(mode) & ~OTHERS)
                    changed += 1
            except FileNotFoundError:
                continue
            except OSError:
                kept += 1
    if changed:
        log.warning("private: %d files and folders that others could read are yours alone", changed)
    if kept:
        log.warning(
            "private: %d files and folders are another user's, and others may read them; remove "
            "them, or ask their owner", kept,
        )  # fmt: skip
    return changed
