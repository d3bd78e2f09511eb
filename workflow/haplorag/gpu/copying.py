"""Li and Stephens' model over the whole panel on a GPU; the same numbers as `li_stephens.model`.

A chromosome goes by stretches of typed sites. Lanes are followed forward once, and the states at
the start of each stretch are kept. From the last stretch to the first they are then followed
forward again, all states of the stretch are kept, and back, while core sites are read out. So the
memory of a lane grows with the root of the number of typed sites.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from math import isqrt
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from haplorag.errors import InputError
from haplorag.gpu.kernels import go_back, go_forward
from haplorag.gpu.panel_bits import PanelBits, read_panel_bits
from haplorag.li_stephens.estimation import AS_IT_IS, Events
from haplorag.li_stephens.lanes import Queries
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.panel.haplotypes import ShardSet

# Elements of an array at the most, so that int32 tells every place in it.
MOST_CELLS = 2**31 - 1
# Share of the free memory that is taken; the rest is for other tensors and other processes.
SHARE_OF_MEMORY = 0.5
# What is taken where kernels are interpreted, in bytes.
INTERPRETED_MEMORY = 2**28
NOBODY = -2


class Stretch(NamedTuple):
    """Consecutive typed sites, the groups of core sites `places` that lie before each, and the core
    sites of these."""

    typed: slice
    places: slice
    core: slice

    @property
    def sites(self) -> int:
        """How many typed sites it has."""
        return self.typed.stop - self.typed.start


class Reading(NamedTuple):
    """What a stretch says of queries under each setting, float32 on the device.

    `weighed` [Q, setting, P] is the sum of all weights at each place, `carried` [Q, setting, L] of
    those with ALT at each core site, and `weights` [P, Q, setting, column], where they were asked
    for, those of each haplotype.
    """

    queries: slice
    stretch: Stretch
    weighed: Tensor
    carried: Tensor
    weights: Tensor | None


@dataclass(frozen=True)
class _Rates:
    """Probabilities along the chromosome, float32 [setting, ...], as in `segments.Chances`."""

    switch: Tensor
    mismatch: Tensor
    from_left: Tensor
    from_right: Tensor


@dataclass(frozen=True)
class _Lanes:
    """Queries under each setting, on the device: alleles int8 [lane, T + 1], the number of their
    setting and of their own first haplotype int32 [lane], what a switch gives each haplotype."""

    alleles: Tensor
    kind: Tensor
    own: Tensor
    share: Tensor


def impute_sites(
    queries: Queries, panel: PanelBits, model: CopyingModel, device: torch.device
) -> np.ndarray:
    """Probability of ALT float32 [Q, L] at the panel's core sites, the mean over the settings."""
    found = np.empty((len(queries.alleles), len(panel.core)), dtype=np.float32)
    for reading in follow(queries, panel, model, device):
        mean = _share_carriers(reading, panel).mean(dim=1)
        found[reading.queries, reading.stretch.core] = mean.cpu().numpy()
    return found


def run_forward_backward(
    queries: Queries,
    panel: PanelBits,
    model: CopyingModel,
    device: torch.device,
    ids: np.ndarray | None = None,
) -> tuple[Tensor, Tensor]:
    """Run haplotypes through the whole panel, as `li_stephens.model.run_forward_backward`.

    Gives on the device, under each setting, the probability of ALT float32 [Q, setting, L] at core
    sites, and that of copying each of `ids` int [Q, K] (-1 for none) float32 [Q, setting, P, K].
    """
    ids = np.empty((len(queries.alleles), 0), dtype=np.int64) if ids is None else ids
    shape = len(queries.alleles), len(model.settings)
    alternate = torch.empty((*shape, len(panel.core)), device=device)
    posterior = torch.empty((*shape, len(panel.groups.before), ids.shape[1]), device=device)
    wanted = torch.from_numpy(np.ascontiguousarray(ids, dtype=np.int64)).to(device)
    for reading in follow(queries, panel, model, device, bool(ids.shape[1])):
        alternate[reading.queries, :, reading.stretch.core] = _share_carriers(reading, panel)
        if reading.weights is not None:
            looked_up = _look_up(reading, reading.weights, wanted[reading.queries])
            posterior[reading.queries, :, reading.stretch.places] = looked_up
    return alternate, posterior


def expect_events(
    queries: Queries, shards: ShardSet, typed: np.ndarray, model: CopyingModel, device: torch.device
) -> Events:
    """Add up what is expected to have happened, as `li_stephens.estimation.expect_events`.

    Typed sites are read out as if they were core sites. With `weighed` the sum over all haplotypes
    of state ahead times state behind, both led to the same place and divided by their totals, what
    a switch in the gap adds to it is the chance of the switch times what it gives each haplotype.
    """
    panel = read_panel_bits(shards, typed, typed, model.distance)
    plain = replace(model, settings=AS_IT_IS)
    switch = torch.from_numpy(panel.compute_chances(plain)[0].switch).to(device)
    mismatches = torch.zeros(len(typed), dtype=torch.float64, device=device)
    switches = torch.zeros(len(typed), dtype=torch.float64, device=device)
    for reading in follow(queries, panel, plain, device):
        rows, here = reading.queries, reading.stretch.core
        observed = torch.from_numpy(queries.alleles[rows, here]).to(device)
        alternate = _share_carriers(reading, panel)[:, 0]
        errs = torch.where(observed == 0, alternate, 1 - alternate)
        mismatches[here] += torch.where(observed < 0, 0, errs).sum(dim=0, dtype=torch.float64)
        share = _share_of_switch(queries.owner[rows], panel).to(device)
        after = switch[here.start + 1 : here.stop + 1]
        switched = after * share[:, None] / reading.weighed[:, 0]
        switches[here] += switched.sum(dim=0, dtype=torch.float64)
    return Events(mismatches.cpu().numpy(), switches[:-1].cpu().numpy())


def follow(
    queries: Queries,
    panel: PanelBits,
    model: CopyingModel,
    device: torch.device,
    with_weights: bool = False,
) -> Iterator[Reading]:
    """Follow queries through the panel; readings of the last stretch come first.

    So many queries go at a time as memory allows. Raises InputError where it is too little for any.
    """
    stretches = cut_stretches(panel)
    settings = len(model.settings)
    rates = _stack_rates(panel, model, device)
    lanes = count_lanes(panel, stretches, device, with_weights)
    step = max(1, lanes // settings)
    for start in range(0, len(queries.alleles), step):
        rows = slice(start, min(start + step, len(queries.alleles)))
        some = Queries(queries.alleles[rows], queries.owner[rows])
        dealt = _deal_lanes(some, panel, settings, device)
        for stretch, carried, weighed, weights in _follow_lanes(
            dealt, panel, rates, stretches, with_weights
        ):
            size = len(some.alleles), settings
            pairs = size[0] * size[1]
            yield Reading(
                rows,
                stretch,
                weighed[:pairs].unflatten(0, size),
                carried[:pairs].unflatten(0, size),
                None if weights is None else weights[:, :pairs].unflatten(1, size),
            )


def cut_stretches(panel: PanelBits) -> list[Stretch]:
    """Cut the typed sites into stretches of about as many sites as there are stretches."""
    sites = len(panel.typed_bits)
    length = isqrt(sites - 1) + 1
    groups = panel.groups
    found = []
    for start in range(0, sites, length):
        stop = min(start + length, sites)
        first, last = np.searchsorted(groups.before, (start, stop))
        core = slice(int(groups.first[first]), int(groups.first[last]))
        found.append(Stretch(slice(start, stop), slice(int(first), int(last)), core))
    return found


def count_lanes(
    panel: PanelBits, stretches: list[Stretch], device: torch.device, with_weights: bool = False
) -> int:
    """How many lanes can go at a time. Raises InputError where there is no room for a program."""
    longest = max(stretch.sites for stretch in stretches)
    places = max(stretch.places.stop - stretch.places.start for stretch in stretches)
    cores = max(stretch.core.stop - stretch.core.start for stretch in stretches)
    rows = max(longest + 1, with_weights * places)
    held = len(stretches) + longest + 3 + 2 * with_weights * places
    # Of core sites: what was carried, its share, their mean and what is made on the way.
    each = 4 * (panel.shape.width * held + 4 * cores + 2 * places) + 2 * len(panel.typed_bits)
    bits = 4 * (longest + cores) * panel.typed_bits.shape[1]
    free = SHARE_OF_MEMORY * _free_memory(device) - bits
    most = MOST_CELLS // max(rows * panel.shape.width, cores, len(panel.typed_bits))
    lanes = min(int(free // each), most) // panel.shape.lanes * panel.shape.lanes
    if lanes < panel.shape.lanes:
        needed = (panel.shape.lanes * each + bits) / SHARE_OF_MEMORY / 1e9
        raise InputError(
            f"a panel of {panel.haplotypes} haplotypes at {len(panel.typed)} typed sites needs "
            f"{needed:.1f} GB of the GPU's memory, and {_free_memory(device) / 1e9:.1f} GB are "
            "free; end what else runs there, or impute on the CPU: --resources gpu=0"
        )
    return lanes


def _free_memory(device: torch.device) -> int:
    """Bytes that can be had on a device, those that torch keeps for later among them."""
    if device.type == "cpu":
        return INTERPRETED_MEMORY
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept


def _stack_rates(panel: PanelBits, model: CopyingModel, device: torch.device) -> _Rates:
    chances = panel.compute_chances(model)

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(each, name) for each in chances])).to(device)

    return _Rates(*map(stack, ("switch", "mismatch", "from_left", "from_right")))


def _share_of_switch(owner: np.ndarray, panel: PanelBits) -> Tensor:
    """What a switch gives each haplotype, float32 [Q]."""
    others = panel.haplotypes - 2 * (owner >= 0)
    return torch.from_numpy((1 / others).astype(np.float32))


def _deal_lanes(queries: Queries, panel: PanelBits, settings: int, device: torch.device) -> _Lanes:
    """Deal queries under each setting out to lanes; the last one is repeated to fill a program."""
    pairs = len(queries.alleles) * settings
    lanes = -(-pairs // panel.shape.lanes) * panel.shape.lanes
    query, kind = np.divmod(np.minimum(np.arange(lanes), pairs - 1), settings)
    rows = torch.from_numpy(query).to(device)
    alleles = np.pad(queries.alleles, ((0, 0), (0, 1)), constant_values=-1)
    owner = queries.owner[query]
    own = np.where(owner >= 0, 2 * owner, NOBODY).astype(np.int32)
    return _Lanes(
        torch.from_numpy(alleles).to(device)[rows],
        torch.from_numpy(kind.astype(np.int32)).to(device),
        torch.from_numpy(own).to(device),
        _share_of_switch(owner, panel).to(device),
    )


def _follow_lanes(
    lanes: _Lanes,
    panel: PanelBits,
    rates: _Rates,
    stretches: list[Stretch],
    with_weights: bool,
) -> Iterator[tuple[Stretch, Tensor, Tensor, Tensor | None]]:
    """Take lanes through all stretches; gives for each what was carried [lane, L], weighed [lane,
    P] and the weights [P, lane, column]."""
    device = lanes.alleles.device
    layer = len(lanes.kind), panel.shape.width
    longest = max(stretch.sites for stretch in stretches)
    entered = torch.empty((len(stretches), *layer), device=device)
    entered_total = torch.empty((len(stretches), layer[0]), device=device)
    entered[0], entered_total[0] = 0, 1
    for number, stretch in enumerate(stretches[:-1]):
        at = _Launch(lanes, panel, rates, stretch)
        at.go_forward(
            entered[number], entered_total[number], entered[number + 1], entered_total[number + 1]
        )
    states = torch.empty((longest + 1, *layer), device=device)
    totals = torch.empty((longest + 1, layer[0]), device=device)
    behind, behind_total = torch.zeros(layer, device=device), torch.ones(layer[0], device=device)
    for number in reversed(range(len(stretches))):
        at = _Launch(lanes, panel, rates, stretches[number])
        states[0], totals[0] = entered[number], entered_total[number]
        at.go_forward(states, totals, states[at.sites], totals[at.sites], keep=True)
        found = at.go_back(states, totals, behind, behind_total, with_weights)
        yield stretches[number], *found


class _Launch:
    """Starts kernels on a stretch of the chromosome, whose arrays it has on the device."""

    def __init__(self, lanes: _Lanes, panel: PanelBits, rates: _Rates, stretch: Stretch) -> None:
        self.sites = stretch.sites
        self._lanes, self._panel, self._stretch = lanes, panel, stretch
        self._places = stretch.places.stop - stretch.places.start
        self._cores = stretch.core.stop - stretch.core.start
        device, typed = lanes.alleles.device, stretch.typed
        self._bits = panel.typed_bits[typed].to(device, non_blocking=True)
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
        with _on(lanes.kind.device):
            go_forward[self._grid()](
                self._bits, self._alleles, self._switch, self._mismatch,
                lanes.kind, lanes.own, lanes.share, states, totals, last, last_total,
                self.sites, len(lanes.kind), self._panel.haplotypes, KEEP=keep, **self._meta(),
            )  # fmt: skip

    def go_back(
        self,
        states: Tensor,
        totals: Tensor,
        behind: Tensor,
        behind_total: Tensor,
        with_weights: bool,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Take the states behind to the left end; gives what was carried, weighed, and weights."""
        lanes, device, number = self._lanes, self._lanes.kind.device, len(self._lanes.kind)
        core_bits = self._panel.core_bits[self._stretch.core].to(device, non_blocking=True)
        place_of, core_of = self._number_places(device)
        carried = torch.empty((number, self._cores), device=device)
        if self._panel.shape.tiles > 1:
            carried.zero_()
        weighed = torch.empty((number, self._places), device=device)
        size = (self._places, number, self._panel.shape.width) if with_weights else (1,)
        weights = torch.empty(size, device=device)
        last = self.sites - 1
        with _on(device):
            go_back[self._grid()](
                self._bits[last], core_bits, self._alleles, self._switch, self._mismatch,
                self._from_left, self._from_right, lanes.kind, lanes.own, lanes.share,
                states[last], totals[last], behind, behind_total, place_of, core_of,
                carried, weighed, weights, self.sites, self._places, self._cores, number,
                self._panel.haplotypes, WEIGHTS=with_weights, **self._meta(),
            )  # fmt: skip
        return carried, weighed, weights if with_weights else None

    def _number_places(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The first place before each typed site, and the first core site of each place; int32,
        and how many there are at the end."""
        groups, (typed, places, core) = self._panel.groups, self._stretch
        before = groups.before[places]
        place_of = np.searchsorted(before, np.arange(typed.start, typed.stop + 1))
        core_of = groups.first[places.start : places.stop + 1] - core.start
        both = (torch.from_numpy(each.astype(np.int32)) for each in (place_of, core_of))
        first, second = (each.to(device) for each in both)
        return first, second

    def _grid(self) -> tuple[int]:
        return (len(self._lanes.kind) // self._panel.shape.lanes,)

    def _meta(self) -> dict[str, int]:
        lanes, block, tiles, warps = self._panel.shape
        return {"LANES": lanes, "BLOCK": block, "TILES": tiles, "num_warps": warps}


def _on(device: torch.device) -> AbstractContextManager:
    """Makes a GPU the current one; Triton starts kernels there."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _share_carriers(reading: Reading, panel: PanelBits) -> Tensor:
    """Probability of ALT [Q, setting, L] at the core sites of a stretch."""
    places, core = reading.stretch.places, reading.stretch.core
    sizes = np.diff(panel.groups.first[places.start : places.stop + 1])
    of_site = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes)).to(reading.carried.device)
    assert len(of_site) == core.stop - core.start
    return (reading.carried / reading.weighed[:, :, of_site]).clamp_(max=1)


def _look_up(reading: Reading, weights: Tensor, ids: Tensor) -> Tensor:
    """Posterior of single haplotypes [Q, setting, P, K]; 0 for id -1."""
    places, _, settings, _ = weights.shape
    index = ids.clamp(min=0)[None, :, None].expand(places, -1, settings, -1)
    found = weights.gather(-1, index).permute(1, 2, 0, 3) / reading.weighed[..., None]
    return found * (ids >= 0)[:, None, None]
