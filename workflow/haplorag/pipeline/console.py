"""Shows a run on a terminal: what there is to do, a line a stage, how far it is, what failed."""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

# CPU seconds of a job of the demo, by rule; others take one. They weigh stages against each other,
# and the time that jobs have taken says how much longer or shorter this run's are.
DEMO_SECONDS = {
    "demo": 2, "rates": 3, "untrained": 18, "training": 24, "predictions": 11, "baselines": 5,
    "evaluation": 10, "report": 2, "imputation": 8, "peers": 9,
}  # fmt: skip
# Rules that stand for files which were asked for, and do nothing.
TARGETS = {"all", "phase", "impute", "compare"}
# Stages of which every job is worth a line.
EVERY_JOB = {"untrained", "training"}
# Seconds between two looks at the running jobs, on a terminal and elsewhere.
SHOWN_EVERY, SAID_EVERY = 0.5, 60.0
LAST_LINES = 8
LOG_HEAD = re.compile(r"^\d\d:\d\d:\d\d \w+: ")
# How a job ends its log, after what it has to say.
COST = re.compile(r"took [\d.]+ CPU seconds")
WIDTH = 24


@dataclass(frozen=True)
class Job:
    """A job: its rule, what tells it from others of the rule, and its logs."""

    rule: str
    name: str
    logs: list[str]

    @property
    def said(self) -> str:
        """The last thing that the job said but for its cost, without the time and the module."""
        lines = [line for path in self.logs for line in read_last_lines(Path(path), 2)]
        said = [LOG_HEAD.sub("", line) for line in lines]
        return next((line for line in reversed(said) if not COST.match(line)), "")


@dataclass
class Console:
    """What is shown of a run. Safe to call from several threads."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    dry_run: bool = False
    _running: dict[int, Job] = field(default_factory=dict)
    _wanted: dict[str, int] = field(default_factory=dict)
    _done: dict[str, int] = field(default_factory=dict)
    _begun: float = 0.0
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _over: threading.Event = field(default_factory=threading.Event)

    def announce(self, stats: dict[str, int]) -> None:
        """Say what will run, given how many jobs each rule has, and begin to watch it."""
        counts = {rule: jobs for rule, jobs in stats.items() if rule not in (*TARGETS, "total")}
        if self._wanted:
            return
        self._wanted = counts
        self._begun = time.monotonic()
        stages = ", ".join(f"{rule} {jobs}" if jobs > 1 else rule for rule, jobs in counts.items())
        self.say(f"{sum(counts.values())} jobs: {stages}")
        if self.dry_run:
            return
        minutes = max(1, round(weigh(counts) / 60))
        self.say(
            f"With a panel of the demo's size they take about {minutes} min of CPU time. "
            "The time left is shown once some are done."
        )
        threading.Thread(target=self._watch, daemon=True).start()

    def start(self, number: int, rule: str, wildcards: dict[str, str], logs: list[str]) -> None:
        """A job starts."""
        with self._lock:
            self._running[number] = Job(rule, " ".join(wildcards.values()), logs)

    def finish(self, number: int) -> None:
        """A job is done: a line where the stage is, or where every job is worth one."""
        with self._lock:
            job = self._running.pop(number, None)
            if job is None or job.rule in TARGETS:
                return
            done = self._done[job.rule] = self._done.get(job.rule, 0) + 1
            wanted = self._wanted.get(job.rule, done)
            if done >= wanted or job.rule in EVERY_JOB:
                jobs = f"{done} of {wanted}" if wanted > 1 else ""
                what = f" {job.name}" if job.rule in EVERY_JOB else ""
                line = f"{self._describe_progress()}  {job.rule}{what} {jobs}".rstrip()
                self.say(f"{line}: {job.said or 'done'}")
            if weigh(self._done) == weigh(self._wanted):
                self.say(f"Done in {describe_seconds(time.monotonic() - self._begun)}.")

    def fail(self, rule: str, logs: list[str]) -> None:
        """A job has failed: its own last words, and where all of them are."""
        with self._lock:
            self.say(f"failed: {rule}")
            for path in logs:
                for line in read_last_lines(Path(path), LAST_LINES):
                    self.say(f"    {line}")
                self.say(f"    all of it: {path}")

    def say(self, line: str) -> None:
        """Write a line above the line of progress."""
        with self._lock:
            clear = "\r\x1b[K" if self.stream.isatty() else ""
            print(f"{clear}{line}", file=self.stream, flush=True)

    def close(self) -> None:
        """Stop watching."""
        self._over.set()
        if self.stream.isatty():
            print("\r\x1b[K", end="", file=self.stream, flush=True)

    def _describe_progress(self) -> str:
        """Share of the work that is done, and the time left."""
        total = weigh(self._wanted)
        done = weigh(self._done)
        share = done / total if total else 1.0
        taken = time.monotonic() - self._begun
        left = taken * (1 - share) / share if share > 0.02 else None
        told = "" if left is None or share == 1 else f", {describe_seconds(left)} left"
        return f"{100 * share:3.0f} %{told}"

    def _watch(self) -> None:
        """Show the running jobs, again and again."""
        is_terminal = self.stream.isatty()
        while not self._over.wait(SHOWN_EVERY if is_terminal else SAID_EVERY):
            with self._lock:
                jobs = [
                    f"{job.rule} {job.name}".strip() + f": {job.said or 'running'}"
                    for job in self._running.values()
                ]
                if not jobs:
                    continue
                now = f"{self._describe_progress()}  {jobs[0]}"
                if is_terminal:
                    # A line that wraps is not taken away whole.
                    line = f"{self._draw_bar()} {now}"[: shutil.get_terminal_size().columns - 1]
                    print(f"\r\x1b[K{line}", end="", file=self.stream)
                    self.stream.flush()
                else:
                    self.say(now)

    def _draw_bar(self) -> str:
        total = weigh(self._wanted) or 1
        full = round(WIDTH * weigh(self._done) / total)
        return "[" + "#" * full + "." * (WIDTH - full) + "]"


def weigh(jobs: dict[str, int]) -> float:
    """The work in numbers of jobs by rule, in seconds of the demo."""
    return float(sum(DEMO_SECONDS.get(rule, 1) * number for rule, number in jobs.items()))


def describe_seconds(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def read_last_lines(path: Path, number: int) -> list[str]:
    """The last lines of a log, without empty ones; none where it is not there yet."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4000))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-number:]
