"""The tails that this process reads: one reader for each run."""

import threading
from pathlib import Path

from pipelines.tail_reader import Tail, TailProgress, TailReader

_READERS: dict[Path, TailReader] = {}
_LOCK = threading.Lock()


def open_tail(tail: Tail) -> TailReader:
    """Open the reader of a run, in the place of any that this process has. Raises as that does."""
    with _LOCK:
        _close(tail)
        reader = _READERS[tail.journal] = TailReader(tail)
        return reader


def opened(tail: Tail) -> TailReader:
    """The reader of a run in this process, opened if it has none that goes on."""
    with _LOCK:
        reader = _READERS.get(tail.journal)
    return open_tail(tail) if reader is None or reader.finished else reader


def close_tail(tail: Tail) -> None:
    """Close the reader of a run, if this process has one."""
    with _LOCK:
        _close(tail)


def _close(tail: Tail) -> None:
    reader = _READERS.pop(tail.journal, None)
    if reader is not None:
        reader.close()


def progress() -> TailProgress:
    """How far the stream of this process has come; of several the one opened last."""
    return next((each.progress for each in reversed([*_READERS.values()])), TailProgress())
