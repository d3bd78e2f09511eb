"""The command `haplorag`: runs a step, and lists the steps without loading what they import."""

from __future__ import annotations

import argparse
import ast
import importlib
from importlib.metadata import version
from pathlib import Path

STEPS = Path(__file__).resolve().parent.parent / "steps"


def main(arguments: list[str] | None = None) -> None:
    """Run the step that the command line names first, with the rest as its command line.

    Exits as the step does (see `run_step`), and with status 2 where there is no such step.
    """
    summaries = list_steps()
    parser = argparse.ArgumentParser(
        prog="haplorag",
        description="Runs one step of the pipeline; `haplorag STEP --help` says what it takes.",
        epilog="steps:\n" + "\n".join(f"  {name:<12} {line}" for name, line in summaries.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"haplorag {version('haplorag')}")
    parser.add_argument("step", choices=summaries, metavar="STEP", help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="its arguments")
    given = parser.parse_args(arguments)
    # Loaded only where a step runs: they take seconds.
    from haplorag.pipeline.cli import run_step

    module = importlib.import_module(f"haplorag.steps.{given.step}")
    run_step(getattr(module, given.step), given.arguments)


def list_steps() -> dict[str, str]:
    """The first line of each step's docstring, by the step's name in alphabetical order."""
    sources = {path.stem: path.read_text() for path in sorted(STEPS.glob("[!_]*.py"))}
    docstrings = {name: ast.get_docstring(ast.parse(text)) for name, text in sources.items()}
    return {name: (text or "").partition("\n")[0] for name, text in docstrings.items()}
