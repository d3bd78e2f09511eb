"""Li and Stephens' model over the whole panel on a GPU; the same numbers as `li_stephens.model`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from haplorag.alleles import ABSENT
from haplorag.gpu.following import Follower, Reading, Wishes
from haplorag.gpu.panel_bits import PanelBits
from haplorag.li_stephens.estimation import AS_IT_IS, Events
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.mixture import Traced
from haplorag.li_stephens.model import split_queries
from haplorag.li_stephens.parameters import CopyingModel


class _Told(NamedTuple):
    """As `mixture.Traced`, in tensors."""

    alternate: Tensor
    posterior: Tensor
    ahead: Tensor
    behind: Tensor
    agreement: Tensor


def trace_queries(
    queries: Queries,
    panel: PanelBits,
    model: CopyingModel,
    device: torch.device,
    evident: int = -1,
    ids: np.ndarray | None = None,
) -> Iterator[tuple[slice, Traced]]:
    """Run haplotypes through the panel, as `li_stephens.model.trace_queries`; as many at a time as
    there, so that who draws among what they are told draws the same.

    `ids` int [Q, K] (-1 for none) are haplotypes of interest, as the panel's part numbers them.
    Raises InputError where the device has too little memory.
    """
    ids = np.empty((len(queries.alleles), 0), dtype=np.int64) if ids is None else ids
    size = panel, len(model.settings), ids.shape[1], evident
    kept = sum(each.numel() for each in _make_room(1, *size, "meta"))
    wishes = Wishes(evident, bool(ids.shape[1]), kept)
    follower = Follower(panel, model, device, wishes)
    pinned = device.type == "cuda"
    for some in split_queries(queries, len(panel.core), len(model.settings), evident):
        host = _make_room(some.stop - some.start, *size, pinned=pinned)
        for rows in follower.split(some.stop - some.start, some.start):
            part = Queries(queries.alleles[rows], queries.owner[rows])
            told = _make_room(rows.stop - rows.start, *size, device)
            wanted = torch.from_numpy(ids[rows].astype(np.int64)).to(device)
            for reading in follower.follow(part):
                _fill(told, reading, evident, wanted)
            here = slice(rows.start - some.start, rows.stop - some.start)
            for target, source in zip(host, told, strict=True):
                target[here] = source
        yield some, Traced(*(each.numpy() for each in host))


def expect_events(
    queries: Queries, panel: PanelBits, model: CopyingModel, device: torch.device
) -> Events:
    """Add up what is expected to have happened, as `li_stephens.estimation.expect_events`.

    The panel's core sites are its typed ones. With `weighed` the sum over all haplotypes of state
    ahead times state behind, both led to the same place and divided by their totals, what a switch
    in the gap adds to it is the chance of the switch times what it gives each haplotype.
    """
    plain = replace(model, settings=AS_IT_IS)
    follower = Follower(panel, plain, device)
    mismatches = torch.zeros(len(panel.typed), dtype=torch.float64, device=device)
    switches = torch.zeros_like(mismatches)
    gaps = [part.compute_chances(plain)[0].switch[1:-1] for part in panel.parts]
    after = torch.from_numpy(np.concatenate(gaps)).to(device)
    for rows in follower.split(len(queries.alleles)):
        some = Queries(queries.alleles[rows], queries.owner[rows])
        for reading in follower.follow(some):
            here = _shift(reading.stretch.core, reading.part.typed_at.start)
            observed = torch.from_numpy(some.alleles[:, here]).to(device)
            alternate = reading.alternate[:, 0]
            errs = torch.where(observed == 0, alternate, 1 - alternate)
            mismatches[here] += torch.where(observed < 0, 0, errs).sum(dim=0, dtype=torch.float64)
            switched = after[here] * reading.share[:, None] / reading.weighed[:, 0]
            switched = torch.where(observed == ABSENT, 0, switched)
            switches[here] += switched.sum(dim=0, dtype=torch.float64)
    found = switches.cpu().numpy()
    # Where other haplotypes begin, nothing goes on and nothing is seen.
    for part in panel.parts:
        found[part.typed_at.stop - 1 : part.typed_at.stop] = np.nan
    return Events(mismatches.cpu().numpy(), found[:-1])


def _make_room(
    queries: int,
    panel: PanelBits,
    settings: int,
    interest: int,
    evident: int,
    device: str | torch.device = "cpu",
    pinned: bool = False,
) -> _Told:
    """Room for what so many queries are told, on a device or where one can copy from it."""
    core, places = len(panel.core), len(panel.groups.before)
    told = evident >= 0
    shapes = (settings, core), (settings, places, interest), (told * core,), (told * core,)
    return _Told(
        *(
            torch.empty((queries, *each), device=device, pin_memory=pinned)
            for each in (*shapes, (told * places,))
        )
    )


def _fill(told: _Told, reading: Reading, evident: int, ids: Tensor) -> None:
    """Put what a stretch says where it belongs."""
    part, stretch = reading.part, reading.stretch
    core = _shift(stretch.core, part.core_at.start)
    places = _shift(stretch.places, part.places_at.start)
    told.alternate[:, :, core] = reading.alternate
    if reading.weights is not None:
        told.posterior[:, :, places] = _look_up(reading, reading.weights, ids)
    if evident >= 0:
        told.ahead[:, core], told.behind[:, core] = reading.before, reading.beyond
        told.agreement[:, places] = reading.weighed[:, evident] / reading.share[:, None]


def _shift(part: slice, start: int) -> slice:
    return slice(start + part.start, start + part.stop)


def _look_up(reading: Reading, weights: Tensor, ids: Tensor) -> Tensor:
    """Posterior of single haplotypes [Q, setting, P, K]; 0 for id -1."""
    places, _, settings, _ = weights.shape
    index = ids.clamp(min=0)[None, :, None].expand(places, -1, settings, -1)
    found = weights.gather(-1, index).permute(1, 2, 0, 3) / reading.weighed[..., None]
    return found * (ids >= 0)[:, None, None]
