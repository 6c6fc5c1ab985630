"""What a command ends with: 0 done, 1 the job failed, 2 wrong use; and what it says then."""

import atexit
import errno
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
    """Calls a command as a program of its own, and leaves what there is then to the kernel.

    To free it all takes half a second after a large run. And where one failed, threads of Beam's
    may still wait for an engine that is gone, and libraries would speak of what these hold.
    """
    code: Any = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code or 0
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename:
            raise
        code = _not_whole(error)
    atexit._run_exitfuncs()  # noqa: SLF001 - what removes temporary files; os._exit does without
    os._exit(_flushed(code if isinstance(code, int) else _JOB_FAILED))


def _flushed(code: int) -> int:
    """The exit code, when all that was printed is where it was to go."""
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):  # one that is closed is None
            stream.flush()
    except BrokenPipeError:  # whoever reads it has enough
        return code
    except OSError as error:
        return code or _not_whole(error)
    return code


def _not_whole(error: OSError) -> int:
    os.write(2, f"meterbeam: what was printed is not whole: {error.strerror}\n".encode())
    return _JOB_FAILED


def _say(problems: Sequence[str], code: int) -> int:
    for problem in problems:
        click.echo(f"meterbeam: {problem}", err=True)
    return code
