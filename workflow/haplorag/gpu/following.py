"""Follows haplotypes through the panel on a GPU, stretch by stretch.

The typed sites of a part of the chromosome are cut into stretches. Lanes, each a haplotype under a
setting, are followed forward once, and the states at the start of each stretch are kept. From the
last stretch to the first they are then followed forward again, all states of the stretch are kept,
and back, while core sites are read out. So the memory of a lane grows with the root of the number
of typed sites.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from math import isqrt
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from haplorag.errors import InputError
from haplorag.gpu.kernels import go_back, go_forward
from haplorag.gpu.panel_bits import PanelBits, PanelPart
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.panel.ploidy import find_own_rows

# Elements of an array at the most, so that int32 tells every place in it.
MOST_CELLS = 2**31 - 1
# Share of the free memory that is taken; the rest is for other tensors and other processes.
SHARE_OF_MEMORY = 0.5
# What is taken where kernels are interpreted, in bytes.
INTERPRETED_MEMORY = 2**28


class Stretch(NamedTuple):
    """Consecutive typed sites of a part, the groups of core sites `places` that lie before each,
    and the core sites of these."""

    typed: slice
    places: slice
    core: slice

    @property
    def sites(self) -> int:
        """How many typed sites it has."""
        return self.typed.stop - self.typed.start


class Reading(NamedTuple):
    """What a stretch of a part says of Q queries under each setting, float32 on the device.

    `alternate` [Q, setting, L] is the probability of ALT at its core sites; `weighed` [Q, setting,
    P] the sum of all weights at each place, and `weights` [P, Q, setting, column], where they were
    asked for, those of each haplotype. `before` and `beyond` [Q, L] are the probability of ALT as
    either side alone has it, under the setting of which there is evidence; `share` [Q] is what a
    switch gives each haplotype.
    """

    part: PanelPart
    stretch: Stretch
    alternate: Tensor
    before: Tensor
    beyond: Tensor
    weighed: Tensor
    weights: Tensor | None
    share: Tensor


class Wishes(NamedTuple):
    """What is to be read out: the setting of which there is evidence (-1 for none), whether single
    weights are kept, and how many numbers of a query whoever asks keeps on the device."""

    evident: int = -1
    with_weights: bool = False
    kept: int = 0


class _Rates(NamedTuple):
    """Probabilities along a part, float32 [setting, ...], as in `segments.Chances`."""

    switch: Tensor
    mismatch: Tensor
    from_left: Tensor
    from_right: Tensor


class _Lanes(NamedTuple):
    """Queries along a part on the device, the last repeated to fill a program: alleles int8 [query,
    T + 1], the range of their own columns int32 [query], and what a switch gives each haplotype."""

    alleles: Tensor
    own: Tensor
    until: Tensor
    share: Tensor


class Follower:
    """Follows queries through a panel under each setting of a model, on a device."""

    def __init__(
        self,
        panel: PanelBits,
        model: CopyingModel,
        device: torch.device,
        wishes: Wishes | None = None,
    ) -> None:
        self._parts = panel.parts
        self._settings, self._device = len(model.settings), device
        self._wishes = wishes or Wishes()
        self._rates = [_stack_rates(part, model, device) for part in panel.parts]

    def split(self, queries: int, start: int = 0) -> Iterator[slice]:
        """So many queries in slices, from `start` on, as many at a time as memory allows.

        Raises InputError where it is too little for any.
        """
        step = min((self._count_queries(part) for part in self._parts), default=queries or 1)
        for first in range(0, queries, step):
            yield slice(start + first, start + min(first + step, queries))

    def follow(self, queries: Queries) -> Iterator[Reading]:
        """Readings of queries, of each part those of its last stretch first."""
        for part, rates in zip(self._parts, self._rates, strict=True):
            lanes = _deal_lanes(queries, part, self._device)
            yield from _follow_part(lanes, part, rates, self._wishes, len(queries.alleles))

    def _count_queries(self, part: PanelPart) -> int:
        """How many queries can go at a time, whole programs of them."""
        stretches, (lanes, *_), width = cut_stretches(part), part.shape, part.shape.width
        with_weights, settings = self._wishes.with_weights, self._settings
        longest = max(stretch.sites for stretch in stretches)
        places = max(stretch.places.stop - stretch.places.start for stretch in stretches)
        cores = max(stretch.core.stop - stretch.core.start for stretch in stretches)
        rows = max(longest + 1, with_weights * places)
        held = len(stretches) + longest + 3 + 2 * with_weights * places
        # Of core sites: what was carried, that turned, and what is made on the way.
        numbers = settings * (width * held + 4 * cores + 2 * places) + 8 * cores + self._wishes.kept
        each = 4 * numbers + 2 * len(part.typed_bits)
        bits = 4 * (longest + cores) * part.typed_bits.shape[1]
        free = SHARE_OF_MEMORY * _free_memory(self._device) - bits
        most = MOST_CELLS // (settings * max(rows * width, cores, len(part.typed_bits)))
        queries = min(int(free // each), most) // lanes * lanes
        if queries < lanes:
            needed = (lanes * each + bits) / SHARE_OF_MEMORY / 1e9
            raise InputError(
                f"a panel of {part.haplotypes} haplotypes at {len(part.typed)} typed sites needs "
                f"{needed:.1f} GB of the GPU's memory, and {_free_memory(self._device) / 1e9:.1f} "
                "GB are free; end what else runs there, or impute on the CPU: --resources gpu=0"
            )
        return queries


def cut_stretches(part: PanelPart) -> list[Stretch]:
    """Cut the typed sites into stretches of about as many sites as there are stretches."""
    sites = len(part.typed_bits)
    length = isqrt(sites - 1) + 1
    groups = part.groups
    found = []
    for start in range(0, sites, length):
        stop = min(start + length, sites)
        first, last = np.searchsorted(groups.before, (start, stop))
        core = slice(int(groups.first[first]), int(groups.first[last]))
        found.append(Stretch(slice(start, stop), slice(int(first), int(last)), core))
    return found


def _free_memory(device: torch.device) -> int:
    """Bytes that can be had on a device, those that torch keeps for later among them."""
    if device.type == "cpu":
        return INTERPRETED_MEMORY
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept


def _stack_rates(part: PanelPart, model: CopyingModel, device: torch.device) -> _Rates:
    chances = part.compute_chances(model)

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(each, name) for each in chances])).to(device)

    return _Rates(*map(stack, _Rates._fields))


def _deal_lanes(queries: Queries, part: PanelPart, device: torch.device) -> _Lanes:
    """Queries along a part, filled up to whole programs."""
    size = len(queries.alleles)
    lanes = -(-size // part.shape.lanes) * part.shape.lanes
    row = np.minimum(np.arange(lanes), size - 1)
    alleles = np.pad(queries.alleles[row, part.typed_at], ((0, 0), (0, 1)), constant_values=-1)
    own = find_own_rows(part.rows, queries.owner[row])
    share = 1 / (part.haplotypes - (own[:, 1] - own[:, 0]))
    bounds = own.astype(np.int32).T.copy()
    held = alleles, bounds[0], bounds[1], share.astype(np.float32)
    return _Lanes(*(torch.from_numpy(each).to(device) for each in held))


def _follow_part(
    lanes: _Lanes, part: PanelPart, rates: _Rates, wishes: Wishes, queries: int
) -> Iterator[Reading]:
    """Take lanes through all stretches of a part; gives what is read of the first `queries`."""
    device, stretches = lanes.own.device, cut_stretches(part)
    layer = len(rates.switch) * len(lanes.own), part.shape.width
    longest = max(stretch.sites for stretch in stretches)
    entered = torch.empty((len(stretches), *layer), device=device)
    entered_total = torch.empty((len(stretches), layer[0]), device=device)
    entered[0], entered_total[0] = 0, 1
    for number, stretch in enumerate(stretches[:-1]):
        at = _Launch(lanes, part, rates, stretch)
        at.go_forward(
            entered[number], entered_total[number], entered[number + 1], entered_total[number + 1]
        )
    states = torch.empty((longest + 1, *layer), device=device)
    totals = torch.empty((longest + 1, layer[0]), device=device)
    behind, behind_total = torch.zeros(layer, device=device), torch.ones(layer[0], device=device)
    for number in reversed(range(len(stretches))):
        at = _Launch(lanes, part, rates, stretches[number])
        states[0], totals[0] = entered[number], entered_total[number]
        at.go_forward(states, totals, states[at.sites], totals[at.sites], keep=True)
        yield at.go_back(states, totals, behind, behind_total, wishes, queries)


class _Launch:
    """Starts kernels on a stretch of a part, whose arrays it has on the device."""

    def __init__(self, lanes: _Lanes, part: PanelPart, rates: _Rates, stretch: Stretch) -> None:
        self.sites = stretch.sites
        self._lanes, self._part, self._stretch = lanes, part, stretch
        self._device, self._settings = lanes.own.device, len(rates.switch)
        self._places = stretch.places.stop - stretch.places.start
        self._cores = stretch.core.stop - stretch.core.start
        typed = stretch.typed
        self._bits = part.typed_bits[typed].to(self._device, non_blocking=True)
        self._alleles = lanes.alleles[:, typed].contiguous()
        self._switch = rates.switch[:, typed.start : typed.stop + 1].contiguous()
        self._mismatch = rates.mismatch[:, typed].contiguous()
        self._from_left = rates.from_left[:, stretch.places].contiguous()
        self._from_right = rates.from_right[:, stretch.places].contiguous()

    def go_forward(
        self,
        states: Tensor,
        totals: Tensor,
        last: Tensor,
        last_total: Tensor,
        keep: bool = False,
    ) -> None:
        """Fill the last states and, where `keep`, all others; see the kernel."""
        lanes = self._lanes
        with _on(self._device):
            go_forward[self._grid()](
                self._bits, self._alleles, self._switch, self._mismatch,
                lanes.own, lanes.until, lanes.share, states, totals, last, last_total,
                self.sites, len(lanes.own), self._part.haplotypes, KEEP=keep, **self._meta(),
            )  # fmt: skip

    def go_back(
        self,
        states: Tensor,
        totals: Tensor,
        behind: Tensor,
        behind_total: Tensor,
        wishes: Wishes,
        queries: int,
    ) -> Reading:
        """Take the states behind to the left end; gives what is read of the first `queries`."""
        lanes, device, number = self._lanes, self._device, len(self._lanes.own)
        core_bits = self._part.core_bits[self._stretch.core].to(device, non_blocking=True)
        place_of, core_of = self._number_places()
        size = self._settings, number
        carried = torch.zeros((*size, self._cores), device=device)
        weighed = torch.empty((*size, self._places), device=device)
        told = number * (wishes.evident >= 0), self._cores
        before, beyond = torch.zeros(told, device=device), torch.zeros(told, device=device)
        every = (self._places, *size, self._part.shape.width) if wishes.with_weights else (1,) * 4
        weights = torch.empty(every, device=device)
        last = self.sites - 1
        with _on(device):
            go_back[self._grid()](
                self._bits[last], core_bits, self._alleles, self._switch, self._mismatch,
                self._from_left, self._from_right, lanes.own, lanes.until, lanes.share,
                states[last], totals[last], behind, behind_total, place_of, core_of,
                carried, weighed, weights, before, beyond,
                self.sites, self._places, self._cores, number, self._part.haplotypes,
                WEIGHTS=wishes.with_weights, EVIDENT=wishes.evident, **self._meta(),
            )  # fmt: skip
        carried /= weighed[:, :, self._place_of_core()]
        return Reading(
            self._part,
            self._stretch,
            self._turn(carried[:, :queries].transpose(0, 1)),
            self._turn(before[:queries]),
            self._turn(beyond[:queries]),
            weighed[:, :queries].transpose(0, 1),
            weights[:, :, :queries].transpose(1, 2) if wishes.with_weights else None,
            lanes.share[:queries],
        )

    def _place_of_core(self) -> Tensor:
        """The place of each core site, int64."""
        first = self._part.groups.first[self._stretch.places.start : self._stretch.places.stop + 1]
        of_site = np.repeat(np.arange(self._places), np.diff(first))
        return torch.from_numpy(of_site).to(self._device)

    def _turn(self, carried: Tensor) -> Tensor:
        """Shares [..., L] of those of whom core bits tell, as those with ALT."""
        is_turned = torch.from_numpy(self._part.is_turned[self._stretch.core]).to(self._device)
        carried.clamp_(max=1)
        return torch.where(is_turned, 1 - carried, carried)

    def _number_places(self) -> tuple[Tensor, Tensor]:
        """The first place before each typed site, and the first core site of each place; int32,
        and how many there are at the end."""
        groups, (typed, places, core) = self._part.groups, self._stretch
        before = groups.before[places]
        place_of = np.searchsorted(before, np.arange(typed.start, typed.stop + 1))
        core_of = groups.first[places.start : places.stop + 1] - core.start
        both = (torch.from_numpy(each.astype(np.int32)) for each in (place_of, core_of))
        first, second = (each.to(self._device) for each in both)
        return first, second

    def _grid(self) -> tuple[int, int]:
        return len(self._lanes.own) // self._part.shape.lanes, self._settings

    def _meta(self) -> dict[str, int]:
        lanes, block, tiles, warps = self._part.shape
        return {"LANES": lanes, "BLOCK": block, "TILES": tiles, "num_warps": warps}


def _on(device: torch.device) -> AbstractContextManager:
    """Makes a GPU the current one; Triton starts kernels there."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
