"""What a method costs is counted of the jobs that it needs for test people, and of no others."""

import pandas as pd

from haplorag.report.costs import list_costs


def test_jobs_for_the_imputer_of_everybody_are_not_counted():
    jobs = [("frequencies", "1", 2.0, 50.0), ("frequencies", "everyone/1", 3.0, 90.0)]
    jobs += [("neighbours", "test/array/1", 4.0, 60.0), ("neighbours", "001/1", 5.0, 70.0)]
    measured = pd.DataFrame(jobs, columns=["rule", "job", "seconds", "megabytes"])
    costs = list_costs(measured).set_index("method")
    assert costs.loc["allele_frequency", ["seconds", "megabytes"]].tolist() == [2, 50]
    assert costs.loc["neighbour_vote", ["seconds", "megabytes"]].tolist() == [4, 60]


def test_what_a_tool_makes_of_the_panel_counts_once_and_only_for_that_tool():
    jobs = [("compression", "theirs/1", 3.0, 50.0), ("peers", "theirs/array/1", 4.0, 60.0)]
    jobs += [("peers", "theirs/half/1", 5.0, 70.0), ("peers", "other/half/1", 1.0, 10.0)]
    measured = pd.DataFrame(jobs, columns=["rule", "job", "seconds", "megabytes"])
    costs = list_costs(measured).set_index("method")
    assert costs.loc["theirs", ["seconds", "megabytes"]].tolist() == [12, 70]
    assert costs.loc["other", ["seconds", "megabytes"]].tolist() == [1, 10]
