"""What the command has to tell its user while it works: a line on standard error.

The live view, while it is there, takes them, so that they stand above it. As JSON they are lines of
the log, of the logger `meterbeam`.
"""

import logging
from collections.abc import Callable

from pipelines import log_lines


def _print(text: str) -> None:
    log_lines.write(f"meterbeam: {log_lines.clean(text)}")


_printers: list[Callable[[str], None]] = [_print]


def notify(text: str, level: int = logging.INFO) -> None:
    """Tells the user something, at once; `level` is one of `logging`, for the log."""
    if log_lines.is_json():
        log_lines.say(text, level)
    else:
        _printers[-1](text)


def show_progress(line: str) -> None:
    """A line about how far a run is, where it is not shown in place."""
    if log_lines.is_json():
        log_lines.say(line, logging.INFO)
    else:
        log_lines.write(line)


def taken_by(printer: Callable[[str], None]) -> None:
    """From now on `printer` shows what there is to tell."""
    _printers.append(printer)


def given_back() -> None:
    """The last printer is gone."""
    if len(_printers) > 1:
        _printers.pop()
