"""States that resume training exactly, between epochs and in the middle of one."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from haplorag.errors import InputError
from haplorag.io.atomic import write_bytes

log = logging.getLogger(__name__)
SHA256_BYTES = hashlib.sha256().digest_size


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write optimiser state, step and random states as a torch file of tensors and plain values."""
    # Saved to a path, the file would hold that path's name, and a temporary one is never the same.
    buffer = io.BytesIO()
    torch.save(_share_words(state), buffer)
    write_bytes(path, buffer.getbuffer())


def load_state(path: Path) -> dict[str, Any]:
    """Read what `save_state` wrote, unpickling nothing but tensors and plain values.

    Raises InputError where the file is not readable.
    """
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:
        raise InputError(
            f"{path}: not a readable training state ({error}); remove its folder and run again"
        ) from error


class MidEpochCheckpoint:
    """An epoch's state in its middle, kept in a file: an epoch that was killed goes on from there.

    `facts` name what the state belongs to; that of another epoch, other settings or other inputs is
    not taken up.
    """

    def __init__(
        self,
        path: Path,
        facts: dict[str, Any],
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
    ) -> None:
        self._path = path
        self._facts = json.dumps(facts, sort_keys=True)
        self._network = network
        self._optimiser = optimiser

    def load(self) -> dict[str, Any] | None:
        """Restore network and optimiser; gives the progress that was saved.

        None where there is nothing to go on from.
        """
        state = self._read()
        if state is None:
            return None
        if state["facts"] != self._facts:
            log.info(
                "%s is of another epoch or of other inputs; this epoch begins anew", self._path
            )
            return None
        if (threads := torch.get_num_threads()) != state["threads"]:
            log.warning(
                "%s: saved with %d threads, now %d: last bits will differ",
                self._path,
                state["threads"],
                threads,
            )
        self._network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        return state["progress"]

    def _read(self) -> dict[str, Any] | None:
        """The state in the file, None where there is none or it is damaged."""
        if not self._path.exists():
            return None
        content = self._path.read_bytes()
        data = content[SHA256_BYTES:]
        if hashlib.sha256(data).digest() != content[:SHA256_BYTES]:
            log.warning(
                "%s: damaged, its checksum is not the one written with it; the epoch begins anew",
                self._path,
            )
            return None
        return torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")

    @contextmanager
    def saving(self, minutes: float) -> Iterator[Callable[[Any], None]]:
        """Give what is called with the progress, a dataclass, after every step.

        It writes the state every so many minutes. Where the process is told to end (SIGTERM), the
        state is written after the step and the process ends. Those that train along and write
        nothing, for whom `minutes` is infinite, wait for the one that does.
        """
        signals: list[int] = []
        saved = time.monotonic()

        def save(progress: Any) -> None:
            nonlocal saved
            if math.isfinite(minutes) and (signals or time.monotonic() - saved >= 60 * minutes):
                self._write(progress)
                saved = time.monotonic()
                if signals:
                    log.warning(
                        "told to end; %d batches of this epoch are kept: "
                        "run the same command again",
                        progress.batches,
                    )
                    sys.exit(128 + signals[0])

        before = signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
        try:
            yield save
        finally:
            signal.signal(signal.SIGTERM, before)

    def _write(self, progress: Any) -> None:
        state = {
            "facts": self._facts,
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "threads": torch.get_num_threads(),
            "progress": asdict(progress),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_bytes(self._path, hashlib.sha256(buffer.getbuffer()).digest() + buffer.getvalue())

    def remove(self) -> None:
        """Forget the state once the epoch is complete."""
        self._path.unlink(missing_ok=True)


def _share_words(value: Any) -> Any:
    """The same with equal keys being one object, for a file says of each, by identity, whether it
    came before."""
    if isinstance(value, dict):
        return {
            sys.intern(key) if isinstance(key, str) else key: _share_words(part)
            for key, part in value.items()
        }
    return [_share_words(part) for part in value] if isinstance(value, list) else value
