"""Networks: shapes, what may flow where, and Li and Stephens' model at the start."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conftest import read_config
from haplorag.network import RetrievalNetwork, build_network, count_parameters, predict
from haplorag.network.batch import Batch
from haplorag.network.copying import MISMATCH, SWITCHES_PER_CENTIMORGAN, UNCERTAINTY, find_places
from haplorag.network.fusion import FUSIONS
from haplorag.settings import Network, read_settings

PEOPLE, NEIGHBOURS, SITES, CORE = 3, 4, 30, slice(8, 22)
SMALL = {
    "neighbours": NEIGHBOURS, "width": 8, "layers": 1, "heads": 2, "dropout": 0.0, "flank_typed": 10,
    "genotype_head": True, "copying_hidden": 8, "training": {},
}  # fmt: skip


def network_of(references: str, fusion: str, **changes) -> torch.nn.Module:
    torch.manual_seed(1)
    return build_network(Network.model_validate({**SMALL, "references": references, "fusion": fusion, **changes}))


def batch_of(seed: int = 1, hidden_rate: float = 0.5) -> tuple[Batch, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    true = torch.randint(0, 2, (2 * PEOPLE, SITES), generator=generator, dtype=torch.int8)
    hidden = torch.rand(SITES, generator=generator) < hidden_rate
    length = CORE.stop - CORE.start
    frequency = torch.rand(SITES, generator=generator)
    batch = Batch(
        alleles=true.masked_fill(hidden, -1),
        references=torch.randint(0, 2, (2 * PEOPLE, NEIGHBOURS, SITES), generator=generator, dtype=torch.uint8),
        reference_valid=torch.ones(2 * PEOPLE, NEIGHBOURS, dtype=torch.bool),
        hidden=hidden,
        core=CORE,
        centimorgan=torch.rand(SITES, generator=generator).sort().values / 10,
        frequency=frequency,
        population_frequency=frequency[CORE].expand(2 * PEOPLE, length),
        genotype_frequency=torch.full((PEOPLE, length, 3), 1 / 3),
        panel_haplotypes=100,
    )
    return batch, true[:, CORE]


KINDS = [("none", "none"), *itertools.product(("early", "late"), FUSIONS), ("early", "copying")]


@pytest.mark.parametrize(("references", "fusion"), KINDS)
def test_every_fusion_answers_with_logits_and_learns(references, fusion):
    network = network_of(references, fusion, neighbours=0 if fusion == "none" else NEIGHBOURS)
    batch, _ = batch_of()
    output = network(batch)
    assert output.haplotypes.shape == (2 * PEOPLE, CORE.stop - CORE.start, 2)
    assert output.genotypes.shape == (PEOPLE, CORE.stop - CORE.start, 4)
    (output.haplotypes.square().sum() + output.genotypes.square().sum()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    probability = predict(network, batch)
    assert ((probability >= 0) & (probability <= 1)).all()


@pytest.mark.parametrize(("references", "fusion"), KINDS[1:])
def test_padding_is_seen_by_nobody(references, fusion):
    network = network_of(references, fusion).eval()
    batch, _ = batch_of()
    batch.reference_valid[:, 2:] = False
    first = network(batch).haplotypes
    batch.references[:, 2:] = 1 - batch.references[:, 2:]
    torch.testing.assert_close(network(batch).haplotypes, first)
    batch.reference_valid[:] = False
    assert torch.isfinite(network(batch).haplotypes).all()


@pytest.mark.parametrize(("references", "fusion"), KINDS)
def test_people_do_not_see_each_other(references, fusion):
    network = network_of(references, fusion, neighbours=0 if fusion == "none" else NEIGHBOURS).eval()
    batch, _ = batch_of()
    first = network(batch)
    batch.alleles[2:] = torch.where(batch.alleles[2:] >= 0, 1 - batch.alleles[2:], -1)
    second = network(batch)
    torch.testing.assert_close(second.haplotypes[:2], first.haplotypes[:2])
    torch.testing.assert_close(second.genotypes[0], first.genotypes[0])
    assert (second.haplotypes[2:] != first.haplotypes[2:]).any()


@pytest.mark.parametrize("references", ["early", "late"])
def test_gradients_reach_the_embedding_through_references(references):
    network = network_of(references, "concat")
    assert isinstance(network, RetrievalNetwork)
    batch, _ = batch_of()
    seen = []
    network.embedding.token.register_full_backward_hook(lambda module, given, got: seen.append(got[0].abs().sum().item()))
    network(batch).haplotypes.square().sum().backward()
    assert len(seen) == 2 and min(seen) > 0


def test_untrained_copying_is_li_and_stephens():
    network = network_of("early", "copying").eval()
    batch, _ = batch_of(hidden_rate=0.6)
    expected = run_li_stephens(batch)
    frequency = batch.frequency[CORE].numpy()
    hidden = batch.hidden[CORE].numpy()
    expected = (1 - UNCERTAINTY) * expected + UNCERTAINTY * frequency
    np.testing.assert_allclose(predict(network, batch).numpy()[:, hidden], expected[:, hidden], atol=2e-3)


def run_li_stephens(batch: Batch) -> np.ndarray:
    """Forward-backward over every site, hidden ones without emission, in float64: ALT probability [N, L]."""
    references, alleles = batch.references.numpy(), batch.alleles.numpy()
    switch = 1 - np.exp(-np.diff(batch.centimorgan.numpy()) * SWITCHES_PER_CENTIMORGAN / batch.panel_haplotypes)
    emission = np.where(alleles[:, None] < 0, 1.0, np.where(alleles[:, None] == references, 1 - MISMATCH, MISMATCH))
    forward, backward = np.ones_like(emission), np.ones_like(emission)
    forward[..., 0] = emission[..., 0]
    for site in range(1, SITES):
        mean = forward[..., site - 1].mean(axis=1, keepdims=True)
        forward[..., site] = ((1 - switch[site - 1]) * forward[..., site - 1] + switch[site - 1] * mean) * emission[..., site]
    for site in range(SITES - 2, -1, -1):
        held = backward[..., site + 1] * emission[..., site + 1]
        backward[..., site] = (1 - switch[site]) * held + switch[site] * held.mean(axis=1, keepdims=True)
    posterior = forward * backward
    posterior /= posterior.sum(axis=1, keepdims=True)
    return (posterior * references).sum(axis=1)[:, CORE]


@given(st.integers(0, 2**32), st.integers(1, 200))
def test_places_lie_among_their_sites(seed, sites):
    generator = torch.Generator().manual_seed(seed)
    centimorgan = (torch.rand(sites, generator=generator) * 5).round(decimals=1).sort().values + 0.1234567
    core = torch.arange(sites)
    typed = core[torch.rand(sites, generator=generator) < 0.2]
    place, before, here = find_places(typed, core, centimorgan, width=0.3)
    assert (place.diff() >= 0).all() and len(here) == place.max() + 1
    for number in range(len(here)):
        mine = centimorgan[place == number]
        assert mine.min() <= here[number] <= mine.max()
        assert (torch.searchsorted(typed, core[place == number], right=True) == before[number]).all()


def test_without_typed_sites_copying_says_the_neighbours_frequency():
    network = network_of("early", "copying").eval()
    batch, _ = batch_of(hidden_rate=1.1)
    expected = batch.references[:, :, CORE].float().mean(1)
    frequency = batch.frequency[CORE]
    torch.testing.assert_close(predict(network, batch), (1 - UNCERTAINTY) * expected + UNCERTAINTY * frequency)


@pytest.mark.parametrize(("preset", "millions"), [("token_rag_v10", 2.17), ("token_rag_v17", 5.7), ("embedding_rag_v18", 26.4)])
def test_presets_are_about_as_large_as_published(preset, millions):
    network = read_settings(read_config(f"config/{preset}.yaml")).network[preset]
    assert count_parameters(build_network(network)) / 1e6 == pytest.approx(millions, rel=0.25)
