"""The panel as kernels read it: a bit an allele, site by site, in stretches of the chromosome."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from haplorag.errors import InputError
from haplorag.li_stephens.parameters import CopyingModel
from haplorag.li_stephens.segments import Chances, compute_chances
from haplorag.li_stephens.site_groups import SiteGroups, group_core_sites
from haplorag.panel.haplotypes import ShardSet

WORD = 32
# Columns of one tile at the most, cells (lanes x columns) of a program, so that its registers hold
# them, and its lanes.
WIDEST_TILE, MOST_CELLS_OF_PROGRAM, MOST_LANES = 8192, 2**14, 8
# Tiles of a panel that needs several.
TILE = 4096
CELLS_OF_WARP = 1024


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


class PanelBits(NamedTuple):
    """The panel at `typed` int [T] and `core` int [L] sites; bits int32 [T + 1 or L, word] of both,
    the first haplotype in the lowest bit of the first word.

    Typed sites are followed by one at which nobody shows an allele, so that every core site has one
    after it. `groups` are those of core sites, `distance` float64 [site] is in switches expected.
    """

    typed: np.ndarray
    core: np.ndarray
    groups: SiteGroups
    typed_bits: Tensor
    core_bits: Tensor
    haplotypes: int
    shape: Shape

    def compute_chances(self, model: CopyingModel) -> list[Chances]:
        """Probabilities along the chromosome, under each setting; those at the last typed site,
        which nobody shows, are 1 and 0."""
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


def choose_shape(haplotypes: int) -> Shape:
    """A shape for a panel of so many haplotypes: one tile where registers hold it."""
    block = max(WORD, 1 << (haplotypes - 1).bit_length())
    if block > WIDEST_TILE:
        return Shape(2, TILE, -(-haplotypes // TILE), 2 * TILE // CELLS_OF_WARP)
    cells = MOST_CELLS_OF_PROGRAM if block < WIDEST_TILE else WIDEST_TILE
    lanes = min(MOST_LANES, cells // block)
    return Shape(lanes, block, 1, min(16, max(1, lanes * block // CELLS_OF_WARP)))


def read_panel_bits(
    shards: ShardSet,
    typed: np.ndarray,
    core: np.ndarray,
    distance: np.ndarray,
    shape: Shape | None = None,
) -> PanelBits:
    """Read the panel at sorted typed and core sites. `distance` float64 [site] is in switches
    expected from the chromosome's start on. Raises InputError where some people of the panel have
    one haplotype."""
    if (shards.ploidy.people != 2).any():
        raise InputError(
            "a panel in which some people have one haplotype is not followed on a GPU; impute on "
            "the CPU: --resources gpu=0"
        )
    shape = shape or choose_shape(shards.reference_haplotypes)
    typed_bits = pack_sites(shards, typed, shape.width)
    nobody = torch.zeros((1, shape.width // WORD), dtype=torch.int32)
    return PanelBits(
        typed,
        core,
        group_core_sites(typed, core, distance, shards.ploidy.first),
        torch.cat([typed_bits, nobody]),
        pack_sites(shards, core, shape.width),
        shards.reference_haplotypes,
        shape,
    )


def pack_sites(shards: ShardSet, sites: np.ndarray, width: int) -> Tensor:
    """Bits int32 [S, width / 32] of all haplotypes at sorted sites, padded by zeros."""
    packed = np.zeros((len(sites), width // 8), dtype=np.uint8)
    # A few thousand sites at a time: unpacked they take a byte an allele.
    for start in range(0, len(sites), 4096):
        alleles = shards.by_site(sites[start : start + 4096])
        bits = np.packbits(alleles, axis=1, bitorder="little")
        packed[start : start + 4096, : bits.shape[1]] = bits
    return torch.from_numpy(packed.view(np.int32))
