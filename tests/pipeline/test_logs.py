"""What a job warns of is a table, and nothing else is."""

import io
import logging
import sys
from pathlib import Path

import pytest

from haplorag.errors import InputError
from haplorag.io.tables import read_table
from haplorag.pipeline.cli import run_step
from haplorag.pipeline.logs import collecting_warnings, show_progress

log = logging.getLogger("haplorag.somewhere")


def test_warnings_of_haplorag_are_a_table(tmp_path):
    with collecting_warnings(tmp_path / "w.tsv"):
        log.warning("x.vcf: star=%d", 1)
        log.info("done")
        log.error("broken")
        logging.getLogger("elsewhere").warning("not ours")
        log.warning("two\tcolumns\nand lines")
    table = read_table(tmp_path / "w.tsv")
    assert table["message"].tolist() == ["x.vcf: star=1", "two\tcolumns\nand lines"]
    assert set(table["module"]) == {"test_logs"}


def test_a_job_without_warnings_removes_an_earlier_table(tmp_path):
    with collecting_warnings(tmp_path / "w.tsv"):
        log.warning("once")
    assert (tmp_path / "w.tsv").exists()
    with collecting_warnings(tmp_path / "w.tsv"):
        log.info("all is well")
    assert not list(tmp_path.iterdir())


def test_a_job_that_fails_leaves_no_table(tmp_path):
    with pytest.raises(InputError), collecting_warnings(tmp_path / "w.tsv"):
        log.warning("careful")
        raise InputError("a.vcf: cut")
    assert not list(tmp_path.iterdir())


def test_only_the_first_process_of_a_job_writes(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with collecting_warnings(tmp_path / "w.tsv"):
        log.warning("said by all")
    assert not list(tmp_path.iterdir())


def test_every_step_has_the_flag(tmp_path):
    def step(target: Path):
        """Make something."""
        log.warning("%s: odd", target)

    run_step(step, ["a", "--warnings", str(tmp_path / "w.tsv")])
    assert read_table(tmp_path / "w.tsv")["message"].tolist() == ["a: odd"]


def test_progress_counts_items_by_their_size(monkeypatch, caplog):
    monkeypatch.setattr("haplorag.pipeline.logs.SECONDS_PER_LINE", 0)
    with caplog.at_level("INFO", "haplorag"):
        assert list(show_progress(["ab", "c"], "letters", 3, len)) == ["ab", "c"]
    assert [entry.getMessage()[:15] for entry in caplog.records] == [
        "letters: 2 of 3",
        "letters: 3 of 3",
    ]
    assert all("/s, " in entry.getMessage() for entry in caplog.records)


def test_progress_shows_rate_and_time_left_on_a_terminal(monkeypatch):
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", shown)
    assert list(show_progress(["ab", "c"], "letters", 3, len)) == ["ab", "c"]
    last = shown.getvalue().rstrip().rpartition("\r")[2]
    assert "letters: 100%" in last and "3/3" in last and "/s" in last
