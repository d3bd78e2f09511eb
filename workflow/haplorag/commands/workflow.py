"""`haplorag run`, `report`, `check` and `step`: the workflow and its parts."""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Context, Exit, Option
from typer.core import TyperCommand

from haplorag.commands.defaults import find_workflow, load_settings, merge_pairs
from haplorag.commands.flags import CORES, Config, Pairs, Verbose

# What a command passes on is not looked at.
PASSING = {"allow_extra_args": True, "ignore_unknown_options": True}
RUN_EXAMPLES = """Examples:

    haplorag run --cores 8 --configfile mine.yaml

    haplorag run --cores 8 --configfile mine.yaml --config target=study.vcf.gz -- impute
"""
REPORT_EXAMPLES = """Example:

    haplorag report --config mine.yaml --set data=/path/to/panel
"""
CHECK_EXAMPLES = """Example:

    haplorag check mine.yaml --set data=/path/to/panel
"""


class PassingCommand(TyperCommand):
    """A command that passes `--` on, too: Snakemake needs it after a flag of several values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read arguments, of which one `--` is taken away."""
        if "--" in args:
            at = args.index("--")
            args = [*args[:at], "--", *args[at:]]
        return super().parse_args(ctx, args)


def run(context: Context) -> None:
    """Run the workflow: every argument is Snakemake's.

    Without --cores all are used. `haplorag run -- --help` shows what Snakemake takes.
    """
    words = context.args[1:] if context.args[:1] == ["--"] else context.args
    if any(word.startswith("--configfile") for word in words):
        _check_configurations(words)
    raise Exit(_call_snakemake(words))


def _check_configurations(words: list[str]) -> None:
    """End the process where a file after --configfile is not a plain configuration.

    Snakemake would evaluate it as soon as it reads it.
    """
    from haplorag.configuration import read_yaml
    from haplorag.pipeline.cli import explaining_failures, prepare_process

    prepare_process()
    reading = False
    with explaining_failures("run"):
        for word in words:
            if word.startswith("-"):
                flag, _, value = word.partition("=")
                reading = flag in ("--configfile", "--configfiles")
                if not (reading and value):
                    continue
                word = value
            if reading:
                read_yaml(Path(word))


def report(
    cores: Annotated[int, Option(min=1, help="Jobs and processor cores at a time.")] = CORES,
    config: Config = [],
    pairs: Pairs = [],
) -> None:
    """Make the report: train, evaluate on the people held out, and show it on one page."""
    from haplorag.commands.session import summarising

    with summarising(verbose=False) as summary:
        settings = load_settings(config, pairs)
        given = merge_pairs(pairs)
        words = ["report", "--cores", str(cores), "--logger", "haplorag"]
        if config:
            words += ["--configfile", *map(str, config)]
        if given:
            words += ["--config", *(f"{key}={json.dumps(value)}" for key, value in given.items())]
        if status := _call_snakemake(words):
            sys.exit(status)
        summary.sentence = "Made the report"
        summary.outputs[Path(settings.results) / "report/report.html"] = "to open in a browser"


def check(
    config: Annotated[
        list[Path] | None,
        Argument(metavar="[CONFIG]...", help="YAML files laid over the configuration, in order."),
    ] = None,
    pairs: Pairs = [],
    verbose: Verbose = False,
) -> None:
    """Check a configuration and every file it names, and say all that is wrong at once."""
    from haplorag.commands.session import summarising

    with summarising(verbose) as summary:
        settings = load_settings(config or [], pairs)
        from haplorag.errors import InputError
        from haplorag.qc.preflight import find_problems

        if problems := find_problems(settings):
            raise InputError("\n".join(problems))
        named = ", ".join(settings.chromosomes)
        summary.sentence = f"Found nothing wrong; chromosomes: {named}"


def step(
    context: Context,
    name: Annotated[str, Argument(metavar="STEP", help="Its name.")] = "",
) -> None:
    """Run a single step of the workflow, as its rules do; without a name, list them."""
    steps = list_steps()
    # The help of a step is its own.
    if not name or name.startswith("-"):
        print("\n".join(f"{name:<12} {line}" for name, line in steps.items()))
        return
    if name not in steps:
        sys.stderr.write(f"no such step: {name}; use one of {', '.join(steps)}\n")
        raise Exit(2)
    from haplorag.pipeline.cli import run_step

    module = importlib.import_module(f"haplorag.steps.{name}")
    run_step(getattr(module, name), context.args)


def list_steps() -> dict[str, str]:
    """The first line of each step's docstring, by the step's name, without loading any."""
    folder = Path(__file__).resolve().parent.parent / "steps"
    sources = {path.stem: path.read_text() for path in sorted(folder.glob("[!_]*.py"))}
    docstrings = {name: ast.get_docstring(ast.parse(text)) for name, text in sources.items()}
    return {name: (text or "").partition("\n")[0] for name, text in docstrings.items()}


def _call_snakemake(arguments: list[str]) -> int:
    """Run Snakemake on the workflow that comes with this package; gives its exit status."""
    root = find_workflow()
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "workflow/Snakefile")]
    if not any(word.startswith("--workflow-profile") for word in arguments):
        words += ["--workflow-profile", str(root / "profiles/default")]
    if not any(word.startswith(("--cores", "-c", "--jobs", "-j")) for word in arguments):
        words += ["--cores", str(CORES)]
    # Jobs call `python`, which is to be this one.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return subprocess.run(
        [*words, *arguments], env={**os.environ, "PATH": path}, check=False
    ).returncode
