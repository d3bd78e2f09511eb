"""The command line of `haplorag`. What a command works with is loaded where it runs, not before."""

from __future__ import annotations

import atexit
import gc
from functools import partial
from importlib.metadata import version
from typing import Annotated

from typer import Exit, Option, Typer, echo

from haplorag.commands import evaluate, impute, merge, panel, workflow

EPILOG = """
Exit status: 0 done; 2 an input was refused; 3 the machine could not (space, memory, GPU). `run` and
`report` end as Snakemake does: 1 where a job failed, whose own status its log has.
"""
# Libraries make a million objects that stay, and a walk through all of them looks for garbage every
# few hundred new ones, and several times at the end: a sixth of the time of a short command.
gc.set_threshold(50_000, 20, 20)
atexit.register(gc.freeze)
app = Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog=EPILOG,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command(epilog=impute.EXAMPLES)(impute.impute)
app.command(epilog=panel.EXAMPLES)(panel.panel)
app.command(epilog=merge.EXAMPLES)(merge.merge)
app.command(epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command(epilog=workflow.CHECK_EXAMPLES)(workflow.check)
app.command(epilog=workflow.REPORT_EXAMPLES)(workflow.report)
passing = partial(app.command, cls=workflow.PassingCommand, context_settings=workflow.PASSING)
passing(epilog=workflow.RUN_EXAMPLES)(workflow.run)
passing(add_help_option=False)(workflow.step)


def _show_version(wanted: bool) -> None:
    if wanted:
        echo(f"haplorag {version('haplorag')}")
        raise Exit


@app.callback()
def main(
    _version: Annotated[
        bool,
        Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Impute genotypes from a phased reference panel."""


if __name__ == "__main__":
    app()
