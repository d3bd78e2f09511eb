"""Networks that read hidden alleles from a haplotype's typed sites and retrieved haplotypes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from haplorag.network.batch import Batch, Output
from haplorag.network.copying import CopyingLayer, silence
from haplorag.network.embedding import PADDING, HaplotypeEmbedding, tokenise
from haplorag.network.fusion import FUSIONS
from haplorag.network.heads import GenotypeHead, HaplotypeHead
from haplorag.network.transformer import Transformer
from haplorag.network.weights import check_shapes, load_weights
from haplorag.settings import NetworkSettings

# Alleles of retrieved haplotypes that a copying network reads at a time where it does not learn; of
# memory only.
ALLELES_TOGETHER = 2**19


class RetrievalNetwork(nn.Module):
    """A transformer over core sites into which references enter `early` (after the embedding),
    `late` (after it) or not.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.references = settings.references
        self.embedding = HaplotypeEmbedding(settings.width)
        self.transformer = Transformer(
            settings.width, settings.layers, settings.heads, settings.dropout
        )
        self.fusion = (
            None
            if settings.references == "none"
            else FUSIONS[settings.fusion](settings.width, settings.heads)
        )
        self.haplotype_head = HaplotypeHead(settings.width)
        self.genotype_head = GenotypeHead(settings.width) if settings.genotype_head else None

    def forward(self, batch: Batch) -> Output:
        """Logits of a batch."""
        features = self._read(batch)
        genotypes = (
            self.genotype_head(features, batch.genotype_frequency) if self.genotype_head else None
        )
        return Output(self._tell(features, batch), genotypes)

    def answer(self, batch: Batch) -> Tensor:
        """Logits of alleles [2B, L, 2] alone; haplotypes that look alike are read once."""
        merged, which = batch.merge_alike()
        return self._tell(self._read(merged), merged)[which]

    def _read(self, batch: Batch) -> Tensor:
        """Features [2B, L, D]."""
        features = self._embed(tokenise(batch.alleles[:, batch.core]), batch)
        if self.references == "early":
            features = self._fuse(features, self._embed_references(batch), batch)
        features = self.transformer(features)
        if self.references == "late":
            references = self._embed_references(batch)
            encoded = self.transformer(references.flatten(0, 1), recompute=True).view_as(references)
            features = self._fuse(features, encoded, batch)
        return features

    def _tell(self, features: Tensor, batch: Batch) -> Tensor:
        """Logits of alleles [2B, L, 2]."""
        frequency = batch.frequency[batch.core]
        return self.haplotype_head(features, frequency, batch.population_frequency)

    def _embed(self, tokens: Tensor, batch: Batch) -> Tensor:
        return self.embedding(tokens, batch.frequency[batch.core], batch.centimorgan[batch.core])

    def _embed_references(self, batch: Batch) -> Tensor:
        tokens = batch.references[:, :, batch.core].long()
        return self._embed(tokens.masked_fill(~batch.reference_valid[:, :, None], PADDING), batch)

    def _fuse(self, features: Tensor, references: Tensor, batch: Batch) -> Tensor:
        assert self.fusion is not None
        frequency = batch.frequency[batch.core]
        return self.fusion(
            features, references, batch.reference_valid, frequency, batch.population_frequency
        )


class CopyingNetwork(nn.Module):
    """The copying layer and a transformer that reads what was copied and corrects it, by nothing at
    the start.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.copying = CopyingLayer(settings.copying_hidden)
        self.layers = settings.layers
        self.genotype_head = (
            GenotypeHead(settings.width) if settings.genotype_head and settings.layers else None
        )
        if settings.layers:
            self.embedding = HaplotypeEmbedding(settings.width)
            self.copied = nn.Linear(2, settings.width)
            self.transformer = Transformer(
                settings.width, settings.layers, settings.heads, settings.dropout
            )
            self.haplotype_head = HaplotypeHead(settings.width)
            silence(self.haplotype_head.layers)

    def forward(self, batch: Batch) -> Output:
        """Logits of a batch.

        Where nothing is learned, the processor's cores take some people at a time: what is written
        down on the way is many times as large as the batch.
        """
        if torch.is_grad_enabled() or batch.alleles.device.type != "cpu":
            return self._tell(batch)
        return Output.join([self._tell(piece) for piece in batch.cut(ALLELES_TOGETHER)])

    def answer(self, batch: Batch) -> Tensor:
        """Logits of alleles [2B, L, 2] alone."""
        return self(batch).haplotypes

    def _tell(self, batch: Batch) -> Output:
        copies = self.copying(batch)
        logits = torch.stack([-copies.logit / 2, copies.logit / 2], dim=-1)
        if not self.layers:
            return Output(logits, None)
        frequency = batch.frequency[batch.core]
        features = self.embedding(
            tokenise(batch.alleles[:, batch.core]), frequency, batch.centimorgan[batch.core]
        )
        features = features + self.copied(torch.stack([copies.logit / 5, copies.entropy], dim=-1))
        features = self.transformer(features)
        genotypes = (
            self.genotype_head(features, batch.genotype_frequency) if self.genotype_head else None
        )
        # A user's own people come without a population, so that this network never asks for it.
        correction = self.haplotype_head(features, frequency, frequency.expand(len(features), -1))
        return Output(logits + correction, genotypes)


Network = RetrievalNetwork | CopyingNetwork


def build_network(settings: NetworkSettings) -> Network:
    """Build the network that settings describe, with random weights from torch's current seed."""
    return CopyingNetwork(settings) if settings.copies else RetrievalNetwork(settings)


def load_network(path: Path, settings: NetworkSettings) -> Network:
    """Build the network that settings describe, with the weights in a file.

    Raises InputError where they do not fit; a network as large as somebody says takes no memory
    before it is known that its weights are there.
    """
    with torch.device("meta"):
        check_shapes(path, build_network(settings))
    network = build_network(settings)
    load_weights(path, network)
    return network


def compile_transformer(network: nn.Module, backend: str = "inductor") -> None:
    """Let PyTorch compile a network's transformer, in place, when it first runs.

    Weights keep their names. What is compiled is fitted to the number of haplotypes and sites of a
    batch, which differ only in the last of a window or of a chromosome.
    """
    for child in network.modules():
        if isinstance(child, Transformer):
            child.compile(backend=backend)


def count_parameters(network: nn.Module) -> int:
    """Trainable numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


@torch.inference_mode()
def predict(network: Network, batch: Batch) -> Tensor:
    """Probability of ALT at each core site: float32 [2B, L]. The only place where a softmax follows
    a head.
    """
    return torch.softmax(network.eval().answer(batch).float(), dim=-1)[..., 1]
