"""What a command ends with: 0 done, 1 the job failed, 2 wrong use; and what it says then."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from pipelines.problems import JobFailedError, UserError

_JOB_FAILED, _WRONG_USE = 1, 2


class Reporting(click.Command):
    """Errors of the product become a line each and an exit code, never a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """See `click.Command.main`."""
        try:
            return super().main(*args, **extra)
        except UserError as error:
            code = _say(error.problems, _WRONG_USE)
        except JobFailedError as error:
            code = _say([str(error)], _JOB_FAILED)
        sys.exit(code)


class ReportingGroup(Reporting, click.Group):
    """A command with subcommands."""


def end_at_once(main: Callable[[], Any]) -> None:
    """Calls a command as a program of its own.

    One that failed leaves at once: threads of Beam's may still wait for an engine that is gone, and
    libraries would speak of what these hold.
    """
    try:
        main()
    except SystemExit as ended:
        if not ended.code:
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else _JOB_FAILED)


def _say(problems: Sequence[str], code: int) -> int:
    for problem in problems:
        click.echo(f"meterbeam: {problem}", err=True)
    return code
