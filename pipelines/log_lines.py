"""What the command writes to standard error: text, or JSON for those who collect logs.

As JSON each line is an object as Cloud Logging's agents take it: `time` (RFC 3339, UTC),
`severity`, `message`, `logger`, and where they are known `run`, `step` and `exception`. Neither
form has what is in events, and no password of an address.
"""

import contextlib
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from types import TracebackType
from typing import Any, Literal

from transforms.told_errors import trace, words
from transforms.whereabouts import Discreet, command_is_at, place

Form = Literal["text", "json"]
FORMS = ("text", "json")
OPTION = "--log-format"
_OWN = "meterbeam"  # the logger of what the command itself says
_PARTS = ("pipelines", "transforms", "rates", "py.warnings")
_LEVELS = (logging.INFO, logging.INFO + 1, logging.WARNING, logging.ERROR, logging.CRITICAL)
_SEVERITIES = ("DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL")
_USER = re.compile(r"(?<=://)[^\s/@'\"]+@")  # user and password in an address
_LOCK = threading.RLock()


class _Written:
    form: Form = "text"
    hooks: tuple[Callable[..., Any], ...] = ()


def is_json() -> bool:
    """Whether lines are JSON."""
    return _Written.form == "json"


def asked_form(words_given: Sequence[str]) -> Form:
    """The form that the words of a command ask for, also where they are wrong otherwise."""
    pairs = [each.partition("=")[::2] for each in words_given if each.startswith(f"{OPTION}=")]
    pairs += [pair for pair in pairwise(words_given) if pair[0] == OPTION]
    return "json" if pairs and pairs[-1][1] == "json" else "text"


def use(form: Form) -> None:
    """From now on lines have this form, and no run is known."""
    command_is_at(None)
    if form == _Written.form:
        return
    _Written.form = form
    if form == "json":
        _Written.hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        sys.excepthook, threading.excepthook = _uncaught, _uncaught_in_thread
        sys.unraisablehook = _unraisable
        # the C library of gRPC writes lines of its own
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    else:
        sys.excepthook, threading.excepthook, sys.unraisablehook = _Written.hooks
    logging.captureWarnings(form == "json")


def begin(*, verbose: bool) -> None:
    """Sets up the logs of this process: those of its parts, of Beam and of other libraries.

    With `verbose` all of ours is logged, and what others say from INFO on: Beam's DEBUG has
    elements. Else our warnings and the errors of all as JSON, and nothing as text.
    """
    root = logging.getLogger()
    for each in [each for each in root.handlers if isinstance(each, _Lines)]:
        root.removeHandler(each)
    if root.handlers and not is_json():  # somebody else has set it up
        return
    root.addHandler(_Lines())
    quiet = (logging.ERROR, logging.WARNING) if is_json() else (logging.CRITICAL, logging.CRITICAL)
    others, ours = (logging.INFO, logging.DEBUG) if verbose else quiet
    root.setLevel(others)
    for name in _PARTS:
        logging.getLogger(name).setLevel(ours)


def say(text: str, level: int, logger: str = _OWN, exception: str | None = None) -> None:
    """Writes a line as JSON. Where nobody listens, nothing happens."""
    here = place()
    said = {
        "time": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "severity": _severity(level),
        "message": clean(text),
        "run": here.run_id,
        "step": here.step,
        "logger": logger,
        "exception": exception and clean(exception),
    }
    # in ASCII: whatever the locale is, and however a path is spelt
    write(json.dumps({name: each for name, each in said.items() if each is not None}))


def write(line: str) -> None:
    """Writes a line to standard error, whole. Where nobody listens, nothing happens."""
    with _LOCK, contextlib.suppress(OSError, ValueError):
        if sys.stderr:  # it may be closed
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def clean(text: str) -> str:
    """A text without users and passwords in addresses."""
    return _USER.sub("", text) if "://" in text else text


class _Lines(logging.Handler):
    """Writes records to standard error, wherever that goes at the time."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(Discreet())
        self.setFormatter(logging.Formatter(logging.BASIC_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        try:
            if is_json():
                say(record.getMessage(), record.levelno, record.name, record.exc_text)
            else:
                write(clean(self.format(record)))
        except Exception:  # noqa: BLE001 - as the library does: a log stops nothing
            write(clean(f"a line of {record.name} could not be written"))


def _severity(level: int) -> str:
    """Cloud Logging's name; a level between two of them is the lower."""
    return _SEVERITIES[sum(level >= each for each in _LEVELS)]


def _uncaught(
    _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    say(words(error), logging.CRITICAL, exception=trace(error))


def _uncaught_in_thread(raised: threading.ExceptHookArgs) -> None:
    if raised.exc_value is not None and not isinstance(raised.exc_value, SystemExit):
        name = raised.thread.name if raised.thread else "a thread"
        text = f"{name}: {words(raised.exc_value)}"
        say(text, logging.ERROR, exception=trace(raised.exc_value))


def _unraisable(raised: Any) -> None:
    if raised.exc_value is not None:
        say(words(raised.exc_value), logging.WARNING, exception=trace(raised.exc_value))
