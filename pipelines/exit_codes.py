"""What a command ends with: 0 done, 1 the job failed, 2 wrong use; and what it says then."""

import atexit
import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from pipelines import log_lines
from pipelines.problems import JobFailedError, UserError

_JOB_FAILED, _WRONG_USE = 1, 2


class Reporting(click.Command):
    """Errors of the product become a line each and an exit code, never a traceback.

    As JSON each is one object, those of click, too.
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        """See `click.Command.main`."""
        try:
            return super().main(*args, **extra)
        except UserError as error:
            code = _say(error.problems, _WRONG_USE)
        except JobFailedError as error:
            code = _say([str(error)], _JOB_FAILED)
        sys.exit(code)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """See `click.Command.make_context`. The form of lines is known first, for what is wrong."""
        log_lines.use(log_lines.asked_form(args))
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            if not log_lines.is_json():
                raise
            raise UserError(error.format_message()) from None

    def invoke(self, ctx: click.Context) -> Any:
        """See `click.Command.invoke`."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            if not log_lines.is_json():
                raise
            raise JobFailedError("interrupted") from None


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
    return _say([f"what was printed is not whole: {error.strerror}"], _JOB_FAILED)


def _say(problems: Sequence[str], code: int) -> int:
    if log_lines.is_json():
        log_lines.say("\n".join(problems), logging.ERROR)
    else:
        for problem in problems:
            log_lines.write(f"meterbeam: {log_lines.clean(problem)}")
    return code
