"""The panel as kernels read it: a bit an allele, site by site, in stretches of the chromosome."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from haplorag.li_stephens.carriers import turn_sites
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import Chances, compute_chances, part_stretches
from haplorag.li_stephens.site_groups import SiteGroups, group_core_sites
from haplorag.panel.haplotypes import ShardSet

WORD = 32
# Columns of one tile at the most, cells (lanes x columns) of a program, so that its registers hold
# them, and its lanes.
WIDEST_TILE, MOST_CELLS_OF_PROGRAM, MOST_LANES = 8192, 2**13, 8
# Of sixteen warps a thread may have 128 registers.
CELLS_OF_WARP, MOST_WARPS = 512, 16
# Tiles of a panel that needs several, and warps that take two lanes through one.
TILE, TILE_WARPS = 4096, 8


class Shape(NamedTuple):
    """How a kernel takes a panel: `lanes` a program, through `tiles` of `block` columns each, by so
    many warps."""

    lanes: int
    block: int
    tiles: int
    warps: int

    @property
    def width(self) -> int:
        """Columns, those that only pad among them."""
        return self.block * self.tiles


class PanelPart(NamedTuple):
    """A stretch of the chromosome on which each of the panel's people has as many haplotypes.

    Those sites of all that lie in it, `typed_at`, `core_at` and groups of core sites `places_at`,
    and `typed` int [T] and `core` int [L] sites with their `groups`. Bits int32 [T + 1 or L, word]
    of both, the first haplotype in the highest bit of the first byte: typed sites are followed by
    one at which nobody shows an allele, so that every core site has one after it. `alternate` int64
    [L] is how many haplotypes have ALT; where most have it, core bits say who has REF. `rows` int64
    [n + 1] are the first haplotype of each of the panel's people, and how many there are.
    """

    typed_at: slice
    core_at: slice
    places_at: slice
    typed: np.ndarray
    core: np.ndarray
    groups: SiteGroups
    typed_bits: Tensor
    core_bits: Tensor
    alternate: np.ndarray
    rows: np.ndarray
    shape: Shape

    @property
    def haplotypes(self) -> int:
        """Haplotypes that are there to be copied."""
        return int(self.rows[-1])

    @property
    def is_turned(self) -> np.ndarray:
        """Whether core bits say who has REF, bool [L]."""
        return 2 * self.alternate > self.haplotypes

    def compute_chances(self, model: CopyingModel) -> list[Chances]:
        """Probabilities along the stretch, under each setting; those at the last typed site, which
        nobody shows, are 1 and 0."""
        bounds = np.concatenate([[-np.inf], model.distance[self.typed], [np.inf]])
        places = self.groups.average(model.distance[self.core])
        mismatch = model.mismatch[self.typed]
        found = [
            compute_chances(bounds, places, self.groups.before, mismatch, setting)
            for setting in model.settings
        ]
        return [
            chances._replace(
                switch=np.append(chances.switch, np.float32(1)),
                mismatch=np.append(chances.mismatch, np.float32(0)),
            )
            for chances in found
        ]


class PanelBits(NamedTuple):
    """The panel at sorted `typed` int [T] and `core` int [L] sites, part by part, and all groups of
    core sites."""

    typed: np.ndarray
    core: np.ndarray
    groups: SiteGroups
    parts: list[PanelPart]

    def count_alternate(self) -> tuple[np.ndarray, np.ndarray]:
        """See `PanelSegments.count_alternate`."""
        everybody = [np.full(len(part.core), part.haplotypes) for part in self.parts]
        alternate = [part.alternate for part in self.parts]
        return np.concatenate(alternate), np.concatenate(everybody)


def choose_shape(haplotypes: int) -> Shape:
    """A shape for a panel of so many haplotypes: one tile where registers hold it."""
    block = max(WORD, 1 << (haplotypes - 1).bit_length())
    if block > WIDEST_TILE:
        return Shape(2, TILE, -(-haplotypes // TILE), TILE_WARPS)
    lanes = min(MOST_LANES, MOST_CELLS_OF_PROGRAM // block)
    return Shape(lanes, block, 1, min(MOST_WARPS, max(1, lanes * block // CELLS_OF_WARP)))


def read_panel_bits(
    shards: ShardSet,
    typed: np.ndarray,
    core: np.ndarray,
    distance: np.ndarray,
    shape: Shape | None = None,
) -> PanelBits:
    """Read the panel at sorted typed and core sites. `distance` float64 [site] is in switches
    expected from the chromosome's start on."""
    shape = shape or choose_shape(shards.reference_haplotypes)
    groups = group_core_sites(typed, core, distance, shards.ploidy.first)
    nobody = torch.zeros((1, shape.width // WORD), dtype=torch.int32)
    parts = []
    for stretch, (inside, wanted) in enumerate(part_stretches(shards.ploidy, typed, core)):
        if inside.stop == inside.start and wanted.stop == wanted.start:
            continue
        here, places = groups.narrow(wanted.start, wanted.stop)
        rows = shards.ploidy.number_rows(stretch)
        core_bits = pack_sites(shards, core[wanted], int(rows[-1]), shape.width)
        counts = np.bitwise_count(core_bits.numpy().view(np.uint32)).sum(axis=1, dtype=np.int64)
        part = PanelPart(
            inside,
            wanted,
            places,
            typed[inside],
            core[wanted],
            SiteGroups(here.first - wanted.start, here.before - inside.start),
            torch.cat([pack_sites(shards, typed[inside], int(rows[-1]), shape.width), nobody]),
            core_bits,
            counts,
            rows,
            shape,
        )
        core_bits[torch.from_numpy(part.is_turned)] ^= -1
        parts.append(part)
    return PanelBits(typed, core, groups, parts)


def pack_sites(shards: ShardSet, sites: np.ndarray, haplotypes: int, width: int) -> Tensor:
    """Bits int32 [S, width / 32] of so many haplotypes at sorted sites, padded by zeros."""
    packed = np.zeros((len(sites), width // 8), dtype=np.uint8)
    row = 0
    for bits in turn_sites(shards, sites, haplotypes):
        known = bits[:, : packed.shape[1]]
        packed[row : row + len(bits), : known.shape[1]] = known
        row += len(bits)
    return torch.from_numpy(packed.view(np.int32))
