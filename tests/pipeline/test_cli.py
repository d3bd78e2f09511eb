"""A step function's signature is its command line."""

import errno
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from haplorag.errors import InputError
from haplorag.io.atomic import replacing
from haplorag.pipeline.cli import count_threads, run_step
from haplorag.pipeline.failures import explain_failure
from haplorag.settings import SampleSettings


@dataclass(frozen=True)
class PanelPaths:
    """Files that belong together."""

    stores: list[Path]
    sample_table: Path


@dataclass(frozen=True)
class TablePaths:
    """Two files."""

    left: Path
    right: Path


def call(step, *arguments):
    run_step(step, [str(argument) for argument in arguments])


def test_paths_are_positional_and_the_rest_are_flags(tmp_path):
    seen = {}

    def step(
        source: Path,
        target: Path,
        *,
        settings: SampleSettings,
        tables: list[Path],
        seed: int,
        note: str | None = None,
    ):
        """Make something.

        More about it.
        """
        seen.update(locals())

    section = '{"validation": 0.1, "test": 0.2, "most": 100, "roles": null}'
    call(step, "a", "b", "--settings", section, "--tables", "c", "d", "--seed", "3")
    assert seen["source"] == Path("a")
    assert seen["settings"] == SampleSettings(validation=0.1, test=0.2, most=100, roles=None)
    assert seen["tables"] == [Path("c"), Path("d")]
    assert seen["seed"] == 3
    assert seen["note"] is None


def test_a_section_may_be_given_in_parts_of_which_the_later_win():
    seen = {}

    def step(*, settings: SampleSettings):
        """Make something."""
        seen.update(locals())

    parts = '{"validation": 0.1, "test": 0.2}', '{"test": 0.3, "most": 100, "roles": null}'
    call(step, "--settings", *parts)
    assert seen["settings"] == SampleSettings(validation=0.1, test=0.3, most=100, roles=None)


@pytest.mark.parametrize("text", ["[]", "{", '{"validation": 2}', '{"a": 1}', "[" * 5000])
def test_a_section_that_is_none_is_refused(text, capsys, caplog):
    def step(*, settings: SampleSettings):
        """Make something."""

    with pytest.raises(SystemExit) as caught:
        call(step, "--settings", text)
    assert caught.value.code == 2
    assert "--settings" in capsys.readouterr().err + caplog.text


def test_a_dataclass_of_paths_is_a_flag_for_each_of_its_fields():
    seen = {}

    def step(target: Path, *, panel: PanelPaths, seed: int):
        """Make something."""
        seen.update(locals())

    call(step, "t", "--panel-stores", "a", "b", "--panel-sample-table", "c", "--seed", "3")
    assert seen["panel"] == PanelPaths(stores=[Path("a"), Path("b")], sample_table=Path("c"))
    assert seen["target"] == Path("t")
    assert seen["seed"] == 3


def test_a_dataclass_of_paths_in_order_is_an_argument_for_each_of_its_fields():
    seen = {}

    def step(panel: PanelPaths, target: Path):
        """Make something."""
        seen.update(locals())

    call(step, "a", "b", "c", "d")
    assert seen["panel"] == PanelPaths(stores=[Path("a"), Path("b")], sample_table=Path("c"))
    assert seen["target"] == Path("d")


def test_two_dataclasses_of_one_type_are_told_apart():
    seen = {}

    def step(first: TablePaths, second: TablePaths, *, third: TablePaths, fourth: TablePaths):
        """Make something."""
        seen.update(locals())

    flags = "--fourth-left", "g", "--fourth-right", "h", "--third-left", "e", "--third-right", "f"
    call(step, "a", "b", "c", "d", *flags)
    made = [(str(seen[name].left), str(seen[name].right)) for name in ("first", "second")]
    assert made == [("a", "b"), ("c", "d")]
    made = [(str(seen[name].left), str(seen[name].right)) for name in ("third", "fourth")]
    assert made == [("e", "f"), ("g", "h")]


def test_a_field_of_a_dataclass_that_is_missing_is_an_error_of_usage(capsys):
    def step(*, panel: PanelPaths):
        """Make something."""

    with pytest.raises(SystemExit):
        call(step, "--panel-stores", "a")
    assert "--panel-sample-table" in capsys.readouterr().err


def test_a_bad_input_is_one_line_and_status_two(caplog):
    def step():
        raise InputError("panel.vcf: record 7 is cut; download it again")

    with pytest.raises(SystemExit) as caught:
        call(step)
    assert caught.value.code == 2
    assert "record 7 is cut" in caplog.text


def test_a_missing_flag_is_an_error_of_usage(capsys):
    def step(*, seed: int):
        """Make something."""

    with pytest.raises(SystemExit):
        call(step)
    assert "--seed" in capsys.readouterr().err


def test_threads_never_exceed_the_machine():
    assert 1 <= count_threads(10_000) < 10_000


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, "full", "out/a.h5"),
            "out/a.h5: No space left on device; free some space, then run the same",
        ),
        (
            OSError(errno.EROFS, "read-only", "out"),
            "out: Read-only file system; name a folder that can be written (`results`, or -o)",
        ),
        (
            OSError(errno.EDQUOT, "quota", "out/a.h5"),
            "out/a.h5: Disk quota exceeded; free some of your quota",
        ),
        (
            MemoryError("Unable to allocate 9 TiB"),
            "training: out of memory (Unable to allocate 9 TiB); lower training.batch",
        ),
        (
            torch.OutOfMemoryError("CUDA out of memory.\nTried"),
            "training: out of memory (CUDA out of memory. Tried)",
        ),
        (RuntimeError("can't start new thread"), "training: out of memory"),
        (
            torch.AcceleratorError("CUDA error: device lost"),
            "training: the GPU failed (CUDA error: device lost); run the same",
        ),
    ],
)
def test_what_the_machine_lacks_is_one_line_and_status_three(caplog, error, message):
    def training():
        raise error

    with pytest.raises(SystemExit) as caught:
        call(training)
    assert caught.value.code == 3
    [record] = caplog.records
    assert record.getMessage().startswith(message)
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    ("free", "advice"),
    [(2**20, "free some space, then"), (2**40, "see to what it says, or to a limit of quota")],
)
def test_advice_where_a_library_could_not_write_goes_by_the_disk(free, advice, monkeypatch):
    monkeypatch.setattr(
        "haplorag.pipeline.failures.shutil.disk_usage", lambda _: SimpleNamespace(free=free)
    )
    error = OSError("building of index failed")
    error.filename = "out/a.vcf.gz"
    assert advice in str(explain_failure(error, "imputation"))


def test_a_fault_of_the_program_is_shown_whole():
    def step():
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        call(step)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_step_leaves_nothing_half_written(tmp_path, number, status):
    def step():
        with replacing(tmp_path / "a.tsv") as temporary:
            temporary.write_text("half")
            signal.raise_signal(number)

    # Whoever started the tests may have told them to ignore Ctrl-C.
    before = (
        signal.getsignal(signal.SIGTERM),
        signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        with pytest.raises(SystemExit) as caught:
            call(step)
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert caught.value.code == status
    assert not list(tmp_path.iterdir())


def test_threads_do_not_spin_while_they_wait():
    """Libraries look when they are loaded, so that it is said before any is."""
    look = "import haplorag, os, sys; print(os.environ['OMP_WAIT_POLICY'], {'faiss', 'torch'} & {*sys.modules})"
    given = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    said = subprocess.run([sys.executable, "-c", look], env=given, capture_output=True, text=True)
    assert said.stdout.split() == ["PASSIVE", "set()"]
