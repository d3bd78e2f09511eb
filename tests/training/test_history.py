"""The history of a model: what is best, when training stops, and the same bytes again."""

import pytest

from haplorag.errors import InputError
from haplorag.io.tables import read_table
from haplorag.training.history import (
    EpochRecord,
    MaskScores,
    begin_history,
    list_epochs,
    read_history,
    write_history,
    write_metrics,
)

SCORES = {"hide_50": MaskScores(0.25, {"0-0.5": {"r2": 0.5, "f1": None}, "all": {"r2": 0.75}})}


def record_of(epoch, score):
    return EpochRecord(epoch, SCORES, score, {"loss": 0.125, "steps": 3} if epoch else {})


@pytest.fixture
def rules(settings):
    return settings.training.model_copy(update={"patience": 2, "min_delta": 0.1})


def history_of(scores, rules):
    history = begin_history("m", 7, record_of(0, scores[0]), {"state.pt": "x"})
    for epoch, score in enumerate(scores[1:], start=1):
        history = history.add(record_of(epoch, score), rules)
    return history


@pytest.mark.parametrize(
    ("scores", "best", "stopped"),
    [
        ([0.1], 0, False),
        ([0.1, 0.3], 1, False),
        # Better, but not by enough.
        ([0.1, 0.15], 0, False),
        ([0.1, 0.15, 0.19], 0, True),
        ([0.1, 0.0, 0.3], 2, False),
        ([-0.5, -0.3, -0.4, -0.35], 1, True),
    ],
)
def test_the_best_epoch_and_the_end(rules, scores, best, stopped):
    history = history_of(scores, rules)
    assert (history.best_epoch, history.stopped) == (best, stopped)
    assert history.best_score == scores[best]
    assert history.trained_epochs == len(scores) - 1


def test_an_epoch_more_leaves_the_history_before_as_it_was(rules):
    before = history_of([0.1, 0.3], rules)
    after = before.add(record_of(2, 0.9), rules)
    assert len(before.epochs) == 2 and before.best_epoch == 1
    assert after.epochs[:2] == before.epochs and after.files == before.files


def test_it_is_read_as_it_was_written(rules, tmp_path):
    history = history_of([0.1, 1 / 3], rules)
    write_history(tmp_path / "a.json", history)
    assert read_history(tmp_path / "a.json") == history
    write_history(tmp_path / "b.json", read_history(tmp_path / "a.json"))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_its_entries_have_their_order(rules):
    facts = history_of([0.1, 0.3], rules).as_facts()
    names = ["model", "parameters", "stopped", "best_epoch", "best_score", "files", "epochs"]
    assert list(facts) == names
    first, second = facts["epochs"]
    assert list(first) == ["epoch", "validation", "score"]
    assert list(second) == ["epoch", "training", "validation", "score"]
    assert list(second["validation"]["hide_50"]) == ["loss", "0-0.5", "all"]


def test_a_damaged_history_is_refused(rules, tmp_path):
    path = tmp_path / "history.json"
    write_history(path, history_of([0.1], rules))
    path.write_text(path.read_text().replace("0.1", "0.2"))
    with pytest.raises(InputError, match=r"history\.json: damaged"):
        read_history(path)


def test_figures_are_rows(rules, tmp_path):
    history = history_of([0.1, 0.3], rules)
    rows = list(list_epochs(history))
    assert [row["epoch"] for row in rows] == [0] * 4 + [1] * 6
    assert [row["metric"] for row in rows[4:]] == ["loss", "steps", "loss", "r2", "f1", "r2"]
    write_metrics(tmp_path / "m.tsv", history, 1, {"seconds": 2.0})
    table = read_table(tmp_path / "m.tsv", mask=str, group=str)
    assert table["metric"].tolist() == [row["metric"] for row in rows[4:]] + ["seconds"]
    assert table["best"].all() and set(table["model"]) == {"m"}
    # Where training had stopped before, an epoch has no figures.
    write_metrics(tmp_path / "n.tsv", history, 2)
    empty = read_table(tmp_path / "n.tsv")
    assert not len(empty) and empty.columns.tolist() == table.columns.tolist()
