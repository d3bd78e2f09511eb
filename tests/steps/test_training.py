"""Training: exact, resumable, stopped in time, and never on labels it must not see."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from haplorag.dataset.batches import cut_items, iterate_shuffled
from haplorag.dataset.chromosome import open_chromosomes
from haplorag.errors import InputError
from haplorag.io.tables import read_table
from haplorag.network.batch import Output
from haplorag.network.model import build_network
from haplorag.training.checkpoint import MidEpochCheckpoint
from haplorag.training.distributed import relaunch_with_torchrun
from haplorag.training.epoch import EpochProgress, EpochTask, Learner, train_epoch
from haplorag.training.history import read_history, write_events
from haplorag.training.loss import compute_loss, focal_loss
from haplorag.training.optimiser import build_optimiser, schedule_rate
from support import CORE, PEOPLE, SEED, batch_of, draw_of, files_of, panel_of, train


def test_an_epoch_is_the_same_twice(trained, simulated, tmp_path):
    train(simulated, trained.parent / "000", tmp_path / "again")
    for path in files_of(trained):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def call(simulated, before, after, *launcher, threads=2, **changes):
    """The command line of an epoch, and its environment."""
    settings = simulated.settings.training_of("copying").model_copy(update=changes)
    told = settings.model_dump_json(exclude={"epochs", "gpus", "tensorboard"})
    flags = {
        f"panel-{name}": getattr(simulated, name)
        for name in ("samples", "genotypes", "frequencies", "windows", "shards")
    }
    flags |= {f"draw-{stage}": simulated.drawn(stage, "001") for stage in ("masks", "neighbours")}
    flags |= {
        f"validation-{stage}": simulated.drawn(stage, "validation")
        for stage in ("masks", "neighbours", "rates")
    }
    flags["draw-rates"] = simulated.drawn("rates", "validation")
    flags |= {"network": simulated.settings.network["copying"].model_dump_json(), "settings": told}
    flags |= {"model": "copying", "epoch": 1, "seed": SEED, "threads": threads, "gpus": 0}
    paths = [*files_of(before), *files_of(after), after / "metrics.tsv"]
    words = [str(word) for name, value in flags.items() for word in (f"--{name}", value)]
    command = [sys.executable, *launcher, "-m", "haplorag.steps.training", *map(str, paths), *words]
    return command, {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "workflow")}


def test_a_killed_epoch_goes_on(trained, simulated, tmp_path):
    """Killed in the middle, with its state kept after every step, and begun again, beside one that
    nobody disturbed.
    """
    after, undisturbed = tmp_path / "001", tmp_path / "undisturbed"
    command, environment = call(simulated, trained.parent / "000", undisturbed, save_minutes=0)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    command, environment = call(simulated, trained.parent / "000", after, save_minutes=0)
    running = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not (after / ".halfway.pt").exists() and running.poll() is None:
        time.sleep(0.01)
    running.kill()
    assert running.wait() == -signal.SIGKILL
    assert {path.name for path in after.iterdir() if not path.name.startswith(".")} == set()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "goes on after" in done.stderr
    for path in files_of(undisturbed):
        assert (after / path.name).read_bytes() == path.read_bytes()
    assert not (after / ".halfway.pt").exists()


@pytest.mark.parametrize("change", ["seed", "damage"])
def test_a_state_in_mid_epoch_of_something_else_is_left_alone(tmp_path, change, caplog):
    network = torch.nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(network.parameters())
    with MidEpochCheckpoint(tmp_path / "h.pt", {"seed": 1}, network, optimiser).saving(0) as save:
        save(EpochProgress(5, batches=2))
    assert (
        MidEpochCheckpoint(tmp_path / "h.pt", {"seed": 1}, network, optimiser).load()["batches"]
        == 2
    )
    if change == "damage":
        data = bytearray((tmp_path / "h.pt").read_bytes())
        data[-30] ^= 1
        (tmp_path / "h.pt").write_bytes(data)
    assert (
        MidEpochCheckpoint(
            tmp_path / "h.pt", {"seed": 1 + (change == "seed")}, network, optimiser
        ).load()
        is None
    )


def test_an_epoch_that_is_told_to_end_keeps_its_state(tmp_path):
    network = torch.nn.Linear(2, 2)
    given = tmp_path / "h.pt", {"seed": 1}, network, torch.optim.AdamW(network.parameters())
    with pytest.raises(SystemExit) as caught, MidEpochCheckpoint(*given).saving(minutes=10) as save:
        save(EpochProgress(1, batches=1))
        assert not given[0].exists()
        signal.raise_signal(signal.SIGTERM)
        save(EpochProgress(2, batches=2))
    assert caught.value.code == 128 + signal.SIGTERM
    assert MidEpochCheckpoint(*given).load()["batches"] == 2
    # One that trains along waits for the one that writes.
    with MidEpochCheckpoint(*given).saving(math.inf) as save:
        signal.raise_signal(signal.SIGTERM)
        save(EpochProgress(3, batches=3))
    assert MidEpochCheckpoint(*given).load()["batches"] == 2


@pytest.mark.parametrize("rate", [1e20, 1e30])
def test_weights_that_overflow_are_never_kept(trained, simulated, tmp_path, rate):
    with pytest.raises(
        InputError,
        match=r"the loss .*(nan|inf).*; the last good epoch is kept; lower training.learning_rate",
    ):
        train(
            simulated,
            trained.parent / "000",
            tmp_path / "001",
            learning_rate=rate,
            warmup_steps=0,
            schedule="constant",
        )
    assert not list((tmp_path / "001").glob("*"))


def test_two_processes_learn_what_one_does(trained, simulated, tmp_path):
    train(simulated, trained.parent / "000", tmp_path / "one", accumulate=2)
    launcher = "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"
    before, after = trained.parent / "000", tmp_path / "two"
    command, environment = call(simulated, before, after, *launcher, threads=1, accumulate=2)
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    alone, together = (
        json.loads((tmp_path / name / "history.json").read_text())["epochs"][1]
        for name in ("one", "two")
    )
    assert together["training"]["loss"] == pytest.approx(alone["training"]["loss"], rel=1e-5)
    assert together["score"] == pytest.approx(alone["score"], rel=1e-4)


def test_processes_share_the_batches_of_a_step(simulated, monkeypatch):
    monkeypatch.setattr("haplorag.training.epoch.world_size", lambda: 2)
    task, network = task_of(simulated), torch.nn.Linear(1, 1)
    with pytest.raises(
        InputError, match=r"training.accumulate: 1 is not a multiple of the 2 processes"
    ):
        train_epoch(Learner(network, None), [], task, EpochProgress(0))


def task_of(simulated):
    """The first epoch of the copying model."""
    tiny = simulated.settings
    return EpochTask("copying", 1, tiny.network["copying"], tiny.training_of("copying"), SEED)


def test_more_gpus_than_there_are_are_refused(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(InputError, match=r"training.gpus: 99 are asked for"):
        relaunch_with_torchrun(99)


def test_metrics_and_events_tell_of_an_epoch(trained, simulated, tmp_path):
    table = read_table(trained / "metrics.tsv", mask=str, group=str)
    assert set(table["epoch"]) == {1}
    costs = table[table["draw"] == "training"].set_index("metric")["value"]
    assert (
        costs[["loss", "learning_rate", "seconds", "samples_per_second", "peak_memory_mb"]] > 0
    ).all()
    judged = table[(table["draw"] == "validation") & (table["mask"] == "hide_50")]
    assert {"all", "rare", "common", "0.05-0.5"} <= set(judged["group"])
    assert {"f1", "precision", "recall", "accuracy", "loss", "r2"} <= set(judged["metric"])
    history = read_history(trained / "history.json")
    for _ in range(2):
        write_events(tmp_path, history, 1, costs.to_dict())
    [file] = tmp_path.iterdir()
    assert file.name.startswith("events.out.tfevents") and file.name.endswith(".001")
    assert b"validation/r2/hide_50/rare" in file.read_bytes()


def test_learning_rewards(trained):
    history = json.loads((trained / "history.json").read_text())
    assert history["best_epoch"] == 1
    assert history["epochs"][1]["score"] > history["epochs"][0]["score"]


def test_training_stops_and_passes_through(trained, simulated, tmp_path):
    # Nothing improves by this much, so that the first epoch is the last.
    stopped = train(simulated, trained.parent / "000", tmp_path / "001", patience=1, min_delta=1e9)
    assert stopped["stopped"] and stopped["best_epoch"] == 0
    passed = train(simulated, tmp_path / "001", tmp_path / "002", epoch=2, patience=1)
    assert passed == stopped
    for path in files_of(tmp_path / "001"):
        assert (tmp_path / "002" / path.name).read_bytes() == path.read_bytes()
    first = (trained.parent / "000/weights.safetensors").read_bytes()
    assert (tmp_path / "002/best.safetensors").read_bytes() == first


def test_a_damaged_state_is_noticed(trained, simulated, tmp_path):
    for path in files_of(trained):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    data = bytearray((tmp_path / "state.pt").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "state.pt").write_bytes(data)
    with pytest.raises(InputError, match=r"state\.pt: missing or damaged"):
        train(simulated, tmp_path, tmp_path / "next", epoch=2)


def test_an_infinite_loss_stops_with_advice(simulated):
    task = task_of(simulated)
    network = build_network(task.network)
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    learner = Learner(network, build_optimiser(network, task.settings))
    with pytest.raises(
        InputError, match=r"the loss is nan.* at step 0 \(epoch 1, batch 0\).*lower"
    ):
        train_epoch(learner, open_epoch(simulated), task, EpochProgress(0))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def open_epoch(simulated):
    return open_chromosomes(panel_of(simulated), draw_of(simulated, "001"))


def test_accumulation_is_the_large_batch(simulated):
    tiny = simulated.settings
    weights = []
    for batch_people, accumulate in ((8, 1), (2, 4)):
        torch.manual_seed(3)
        network = build_network(
            tiny.network["embedding_rag_v18"].model_copy(update={"dropout": 0.0})
        ).double()
        settings = tiny.training.model_copy(
            update={"batch_people": batch_people, "accumulate": accumulate}
        )
        batches = list(
            iterate_shuffled(open_epoch(simulated), 8, tiny.network["embedding_rag_v18"], SEED, 1)
        )[:1]
        batch, labels = batches[0]
        total = int((labels[:, batch.hidden[batch.core]] >= 0).sum())
        network.zero_grad()
        for start in range(0, 8, batch_people):
            part = split_batch(batch, start, start + batch_people)
            loss, _ = compute_loss(
                network(part), part, labels[2 * start : 2 * (start + batch_people)], settings
            )
            (loss / total).backward()
        weights.append(torch.cat([parameter.grad.flatten() for parameter in network.parameters()]))
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-6, atol=1e-9)


def split_batch(batch, start, stop):
    pair, person = slice(2 * start, 2 * stop), slice(start, stop)
    double = {name: getattr(batch, name).double() for name in ("centimorgan", "frequency")}
    return replace(
        batch, alleles=batch.alleles[pair], references=batch.references[pair], reference_valid=batch.reference_valid[pair],
        population_frequency=batch.population_frequency[pair].double(),
        genotype_frequency=batch.genotype_frequency[person].double(), **double,
    )  # fmt: skip


@pytest.mark.parametrize("model", ["copying", "embedding_rag_v18"])
def test_hidden_alleles_reach_the_labels_only(simulated, model):
    [chromosome], reads = open_epoch(simulated), simulated.settings.network[model]
    items = chromosome.retrieved.group()[0][:4]
    hidden = chromosome.view(items, reads.reach).hidden
    read = chromosome.read(items, reads.reach)
    turned = replace(read, haplotypes=np.where(hidden, 1 - read.haplotypes, read.haplotypes))
    (first, labels), (second, others) = (
        cut_items(chromosome, held, reads) for held in (read, turned)
    )
    assert (labels != others)[:, first.hidden[first.core]].all()
    for seen, again in (
        (first, second),
        *([(first.mosaic, second.mosaic)] if reads.copies else []),
    ):
        for field in fields(seen):
            value = getattr(seen, field.name)
            assert not isinstance(value, torch.Tensor) or torch.equal(
                value, getattr(again, field.name)
            ), field.name


def test_windows_take_turns(simulated):
    chromosomes, reads = open_epoch(simulated), simulated.settings.network["copying"]
    first = [
        batch.centimorgan[0].item() for batch, _ in iterate_shuffled(chromosomes, 2, reads, SEED, 1)
    ]
    assert first == [
        batch.centimorgan[0].item() for batch, _ in iterate_shuffled(chromosomes, 2, reads, SEED, 1)
    ]
    assert first != [
        batch.centimorgan[0].item() for batch, _ in iterate_shuffled(chromosomes, 2, reads, SEED, 2)
    ]
    repeats = sum(one == two for one, two in pairwise(first))
    assert repeats < len(first) / 4


@pytest.mark.parametrize("gamma", [0.0, 2.0, 5.0])
def test_focal_loss_by_hand(gamma):
    logits = torch.tensor([[0.0, 1.0], [2.0, 0.0], [0.5, 0.5]])
    loss, number = focal_loss(logits, torch.tensor([1, 1, -1]), gamma)
    shares = [math.exp(1) / (1 + math.exp(1)), 1 / (1 + math.exp(2))]
    assert loss.item() == pytest.approx(
        sum(-((1 - p) ** gamma) * math.log(p) for p in shares), rel=1e-5
    )
    assert number == 2


def test_the_loss_weighs_haplotypes_and_genotype_3_3_4(settings):
    batch, labels = batch_of()
    length = CORE.stop - CORE.start
    sure = torch.zeros(2 * PEOPLE, length, 2)
    output = Output(sure, torch.zeros(PEOPLE, length, 4))
    loss, number = compute_loss(output, batch, labels, settings.training)
    assert loss.item() / number == pytest.approx(0.6 * math.log(2) + 0.4 * math.log(4), rel=1e-5)
    assert number == 2 * PEOPLE * batch.hidden[CORE].sum()


def test_missing_and_typed_labels_do_not_count(settings):
    batch, labels = batch_of()
    output = Output(torch.randn(2 * PEOPLE, CORE.stop - CORE.start, 2), None)
    loss, number = compute_loss(output, batch, labels, settings.training)
    typed = ~batch.hidden[CORE]
    other = labels.clone()
    other[:, typed] = 1 - other[:, typed]
    assert compute_loss(output, batch, other, settings.training)[0] == loss
    other[0] = -1
    assert compute_loss(output, batch, other, settings.training)[1] == number - (~typed).sum()


def test_the_schedule(settings):
    rates = settings.training.model_copy(
        update={"learning_rate": 1.0, "warmup_steps": 10, "schedule_steps": 100}
    )
    assert schedule_rate(0, rates) == pytest.approx(0.2)
    assert schedule_rate(5, rates) == pytest.approx(0.6)
    assert schedule_rate(10, rates) == 1.0
    assert schedule_rate(40, rates) == pytest.approx(0.5)
    cosine = rates.model_copy(update={"schedule": "cosine"})
    assert schedule_rate(60, cosine) == pytest.approx(0.5)
    assert schedule_rate(999, cosine) == pytest.approx(0.0)
    assert schedule_rate(999, rates.model_copy(update={"schedule": "constant"})) == 1.0
