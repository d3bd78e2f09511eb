"""All that a network may see of a window, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass
class PanelPosterior:
    """What Li and Stephens' model says of the core over the whole panel, at P places that share
    their weights.
    """

    alternate: Tensor
    """float32 [2B, L]: probability of ALT."""
    posterior: Tensor
    """float32 [2B, P, K]: probability of copying each retrieved haplotype."""
    of_site: Tensor
    """int64 [L]: the place of each core site."""
    first: Tensor
    """int64 [P]: the first core site of each place."""
    centimorgan: Tensor
    """float32 [P]."""

    def move(self, move: Callable[[Tensor], Tensor]) -> PanelPosterior:
        """The same, every tensor moved."""
        return PanelPosterior(
            **{field.name: move(getattr(self, field.name)) for field in fields(self)}
        )

    def take(self, rows: slice) -> PanelPosterior:
        """What it says of some haplotypes."""
        return replace(self, alternate=self.alternate[rows], posterior=self.posterior[rows])


@dataclass
class Batch:
    """B people at C context sites of one window; rows 2b and 2b + 1 are a person's two haplotypes.

    The true alleles of hidden sites are not in here: labels travel apart.
    """

    alleles: Tensor
    """int8 [2B, C]: 0, 1, and -1 where hidden or missing."""
    references: Tensor
    """uint8 [2B, K, C]: alleles of the retrieved haplotypes, best first."""
    reference_valid: Tensor
    """bool [2B, K]: false for padding."""
    hidden: Tensor
    """bool [C]."""
    core: slice
    """The core's L columns among the C."""
    centimorgan: Tensor
    """float32 [C]."""
    frequency: Tensor
    """float32 [C]: of ALT among reference people."""
    population_frequency: Tensor
    """float32 [2B, L]: of ALT in the person's super-population, overall where that is unknown."""
    genotype_frequency: Tensor
    """float32 [B, L, 3]: of genotypes 0, 1, 2, likewise."""
    mosaic: PanelPosterior | None = None
    """For networks that copy."""

    def to(self, device: torch.device) -> Batch:
        """The same on another device; nobody waits for what is copied from pinned memory."""
        return self._move(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_for(self, device: torch.device) -> Batch:
        """The same in pinned memory where the device is a GPU: it copies from there by itself."""
        return self if device.type == "cpu" else self._move(Tensor.pin_memory)

    def cut(self, alleles: int) -> Iterator[Batch]:
        """All people in order, as many at a time as have no more than so many `alleles` in
        `references`, at least one.
        """
        people = len(self.alleles) // 2
        together = max(1, alleles * people // max(1, self.references.numel()))
        for start in range(0, people, together):
            yield self._take(slice(start, start + together))

    def merge_alike(self) -> tuple[Batch, Tensor]:
        """A batch of haplotypes [H] that differ in what is seen of each at the core, whoever has
        them, and which of them each haplotype is, int64 [2B].

        What the model over the panel says is left out, and the genotypes' frequencies are not
        merged: both belong to more than the core of one haplotype.
        """
        seen = (
            self.alleles[:, self.core],
            self.references[:, :, self.core].flatten(1),
            self.reference_valid,
            self.population_frequency.contiguous(),
        )
        rows = torch.cat([part.view(torch.uint8) for part in seen], dim=1)
        distinct, which = torch.unique(rows, dim=0, return_inverse=True)
        first = which.new_zeros(len(distinct)).scatter_(
            0, which, torch.arange(len(which), device=which.device)
        )
        merged = replace(
            self,
            alleles=self.alleles[first],
            references=self.references[first],
            reference_valid=self.reference_valid[first],
            population_frequency=self.population_frequency[first],
            mosaic=None,
        )
        return merged, which

    def _take(self, people: slice) -> Batch:
        rows = slice(2 * people.start, 2 * people.stop)
        return replace(
            self,
            alleles=self.alleles[rows],
            references=self.references[rows],
            reference_valid=self.reference_valid[rows],
            population_frequency=self.population_frequency[rows],
            genotype_frequency=self.genotype_frequency[people],
            mosaic=self.mosaic and self.mosaic.take(rows),
        )

    def _move(self, move: Callable[[Tensor], Tensor]) -> Batch:
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {
            name: move(value) if isinstance(value, Tensor) else value.move(move)
            for name, value in held.items()
            if isinstance(value, Tensor | PanelPosterior)
        }
        return replace(self, **moved)


@dataclass
class Output:
    """Logits: of alleles [2B, L, 2], and of phased genotypes 2 * h1 + h2 [B, L, 4] where the
    network has that head.
    """

    haplotypes: Tensor
    genotypes: Tensor | None

    @classmethod
    def join(cls, parts: list[Output]) -> Output:
        """Logits of people that were asked for in parts."""
        genotypes = [part.genotypes for part in parts if part.genotypes is not None]
        return cls(
            torch.cat([part.haplotypes for part in parts]),
            torch.cat(genotypes) if genotypes else None,
        )
