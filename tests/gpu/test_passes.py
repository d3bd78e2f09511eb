"""The passes as imputation and training ask for them: on a GPU as on the cores, here by Triton's
interpreter where there is no card.
"""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from copying_case import DEVICE, Case
from haplorag.dataset.batches import cut_items
from haplorag.dataset.chromosome import open_chromosomes
from haplorag.errors import InputError
from haplorag.gpu import following, passes
from haplorag.gpu.choice import choose_passes
from haplorag.gpu.passes import GpuPasses
from haplorag.li_stephens import model
from haplorag.li_stephens.passes import CorePasses, trace_window
from haplorag.panel.masked_window import MaskedWindow
from haplorag.steps.imputation import imputation
from support import draw_of, panel_of

ON_DEVICE = GpuPasses(DEVICE, 1, "imputation.batch_people", 24)


def test_a_card_is_followed_on_and_the_cores_where_there_is_none():
    assert choose_passes(torch.device("cpu"), 3, "training.batch_people", 24) == CorePasses(3)
    chosen = choose_passes(torch.device("cuda", 1), 3, "training.batch_people", 24)
    assert isinstance(chosen, GpuPasses)
    assert (chosen.threads, chosen.setting, chosen.people) == (3, "training.batch_people", 24)


@pytest.mark.parametrize("men", [0, 3])
def test_a_window_is_traced_the_same(men):
    """In sight of some typed sites a side, own haplotypes left out; on X within a stretch."""
    case = Case(9, sites=36, queries=4, hidden=0.5, men=men)
    sites = np.arange(12, 24) if men else np.arange(36)
    hidden = np.isin(sites, case.core)
    core = (3, 8) if men else (14, 22)
    window = MaskedWindow(sites, core, hidden, case.model.distance, case.shards)
    generator = np.random.default_rng(1)
    haplotypes = generator.integers(-1, 2, (4, len(sites)), dtype=np.int8)
    ids = generator.integers(-1, int(window.rows[-1]), (4, 5))
    asked = case.model, window, haplotypes, ids, case.queries.owner, 3
    found, expected = (trace_window(where, *asked) for where in (ON_DEVICE, CorePasses(1)))
    np.testing.assert_allclose(found.alternate, expected.alternate, atol=1e-5)
    np.testing.assert_allclose(found.posterior, expected.posterior, atol=1e-5)
    assert expected.posterior.max() > 0.1
    np.testing.assert_array_equal(found.groups.first, expected.groups.first)


def test_a_batch_of_a_training_is_the_same(simulated):
    """With what the model over the panel says of it, made by the passes that its chromosome has."""
    (chromosome,) = open_chromosomes(panel_of(simulated), draw_of(simulated, "001"), ON_DEVICE)
    assert chromosome.passes == ON_DEVICE
    reads = simulated.settings.network["copying"].model_copy(update={"panel_typed": 8})
    items = chromosome.retrieved.group()[1][:1]
    found, expected = (
        cut_items(opened, opened.read(items, reads.reach), reads)[0]
        for opened in (chromosome, replace(chromosome, passes=CorePasses(1)))
    )
    for name in ("alternate", "posterior"):
        ours, theirs = (getattr(batch.mosaic, name).numpy() for batch in (found, expected))
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert torch.equal(found.mosaic.of_site, expected.mosaic.of_site)


def test_the_next_are_followed_while_who_asked_has_those_before(monkeypatch):
    begun = threading.Event()

    def trace(*_):
        yield slice(0, 2), "first"
        begun.set()
        yield slice(2, 4), "second"

    monkeypatch.setattr(passes, "trace_queries", trace)
    case = Case(2, sites=6)
    told = case.open(ON_DEVICE).trace(case.queries)
    assert next(told)[1] == "first"
    assert begun.wait(20)
    assert [words for _, words in told] == ["second"]


def run_out(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB. GPU 0 has less")


def test_the_end_of_memory_names_what_to_lower(monkeypatch):
    monkeypatch.setattr(following._Launch, "go_forward", run_out)
    case = Case(2, queries=6)
    wanted = r"9.00 GiB; lower imputation.batch_people from 24 to 12"
    with pytest.raises(MemoryError, match=wanted):
        list(case.open(ON_DEVICE).trace(case.queries))
    with pytest.raises(MemoryError, match=r"lower li_stephens.estimation_people from 3 to 1"):
        ON_DEVICE.expect_events(case.queries, case.shards, case.typed, case.model)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_an_imputation_that_runs_out_of_memory_says_so(
    panel_imputer, simulated, tmp_path, monkeypatch
):
    """Through the whole step; nothing is left of the output."""
    monkeypatch.setattr(following._Launch, "go_forward", run_out)
    monkeypatch.setattr("haplorag.gpu.choice.choose_passes", lambda *_: ON_DEVICE)
    target, output = simulated.folder / "demo/target.vcf.gz", tmp_path / "out.vcf.gz"
    settings = simulated.settings.imputation
    with pytest.raises(MemoryError, match=r"lower li_stephens.estimation_people from \d+ to \d+"):
        imputation(panel_imputer, target, output, tmp_path / "s.tsv", settings=settings, gpus=1)
    assert not list(tmp_path.iterdir())


def test_a_card_that_is_too_old_is_left_only_where_that_is_asked(
    panel_imputer, simulated, tmp_path, monkeypatch
):
    def refuse(gpus):
        if gpus:
            raise InputError("Tesla T4: its compute capability is 7.5, and 8.0 is the least")
        return torch.device("cpu")

    monkeypatch.setattr("haplorag.network.device.choose_device", refuse)
    target = simulated.folder / "demo/target.vcf.gz"
    arguments = panel_imputer, target, tmp_path / "o.vcf.gz", tmp_path / "s.tsv"
    settings = simulated.settings.imputation
    with pytest.raises(InputError, match=r"7.5, and 8.0 is the least"):
        imputation(*arguments, settings=settings, gpus=1)
    assert not list(tmp_path.iterdir())


def test_where_memory_is_short_haplotypes_of_a_sample_stay_together(monkeypatch):
    """As on the cores, so that who draws among them draws the same."""
    monkeypatch.setattr(model, "MOST_PROBABILITIES", 1)
    case = Case(2, sites=8, queries=5)
    told = [
        [some for some, _ in case.open(where).trace(case.queries)]
        for where in (ON_DEVICE, CorePasses(1))
    ]
    assert told[0] == told[1] == [slice(0, 2), slice(2, 4), slice(4, 5)]
