"""A configuration from elsewhere is data: nothing in it runs, hangs or ends in a traceback."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from haplorag.configuration import lay_over, parse_yaml, read_settings, read_yaml
from haplorag.errors import InputError
from haplorag.io.text import read_text
from haplorag.panel.samples import read_panel_file, read_roles
from haplorag.pipeline.cli import run_step
from haplorag.qc.preflight import find_problems
from haplorag.steps.preflight import preflight
from support import ROOT, read_config

DEFAULTS = ROOT / "config/config.yaml"
PROGRAM = "__use_yte__: true\n__definitions__:\n  - import os\n  - os.system('touch {place}')\n"


def bomb(key: str) -> str:
    """Nine lists of nine aliases each: 9 ** 9 values in a line."""
    text = "[" + ",".join("a" * 9) + "]"
    for level in range(8):
        text = f"[&b{level} {text}" + f",*b{level}" * 8 + "]"
    return f"{key}: {text}\n"


MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{level}: &a{level}\n  <<: [{','.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 9)
)
HOSTILE = {
    "aliases": (bomb("seed"), "line 1 stands for more than 100000 values"),
    "merges": (MERGES, "stands for more than 100000 values"),
    "an alias within itself": ("models: &a [*a]\n", "line 1 is an alias within itself"),
    "a key twice": ("seed: 1\nseed: 2\n", "line 2 gives the key seed again, after line 1"),
    "a key twice, deeper": ("panel: {vcf: a, vcf: b}", "gives the key vcf again"),
    "a program": (PROGRAM, "__use_yte__: makes the file a program"),
    "a number of 5,000 digits": (f"seed: {'9' * 5000}", "not readable as YAML"),
    "a number of 5,000 hexadecimal digits": (f"seed: 0x{'f' * 5000}", "a number of 20000 bits"),
    "NUL in a path": ('results: "a\\0b"', "results: holds control characters"),
    "half a character": ('panel: {vcf: "\\ud800"}', "panel.vcf: holds control characters"),
    "NUL in a key": ('"a\\0": 1', "holds control characters"),
    "NUL in the file": ("seed: 1\0", "line 1 holds zero bytes"),
    "infinity": (
        "training: {learning_rate: .inf}",
        "training.learning_rate: input should be a fin",
    ),
    "a long value": (f"seed: {'a' * 5000}", "aaa..."),
    "deep": ("[" * 3000, "not readable as YAML"),
    "an object": ("seed: !!python/object/apply:os.system ['true']", "not readable as YAML"),
    "no date": ("seed: 2020-13-45", "not readable as YAML"),
    "a model twice": ("models: [copying, copying]", "models: a name stands twice"),
    "a list": ("- 1", "holds no keys"),
    "nothing": ("", "holds no keys"),
    "markup in a path": ("data: 'a<b>c'", "<b> in a path is not taken literally"),
    "a wildcard in a path": ("panel: {vcf: '{x}.vcf'}", "{x} in a path is not taken literally"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_or_broken_configurations_are_one_line_each(name, tmp_path):
    text, message = HOSTILE[name]
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        preflight([DEFAULTS, path])
    assert message in str(caught.value)
    assert all(len(line) < 600 for line in str(caught.value).splitlines())


def test_a_configuration_runs_no_code(tmp_path):
    """Neither where it is checked nor where haplorag reads it as an overlay."""
    place = tmp_path / "made"
    path = tmp_path / "c.yaml"
    path.write_text(PROGRAM.format(place=place))
    with pytest.raises(SystemExit) as caught:
        run_step(preflight, [str(DEFAULTS), str(path)])
    assert caught.value.code == 2
    command = ["snakemake", "-n", "--cores", "1", "--config", f"overlay={path}"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert "__use_yte__: makes the file a program" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not place.exists()


@pytest.mark.parametrize("form", [["--configfile", "{}"], ["--configfile={}"]])
def test_the_command_run_checks_a_configuration_before_snakemake_reads_it(form, tmp_path):
    place, path = tmp_path / "made", tmp_path / "c.yaml"
    path.write_text(PROGRAM.format(place=place))
    words = ["run", "-n", *(word.format(path) for word in form), "--cores", "1"]
    done = subprocess.run(
        [sys.executable, "-c", "from haplorag.commands.main import app; app()", *words],
        capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
    )  # fmt: skip
    assert done.returncode == 2 and "makes the file a program" in done.stderr
    assert not place.exists()


def test_an_overlay_lies_between_the_defaults_and_what_is_given(tmp_path):
    (tmp_path / "a.yaml").write_text("seed: 1\ntraining: {epochs: 2, patience: 9}\n")
    (tmp_path / "b.yaml").write_text("training: {epochs: 3}\n")
    complete = read_config()
    overlay = [str(tmp_path / name) for name in ("a.yaml", "b.yaml")]
    lay_over(complete, {"overlay": overlay, "seed": 5})
    settings = read_settings(complete)
    assert (settings.seed, settings.training.epochs, settings.training.patience) == (5, 3, 9)


def test_what_snakemake_reads_is_held_to_the_same(tmp_path):
    """A key given twice, of which Snakemake takes the last without a word."""
    (tmp_path / "c.yaml").write_text("seed: 1\nseed: 2\n")
    command = ["snakemake", "-n", "--cores", "1", "--configfile", str(tmp_path / "c.yaml")]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert "line 2 gives the key seed again" in done.stdout + done.stderr


def test_aliases_and_merges_are_read_where_they_are_few():
    text = "a: &a {x: 1, y: [1, 2]}\nb: {<<: *a, x: 2}\nc: *a\n"
    assert parse_yaml(text, "c") == yaml.safe_load(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=20,
    )
)
def test_what_is_sound_is_read_as_yaml_reads_it(value):
    text = yaml.safe_dump(value, allow_unicode=True)
    assert parse_yaml(text, "c") == yaml.safe_load(text)


@pytest.mark.timeout(20)
def test_a_pipe_or_a_device_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(InputError, match=r"is a (pipe or a device|folder), not a file"):
            read_text(path, "fix it")
        with pytest.raises(InputError, match=r"is a (pipe or a device|folder), not a file"):
            read_yaml(path)


def test_settings_from_a_file_that_is_not_there_are_refused(tmp_path):
    command = [sys.executable, "-m", "haplorag.steps.samples", "a", "b", "c", "--seed", "1"]
    done = subprocess.run(
        [*command, "--settings", f"@{tmp_path}/none"], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and "No such file" in done.stderr


def mutate(text: str, generator: random.Random) -> str:
    """A text with some of its lines doubled, dropped, cut, or their values replaced."""
    lines = text.splitlines()
    values = (
        "null",
        "[]",
        "{}",
        "-1",
        ".nan",
        "1e999",
        "''",
        '"\\0"',
        "*a",
        "&a [1]",
        "!!set {a}",
        "9" * 30,
    )
    for _ in range(generator.randint(1, 6)):
        row = generator.randrange(len(lines))
        key, _, _ = lines[row].partition(":")
        change = generator.choice(("double", "drop", "cut", "value", "indent", "byte"))
        if change == "double":
            lines.insert(row, lines[row])
        elif change == "drop" and len(lines) > 1:
            del lines[row]
        elif change == "cut":
            lines[row] = lines[row][: generator.randrange(len(lines[row]) + 1)]
        elif change == "value":
            lines[row] = f"{key}: {generator.choice(values)}"
        elif change == "indent":
            lines[row] = " " * generator.randrange(6) + lines[row].lstrip()
        else:
            place = generator.randrange(len(lines[row]) + 1)
            lines[row] = (
                lines[row][:place] + chr(generator.randrange(1, 0x300)) + lines[row][place:]
            )
    return "\n".join(lines)


@pytest.mark.parametrize("cases", [100, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mutants_of_the_configuration_are_read_or_refused(cases, tmp_path):
    text = DEFAULTS.read_text()
    path = tmp_path / "c.yaml"
    refused = 0
    for seed in range(cases):
        path.write_text(mutate(text, random.Random(seed)))
        try:
            read_settings(read_yaml(path))
        except InputError:
            refused += 1
    assert cases // 2 < refused < cases


@pytest.mark.timeout(20)
def test_a_pipe_or_a_device_as_an_input_is_told_before_any_work(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", "/dev/zero"):
        config = read_config()
        config["panel"] = {"vcf": str(place), "people": str(place), "map": str(place)}
        config["samples"]["roles"] = str(place)
        problems = find_problems(read_settings(config))
        assert len(problems) >= 4
        assert all("a pipe or a device, not a file" in problem for problem in problems)


def test_a_target_that_is_not_there_yet_lets_the_panel_be_prepared(caplog):
    config = read_config()
    config["target"] = "to/come.vcf.gz"
    assert not find_problems(read_settings(config))
    assert "to/come.vcf.gz: no such file yet; the panel is prepared" in caplog.text


def test_a_target_in_the_place_of_its_output_is_told_before_any_work(tmp_path):
    config = read_config() | {"results": str(tmp_path)}
    (tmp_path / "imputation").mkdir()
    (tmp_path / "imputation/study.vcf.gz").touch()
    config["imputation"]["targets"] = {"study": "{results}/imputation/study.vcf.gz"}
    [problem] = find_problems(read_settings(config))
    assert "is where its own imputed genotypes would be written" in problem


def test_a_role_file_with_swapped_columns_names_nobody(tmp_path):
    (tmp_path / "roles").write_text("role sample\nalice reference\n")
    with pytest.raises(InputError, match=r"line 2 has no known role .* swapped") as caught:
        read_roles(tmp_path / "roles")
    assert "alice" not in str(caught.value)


def test_odd_characters_in_a_name_end_no_line(tmp_path):
    (tmp_path / "panel").write_text("sample\tpop\tsuper_pop\na\x85b\u2028c\vd\tA\tB\r\ne\tA\tB\r\n")
    assert read_panel_file(tmp_path / "panel")["sample"].tolist() == ["a\x85b\u2028c\vd", "e"]
