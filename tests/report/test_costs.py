"""What a method costs is counted of the jobs that it needs for test people, and of no others; what
a job says at its end is told, and nothing else.
"""

import logging

import numpy as np
import pandas as pd
import pytest

from haplorag.pipeline.cli import run_step
from haplorag.report.costs import COLUMNS, list_costs, list_rules, read_costs


def measure(*jobs):
    """Jobs that took as many seconds of CPU as by the clock."""
    rows = [(rule, job, seconds, seconds, size) for rule, job, seconds, size in jobs]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_jobs_for_the_imputer_of_everybody_are_not_counted():
    jobs = [("frequencies", "1", 2.0, 50.0), ("frequencies", "everyone/1", 3.0, 90.0)]
    jobs += [("neighbours", "test/array/1", 4.0, 60.0), ("neighbours", "001/1", 5.0, 70.0)]
    costs = list_costs(measure(*jobs)).set_index("method")
    assert costs.loc["allele_frequency", ["seconds", "megabytes"]].tolist() == [2, 50]
    assert costs.loc["neighbour_vote", ["seconds", "megabytes"]].tolist() == [4, 60]


def test_what_a_tool_makes_of_the_panel_counts_once_and_only_for_that_tool():
    jobs = [("compression", "theirs/1", 3.0, 50.0), ("peers", "theirs/array/1", 4.0, 60.0)]
    jobs += [("peers", "theirs/half/1", 5.0, 70.0), ("peers", "other/half/1", 1.0, 10.0)]
    costs = list_costs(measure(*jobs)).set_index("method")
    assert costs.loc["theirs", ["seconds", "megabytes"]].tolist() == [12, 70]
    assert costs.loc["other", ["seconds", "megabytes"]].tolist() == [1, 10]


@pytest.fixture
def folders(tmp_path):
    """A folder of Snakemake's benchmarks, of two jobs of a rule, and one of logs."""
    times, logs = tmp_path / "times", tmp_path / "logs"
    for folder in (times / "rates/test/half", logs / "rates/test/half"):
        folder.mkdir(parents=True)
    for name in ("a", "b.c"):
        path = times / f"rates/test/half/{name}.tsv"
        path.write_text("s\th:m:s\tmax_rss\tcpu_time\n2.5\t0:00:02\t-\t1\n")
    return times, logs


def test_what_a_step_says_at_its_end_is_read(folders, capsys):
    def step():
        """Do nothing."""

    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers.clear()
    try:
        run_step(step, [])
        logging.getLogger("haplorag").handlers.clear()
    finally:
        root.handlers[:] = before
    said = capsys.readouterr().err
    for name in ("a", "b.c"):
        (folders[1] / f"rates/test/half/{name}.log").write_text(f"before\n{said}")
    found = read_costs(*folders)
    assert found["job"].tolist() == ["test/half/a", "test/half/b.c"]
    assert (found["seconds"] == 2.5).all() and (found["cpu_seconds"] > 0).all()
    assert found["megabytes"].between(50, 20_000).all()
    (row,) = list_rules(found).itertuples()
    assert row[0] == "rates" and row.jobs == 2 and row.seconds == 5
    assert row.cpu_seconds == found["cpu_seconds"].sum()


@pytest.mark.parametrize(
    "text", [None, "", "09:00:00 cli: took 3.0 CPU seconds, 40 MB at the most\nKilled\n"]
)
def test_what_a_job_did_not_say_is_not_made_up(folders, text):
    (folders[1] / "rates/test/half/a.log").write_text(
        "09:00:00 cli: took 3.0 CPU seconds, 40 MB at the most\n"
    )
    if text is not None:
        (folders[1] / "rates/test/half/b.c.log").write_text(text)
    found = read_costs(*folders)
    assert found["cpu_seconds"].tolist()[0] == 3 and found["megabytes"].tolist()[0] == 40
    assert np.isnan(found["cpu_seconds"].iloc[1]) and np.isnan(found["megabytes"].iloc[1])
    row = list_rules(found).loc["rates"]
    assert row["seconds"] == 5 and np.isnan(row["cpu_seconds"]) and np.isnan(row["megabytes"])
