"""A step function's signature is its command line."""

from pathlib import Path

import pytest

from haplorag import command
from haplorag.errors import InputError
from haplorag.settings import Samples


def call(step, *arguments):
    command.run(step, [str(argument) for argument in arguments])


def test_paths_are_positional_and_the_rest_are_flags(tmp_path):
    seen = {}

    def step(source: Path, target: Path, *, settings: Samples, tables: list[Path], seed: int, note: str | None = None):
        """Make something.

        More about it.
        """
        seen.update(locals())

    section = '{"validation": 0.1, "test": 0.2, "roles": null}'
    call(step, "a", "b", "--settings", section, "--tables", "c", "d", "--seed", "3")
    assert seen["source"] == Path("a")
    assert seen["settings"] == Samples(validation=0.1, test=0.2, roles=None)
    assert seen["tables"] == [Path("c"), Path("d")]
    assert seen["seed"] == 3
    assert seen["note"] is None


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
    assert 1 <= command.count_threads(10_000) < 10_000
