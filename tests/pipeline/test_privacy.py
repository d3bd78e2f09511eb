"""`private` switched on later, and what a failing job says on the console."""

import os
import subprocess
import sys

from haplorag.pipeline.privacy import make_private
from support import ROOT

STEP = """
import os
from haplorag.errors import InputError
from haplorag.pipeline.cli import run_step

def failing():
    \"\"\"Fail.\"\"\"
    raise {error}

run_step(failing, [])
"""


def test_private_switched_on_later_makes_old_files_private_and_says_so(tmp_path, caplog):
    folder = tmp_path / "results"
    (folder / "deep").mkdir(parents=True, mode=0o755)
    (folder / "deep/1.h5").write_text("old")
    outside = tmp_path / "outside"
    outside.write_text("mine")
    for path in (folder, folder / "deep"):
        path.chmod(0o755)
    for path in (folder / "deep/1.h5", outside):
        path.chmod(0o644)
    (folder / "link").symlink_to(outside)
    assert make_private(folder, tmp_path / "none") == 3
    assert "3 files and folders that others could read are yours alone" in caplog.text
    assert all(path.lstat().st_mode & 0o077 == 0 for path in (folder, folder / "deep/1.h5"))
    assert outside.stat().st_mode & 0o777 == 0o644
    caplog.clear()
    assert make_private(folder) == 0 and not caplog.text


def run_failing(error: str, tmp_path) -> tuple[str, str]:
    """What a job that fails says on the console of the run, and in its log."""
    log = tmp_path / "failing.log"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "HAPLORAG_CONSOLE": "3"}
    command = [sys.executable, "-c", STEP.format(error=error)]
    done = subprocess.run(
        ["bash", "-c", 'exec 3>&2; "$@" > failing.log 2>&1', "x", *command], cwd=tmp_path,
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode
    return done.stderr, log.read_text()


def test_a_failing_job_says_why_on_the_console_and_names_its_log(tmp_path):
    """A full disk, on which its log has no room; a refused input; a fault of the program."""
    for error, message in (
        ("OSError(28, 'full', 'out/a.h5')", "failing: out/a.h5: No space left on device; free"),
        ("InputError('record 7 is cut')", "failing: record 7 is cut"),
        ("RuntimeError('shapes differ')", "RuntimeError: shapes differ"),
    ):
        console, log = run_failing(error, tmp_path)
        assert message in console and f"its log: {tmp_path}/failing.log" in console
        assert message.removeprefix("failing: ") in log
