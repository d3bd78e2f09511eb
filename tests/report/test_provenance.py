"""The report finds what jobs warned of by the tables beside their logs."""

import pandas as pd

from haplorag.io.tables import write_table
from haplorag.report.provenance import list_warnings


def warn(path, *messages):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, pd.DataFrame({"module": "reader", "message": messages}))


def test_warnings_are_listed_by_job_each_once(tmp_path):
    warn(tmp_path / "neighbours/test/1.log.warnings.tsv", "few", "none", "few")
    warn(tmp_path / "genotypes/X.log.warnings.tsv", "404")
    (tmp_path / "genotypes/2.log").write_text("09:00:00 genotypes: warning: only in the log\n")
    assert list_warnings(tmp_path) == {"genotypes/X": ["404"], "neighbours/test/1": ["few", "none"]}


def test_a_run_without_warnings_has_none(tmp_path):
    assert list_warnings(tmp_path) == {}
