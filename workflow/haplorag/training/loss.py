"""Loss, learning-rate schedule, optimiser groups, and the state that resumes training exactly."""

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
import torch.nn.functional as functional
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from haplorag.io import hdf5 as store
from haplorag.errors import InputError
from haplorag.network.batch import Batch, Output
from haplorag.settings import Optimisation

log = logging.getLogger(__name__)
# The share of the learning rate that warm-up starts from.
WARMUP_START = 0.2
DIGEST_BYTES = hashlib.sha256().digest_size


def focal_loss(logits: Tensor, labels: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Sum of -(1 - p)^gamma log p of the labelled class, and how many labels there are (-1 does not count).

    logits [..., classes], labels int [...]. gamma 0 is cross-entropy. After Lin et al. 2017 (arXiv:1708.02002).
    """
    known = labels >= 0
    log_share = functional.log_softmax(logits[known].float(), dim=-1)
    chosen = log_share.gather(-1, labels[known].long()[:, None]).squeeze(-1)
    weight = (1 - chosen.exp()) ** gamma if gamma else torch.ones_like(chosen)
    return -(weight * chosen).sum(), known.sum()


def compute_loss(output: Output, batch: Batch, labels: Tensor, settings: Optimisation) -> tuple[Tensor, Tensor]:
    """Weighted loss of a batch, summed over labelled sites, and their number: its mean is the loss per hidden allele.

    `labels` int8 [2B, L] are the core's true alleles; only hidden ones count, typed ones through `reconstruction_weight`.
    Each haplotype weighs `haplotype_weight`, the phased genotype `genotype_weight` where the network has that head, divided
    by the sum of the weights.
    """
    hidden = batch.hidden[batch.core]
    wanted = labels.masked_fill(~hidden, -1)
    alleles, number = focal_loss(output.haplotypes, wanted, settings.focal_gamma)
    loss = alleles
    if output.genotypes is not None:
        first, second = wanted[0::2], wanted[1::2]
        pair = torch.where((first < 0) | (second < 0), -1, 2 * first + second)
        genotypes, pairs = focal_loss(output.genotypes, pair, settings.focal_gamma)
        both, weight = 2 * settings.haplotype_weight, settings.genotype_weight
        loss = (both * alleles + weight * genotypes * number / pairs.clamp(min=1)) / (both + weight)
    if settings.reconstruction_weight:
        shown, seen = focal_loss(output.haplotypes, labels.masked_fill(hidden, -1), settings.focal_gamma)
        loss = loss + settings.reconstruction_weight * shown * number / seen.clamp(min=1)
    return loss, number


def schedule_rate(step: int, settings: Optimisation) -> float:
    """Learning rate of an optimiser step (the first is 0): a linear warm-up, then the schedule."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (WARMUP_START + (1 - WARMUP_START) * step / settings.warmup_steps)
    if settings.schedule == "inverse_sqrt":
        return settings.learning_rate * math.sqrt(max(settings.warmup_steps, 1) / max(step, 1))
    if settings.schedule == "cosine":
        share = min((step - settings.warmup_steps) / settings.schedule_steps, 1.0)
        return settings.learning_rate * (1 + math.cos(math.pi * share)) / 2
    return settings.learning_rate


def build_optimiser(network: nn.Module, settings: Optimisation) -> torch.optim.AdamW:
    """AdamW; norms, biases, scales and Fourier frequencies do not decay."""
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in network.named_parameters():
        groups[parameter.ndim > 1 and not name.endswith("frequencies")].append(parameter)
    return torch.optim.AdamW(
        [
            {"params": groups[True], "weight_decay": settings.weight_decay},
            {"params": groups[False], "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
    )


def save_weights(path: Path, network: nn.Module) -> None:
    """Write a network's weights as safetensors, with their checksum among the file's facts."""
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    store.write_bytes(path, save(tensors, {"sha256": _digest(tensors)}))


def load_weights(path: Path, network: nn.Module) -> None:
    """Read weights into a network. Raises InputError where they do not fit or the file is damaged."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dictionary)
            if (file.metadata() or {}).get("sha256") != _digest(tensors):
                raise InputError("their checksum is not the one written with them")
        network.load_state_dict(tensors)
    except Exception as error:
        raise InputError(f"{path}: not the weights of this network ({error}); remove its folder and run again") from error


def _digest(tensors: dict[str, Tensor]) -> str:
    total = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        total.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        total.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write optimiser state, step and random states as a torch file of tensors and plain values."""
    # Saved to a path, the file would hold that path's name, and its temporary name is never the same twice.
    buffer = io.BytesIO()
    torch.save(_share_words(state), buffer)
    store.write_bytes(path, buffer.getbuffer())


def _share_words(value: Any) -> Any:
    """The same with equal keys being one object: a file says of each whether it came before, by identity."""
    if isinstance(value, dict):
        return {sys.intern(key) if isinstance(key, str) else key: _share_words(part) for key, part in value.items()}
    return [_share_words(part) for part in value] if isinstance(value, list) else value


def load_state(path: Path) -> dict[str, Any]:
    """Read what `save_state` wrote, unpickling nothing but tensors and plain values."""
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:
        raise InputError(f"{path}: not a readable training state ({error}); remove its folder and run again") from error


class Halfway:
    """An epoch's state in its middle, kept in a file, so that an epoch that was killed goes on from there.

    `facts` name what the state belongs to; that of another epoch, other settings or other inputs is not taken up.
    """

    def __init__(self, path: Path, facts: dict[str, Any], network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        self._path, self._facts, self._network, self._optimiser = path, json.dumps(facts, sort_keys=True), network, optimiser

    def load(self) -> dict[str, Any] | None:
        """Restore network and optimiser; gives the progress that was saved, None where there is nothing to go on from."""
        if not self._path.exists():
            return None
        held = self._path.read_bytes()
        digest, data = held[:DIGEST_BYTES], held[DIGEST_BYTES:]
        if hashlib.sha256(data).digest() != digest:
            log.warning("%s: damaged, its checksum is not the one written with it; the epoch begins anew", self._path)
            return None
        state = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
        if state["facts"] != self._facts:
            log.info("%s is of another epoch or of other inputs; this epoch begins anew", self._path)
            return None
        if (threads := torch.get_num_threads()) != state["threads"]:
            log.warning("%s: saved with %d threads, now %d: last bits will differ", self._path, state["threads"], threads)
        self._network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        return state["progress"]

    @contextmanager
    def saving(self, minutes: float) -> Iterator[Callable[[Any], None]]:
        """Give what is called with the progress, a dataclass, after every step, and writes the state every so many minutes.

        Where the process is told to end (SIGTERM), the state is written after the step and the process ends. Those that
        train along and write nothing, for whom `minutes` is infinite, wait for the one that does.
        """
        told: list[int] = []
        saved = time.monotonic()

        def save(progress: Any) -> None:
            nonlocal saved
            if math.isfinite(minutes) and (told or time.monotonic() - saved >= 60 * minutes):
                self._write(progress)
                saved = time.monotonic()
                if told:
                    log.warning("told to end; %d batches of this epoch are kept: run the same command again", progress.batches)
                    sys.exit(128 + told[0])

        before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
        try:
            yield save
        finally:
            signal.signal(signal.SIGTERM, before)

    def _write(self, progress: Any) -> None:
        state = {"facts": self._facts, "network": self._network.state_dict(), "optimiser": self._optimiser.state_dict()}
        buffer = io.BytesIO()
        torch.save({**state, "threads": torch.get_num_threads(), "progress": asdict(progress)}, buffer)
        store.write_bytes(self._path, hashlib.sha256(buffer.getbuffer()).digest() + buffer.getvalue())

    def remove(self) -> None:
        """Forget the state once the epoch is complete."""
        self._path.unlink(missing_ok=True)
