"""Lets Snakemake show a run as haplorag does: `snakemake --logger haplorag`."""

from __future__ import annotations

from functools import cached_property
from logging import LogRecord
from typing import TYPE_CHECKING

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

if TYPE_CHECKING:
    from haplorag.pipeline.console import Console


class LogHandler(LogHandlerBase):
    """Hands what Snakemake says on to the console, which stands in for Snakemake's own output."""

    @cached_property
    def _console(self) -> Console:
        # Not before there is something to show: the workflow, which Snakemake reads before it says
        # anything, is to find the package beside its own Snakefile.
        from haplorag.pipeline.console import Console

        return Console(dry_run=self.common_settings.dryrun)

    def emit(self, record: LogRecord) -> None:
        """Show a record, or what follows from it."""
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            self._console.announce(record.stats)
        elif event == LogEvent.JOB_INFO:
            job = record.jobid, record.rule_name, dict(record.wildcards or {})
            self._console.start(*job, [str(path) for path in record.log])
        elif event == LogEvent.JOB_FINISHED:
            self._console.finish(record.job_id)
        elif event == LogEvent.JOB_ERROR:
            self._console.fail(record.rule_name, [str(path) for path in record.log])
        elif event == LogEvent.ERROR or record.levelname in ("WARNING", "ERROR", "CRITICAL"):
            self._console.say(self.format(record))
        elif event is None and record.getMessage().startswith("Nothing to be done"):
            self._console.say("Nothing to do: everything is made and up to date.")

    def close(self) -> None:
        """Take the line of progress away."""
        self._console.close()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """Snakemake's own output is not wanted beside it."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """It writes no file."""
        return False

    @property
    def has_filter(self) -> bool:
        """It chooses itself what to show."""
        return True

    @property
    def has_formatter(self) -> bool:
        """It writes its own lines."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It draws nothing."""
        return False
