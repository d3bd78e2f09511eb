"""The console says what runs, how far it is, what a job said, and where a failed one's log lies."""

import io
import time

import pytest

from haplorag.pipeline.console import Console, describe_seconds, read_last_lines


@pytest.fixture
def console():
    shown = Console(io.StringIO())
    yield shown
    shown.close()


def text_of(console: Console) -> str:
    return console.stream.getvalue()


def run(console, number, rule, log, **wildcards):
    console.start(number, rule, wildcards, [str(log)])
    console.finish(number)


def test_it_says_what_will_run(console):
    console.announce({"demo": 1, "masks": 12, "all": 1, "total": 14})
    assert text_of(console).startswith("13 jobs: demo, masks 12\n")


def test_a_stage_has_a_line_when_it_is_done(console, tmp_path):
    log = tmp_path / "1.log"
    cost = "09:00:02 cli: took 1.5 CPU seconds, 100 MB at the most\n"
    log.write_text(f"09:00:01 windows: 7 windows\n{cost}")
    console.announce({"windows": 2})
    before = text_of(console)
    run(console, 1, "windows", log, chromosome="1")
    assert text_of(console) == before
    run(console, 2, "windows", log, chromosome="2")
    assert "100 %  windows 2 of 2: 7 windows\nDone in 1 s.\n" in text_of(console)


def test_every_epoch_has_a_line_with_what_came_out(console, tmp_path):
    log = tmp_path / "001.log"
    log.write_text("09:00:01 job: epoch 001: training loss 0.5, validation loss 0.4, r2 0.9\n")
    console.announce({"training": 2})
    run(console, 1, "training", log, model="copying", epoch="001")
    line = text_of(console).splitlines()[-1]
    assert line.startswith(" 50 %") and "left  training copying 001 1 of 2" in line
    assert line.endswith("validation loss 0.4, r2 0.9")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_the_line_of_progress_never_wraps(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setattr("haplorag.pipeline.console.SHOWN_EVERY", 0.01)
    log = tmp_path / "1.log"
    log.write_text(f"09:00:01 baselines: {'people, ' * 30}\n")
    console = Console(Terminal())
    console.announce({"baselines": 2})
    console.start(1, "baselines", {"chromosome": "1"}, [str(log)])
    deadline = time.monotonic() + 20
    while "[...." not in text_of(console) and time.monotonic() < deadline:
        time.sleep(0.01)
    console.close()
    shown = [line for line in text_of(console).split("\r\x1b[K") if line.startswith("[")]
    assert shown and all(len(line) == 49 for line in shown)


def test_a_failed_job_shows_its_error_and_its_log(console, tmp_path):
    log = tmp_path / "1.log"
    log.write_text("09:00:01 samples: error: ref.vcf:12: has two alleles; fix it\n")
    console.fail("samples", [str(log)])
    assert "failed: samples" in text_of(console)
    assert "ref.vcf:12: has two alleles; fix it" in text_of(console)
    assert f"all of it: {log}" in text_of(console)


def test_a_log_that_is_not_there_says_nothing(tmp_path):
    assert read_last_lines(tmp_path / "none.log", 3) == []


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "1 s"), (70, "70 s"), (600, "10 min"), (7200, "2.0 h")]
)
def test_times_are_said_as_people_say_them(seconds, said):
    assert describe_seconds(seconds) == said
