"""Errors in words that may be logged: none of them quotes a record.

What a library says of data often quotes it (`Could not convert '4711'…`). So only errors of
machines, files and services, and our own, are told as they are; of others the kind and the place.
"""

import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

_OURS = ("pipelines", "transforms", "rates")
_TOLD = (OSError, MemoryError, EOFError, ImportError, KeyboardInterrupt, SystemExit)
_TOLD_OF = ("google", "grpc", "pipelines")  # answers of services, and words written here
_TOLD_NAMES = ("IOException", "OutOfMemoryException", "InterruptException")  # of DuckDB


class StepFailedError(Exception):
    """A step failed by an error whose text may quote a record; this text does not."""


def may_quote(error: BaseException) -> bool:
    """Whether the text of an error may have come out of a record."""
    if isinstance(error, (*_TOLD, StepFailedError)):
        return False
    kind = type(error)
    return kind.__module__.partition(".")[0] not in _TOLD_OF and kind.__name__ not in _TOLD_NAMES


def words(error: BaseException) -> str:
    """The kind of an error and its first line; where it may quote, its place instead."""
    name = type(error).__name__
    if may_quote(error):
        place = _place(error.__traceback__)
        return f"{name} at {place}" if place else name
    first = next(iter(str(error).strip().splitlines()), "")
    if isinstance(error, StepFailedError):
        return first
    return f"{name}: {first}" if first else name


def trace(error: BaseException) -> str:
    """The traceback of an error, and of those before it, without texts that may quote."""
    told: Any = traceback.TracebackException.from_exception(error)
    pending: list[tuple[Any, Any]] = [(error, told)]
    while pending:
        raised, each = pending.pop()
        if raised is None or each is None:
            continue
        if may_quote(raised):
            each._str = each.__notes__ = None  # noqa: SLF001 - its text, which has no setter
        pending += [(raised.__cause__, each.__cause__), (raised.__context__, each.__context__)]
        pending += zip(getattr(raised, "exceptions", ()), each.exceptions or (), strict=False)
    return "".join(told.format()).rstrip()


def _place(trace_of: TracebackType | None) -> str:
    """The last line of ours that an error came through, else the last of all."""
    frames = traceback.extract_tb(trace_of)
    paths = [(Path(frame.filename), frame.lineno) for frame in frames]
    ours = [each for each in paths if {*each[0].parts[-3:-1]} & {*_OURS}]
    for path, line in (ours or paths)[-1:]:
        return f"{'/'.join(path.parts[-2:])}:{line}"
    return ""
