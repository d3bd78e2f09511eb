"""Networks: shapes, what may flow where, and what copying says before it has learned."""

import itertools

import numpy as np
import pytest
import torch

from haplorag.configuration import read_settings
from haplorag.network import model
from haplorag.network.copying import (
    FAR_CENTIMORGAN,
    UNCERTAINTY,
    apply_layers,
    describe_matches,
)
from haplorag.network.fusion import FUSIONS
from haplorag.network.model import RetrievalNetwork, build_network, count_parameters, predict
from haplorag.settings import NetworkSettings
from support import CORE, NEIGHBOURS, PEOPLE, batch_of, read_config

SMALL = {
    "neighbours": NEIGHBOURS, "width": 8, "layers": 1, "heads": 2, "dropout": 0.0, "flank_typed": 10, "panel_typed": 10,
    "genotype_head": True, "copying_hidden": 8, "training": {},
}  # fmt: skip


def network_of(references: str, fusion: str, **changes) -> torch.nn.Module:
    torch.manual_seed(1)
    return build_network(
        NetworkSettings.model_validate(
            {**SMALL, "references": references, "fusion": fusion, **changes}
        )
    )


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
    batch.mosaic.posterior[:, :, 2:] = 0
    first = network(batch).haplotypes
    batch.references[:, 2:] = 1 - batch.references[:, 2:]
    torch.testing.assert_close(network(batch).haplotypes, first)
    batch.reference_valid[:] = False
    assert torch.isfinite(network(batch).haplotypes).all()


@pytest.mark.parametrize(("references", "fusion"), KINDS)
def test_people_do_not_see_each_other(references, fusion):
    network = network_of(
        references, fusion, neighbours=0 if fusion == "none" else NEIGHBOURS
    ).eval()
    batch, _ = batch_of()
    first = network(batch)
    batch.alleles[2:] = torch.where(batch.alleles[2:] >= 0, 1 - batch.alleles[2:], -1)
    batch.mosaic.alternate[2:] = 1 - batch.mosaic.alternate[2:]
    second = network(batch)
    torch.testing.assert_close(second.haplotypes[:2], first.haplotypes[:2])
    torch.testing.assert_close(second.genotypes[0], first.genotypes[0])
    assert (second.haplotypes[2:] != first.haplotypes[2:]).any()


@pytest.mark.parametrize(("references", "fusion"), KINDS)
def test_haplotypes_that_look_alike_are_answered_as_each_alone(references, fusion):
    network = network_of(
        references, fusion, neighbours=0 if fusion == "none" else NEIGHBOURS
    ).eval()
    batch, _ = batch_of()
    batch.population_frequency = batch.population_frequency.clone()
    for seen in (batch.alleles, batch.references, batch.population_frequency):
        seen[[2, 5]] = seen[[1, 0]]
    batch.population_frequency[5] = 1 - batch.population_frequency[5]
    expected = torch.softmax(network(batch).haplotypes, dim=-1)[..., 1]
    torch.testing.assert_close(predict(network, batch), expected)


def test_a_copying_network_that_does_not_learn_holds_few_people_at_a_time(monkeypatch):
    network = network_of("early", "copying").eval()
    for layers in (network.copying.score, network.copying.calibrate, network.haplotype_head.layers):
        torch.nn.init.normal_(layers[-1].weight)
    held = []
    network.copying.register_forward_pre_hook(
        lambda _, given: held.append(given[0].references.numel())
    )
    batch, _ = batch_of()
    person = batch.references.numel() // PEOPLE
    whole = network(batch)
    assert held == [PEOPLE * person]
    for bound, people in ((2 * person, 2), (3 * person - 1, 2), (1, 1)):
        held.clear()
        monkeypatch.setattr(model, "ALLELES_TOGETHER", bound)
        with torch.inference_mode():
            told = network(batch)
        assert max(held) == people * person and sum(held) == PEOPLE * person
        torch.testing.assert_close(told.haplotypes, whole.haplotypes)
        torch.testing.assert_close(told.genotypes, whole.genotypes)


def test_who_differs_in_anything_that_is_seen_is_told_apart():
    batch, _ = batch_of()
    batch.population_frequency = batch.population_frequency.clone()
    for seen in (batch.alleles, batch.references):
        seen[:] = seen[0]
    merged, which = batch.merge_alike()
    assert len(merged.alleles) == 1 and not which.any()
    batch.alleles[1, CORE.start] += 1
    batch.references[2, 1, CORE.start] ^= 1
    batch.reference_valid[3, 0] = False
    batch.population_frequency[4, 0] += 0.1
    # Beyond the core nothing is seen of either.
    batch.alleles[5, 0] += 1
    batch.references[5, 0, 0] ^= 1
    merged, which = batch.merge_alike()
    assert len(merged.alleles) == len(which.unique()) == 5
    assert which[5] == which[0]
    for name in ("alleles", "references"):
        whole = getattr(batch, name)[..., CORE]
        torch.testing.assert_close(getattr(merged, name)[..., CORE][which], whole, rtol=0, atol=0)
    assert torch.equal(merged.reference_valid[which], batch.reference_valid)
    assert torch.equal(merged.population_frequency[which], batch.population_frequency)


@pytest.mark.parametrize("references", ["early", "late"])
def test_gradients_reach_the_embedding_through_references(references):
    network = network_of(references, "concat")
    assert isinstance(network, RetrievalNetwork)
    batch, _ = batch_of()
    seen = []
    network.embedding.token.register_full_backward_hook(
        lambda module, given, got: seen.append(got[0].abs().sum().item())
    )
    network(batch).haplotypes.square().sum().backward()
    assert len(seen) == 2 and min(seen) > 0


def test_untrained_copying_is_what_the_whole_panel_says():
    network = network_of("early", "copying").eval()
    batch, _ = batch_of()
    carried = (
        batch.references[:, :, CORE].transpose(1, 2)
        * batch.mosaic.posterior[:, batch.mosaic.of_site]
    )
    others = 1 - batch.mosaic.posterior.sum(-1)[:, batch.mosaic.of_site]
    batch.mosaic.alternate = carried.sum(-1) + others * 0.3
    expected = (1 - UNCERTAINTY) * batch.mosaic.alternate + UNCERTAINTY * batch.frequency[CORE]
    torch.testing.assert_close(predict(network, batch), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_matches_are_described_as_counted_by_hand(rate):
    generator = torch.Generator().manual_seed(1)
    mismatch = torch.rand(2, 3, 9, generator=generator) < rate
    surprise = torch.rand(2, 9, generator=generator)
    typed_cm = torch.rand(9, generator=generator).sort().values
    core_cm = torch.tensor([-0.1, 0.0, 0.2, 0.5, 0.9, 1.2])
    right = torch.searchsorted(typed_cm, core_cm, right=True)
    found = describe_matches(mismatch, surprise, typed_cm, core_cm, right - 1, right)
    held = typed_cm.tolist()
    ends = [held[0] - FAR_CENTIMORGAN, *held, held[-1] + FAR_CENTIMORGAN]
    for row, neighbour, place in np.ndindex(2, 3, 6):
        here, cut = core_cm[place].item(), right[place].item()
        wrong = torch.nonzero(mismatch[row, neighbour]).ravel().tolist()
        left = [-1, -1, *(site for site in wrong if site < cut)]
        beyond = [*(site for site in wrong if site >= cut), 9, 9]
        between = slice(left[-1] + 1, beyond[0])
        expected = [
            *(np.log1p(100 * max(here - ends[site + 1], 0)) for site in (left[-1], left[-2])),
            *(np.log1p(100 * max(ends[site + 1] - here, 0)) for site in beyond[:2]),
            np.log1p(surprise[row, between].sum().item()),
            np.log1p(beyond[0] - left[-1] - 1),
            (left[-1] < 0) + (beyond[0] == 9),
        ]
        told = [feature[row, neighbour, place].item() for feature in found]
        np.testing.assert_allclose(told, expected, atol=1e-5)


def test_layers_take_features_that_lie_apart():
    layers = network_of("early", "copying").copying.calibrate
    torch.nn.init.normal_(layers[-1].weight)
    features = torch.randn(layers[0].in_features, 3, 4, 5)
    expected = layers(features.permute(1, 2, 3, 0)).squeeze(-1)
    torch.testing.assert_close(apply_layers(layers, features), expected)


def test_copies_hold_all_the_weight():
    copies = network_of("early", "copying").copying(batch_of()[0])
    assert (copies.weights.sum(1) < 1).all()
    assert ((copies.entropy > 0) & (copies.entropy < np.log(NEIGHBOURS + 1))).all()


@pytest.mark.parametrize(
    ("preset", "millions"),
    [("token_rag_v10", 2.17), ("token_rag_v17", 5.7), ("embedding_rag_v18", 26.4)],
)
def test_presets_are_about_as_large_as_published(preset, millions):
    network = read_settings(read_config(f"config/{preset}.yaml")).network[preset]
    assert count_parameters(build_network(network)) / 1e6 == pytest.approx(millions, rel=0.25)
