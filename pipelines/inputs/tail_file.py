r"""One growing file of lines: where the next batch of it ends, found without keeping its bytes."""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.inputs.block import KEPT_OF_OVERSIZED, LARGEST_RECORD, WHITE_SPACE, Block

LONGEST_BATCH = 8 << 20
"""Bytes of the largest batch, but for one of a single record that is larger."""

_STEP = 1 << 20
"""Bytes read at a time; no more than a record may have, so that a longer one is never in one."""

_FIRST_STEP = 64 << 10
_MARK = 64 << 10
_NEWLINE = 10


class ShortFileError(Exception):
    """A file ends before the bytes that were wanted of it."""


@dataclass(eq=False, slots=True)
class TailFile:
    r"""How far a file was read, in bytes, and the batch in the making. Holds none of its bytes.

    given: all before was given out. size: how long it was when last looked at. final: whether it
    ends there, so that a last line counts without its `\n`. whole: to where the batch in the making
    goes, always to a line's end. full: whether nothing more fits into that batch.
    identity: device and inode, when last looked at; `(0, 0)` of a file to be looked at anew: it has
    to go on where it was left. grew_us, seen_us: when it last grew, and when
    the first line of the batch was seen (µs of a clock that never steps). arrival_us: when what is
    read next arrived, or a little before; None where nothing says so. turn: of its last batch.
    """

    path: str
    given: int = 0
    size: int = 0
    final: bool = False
    full: bool = False
    whole: int = 0
    identity: tuple[int, int] | None = None
    grew_us: int = 0
    seen_us: int = 0
    arrival_us: int | None = None
    turn: int = 0
    reported: bool = False
    _scanned: int = 0
    _lines: int = 0
    _mark: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.begin_batch(self.given, b"")

    @property
    def unread(self) -> bool:
        """Whether there are whole lines that were not given out."""
        return self.whole > self.given

    @property
    def at_end(self) -> bool:
        """Whether all bytes there are were looked at for the batch in the making."""
        return self._scanned >= self.size

    def begin_batch(self, start: int, read: bytes | None) -> None:
        """All before `start` was given out, the bytes `read` last: None if the file lost them."""
        self._forget(start)
        last = None if read is None else read[-_MARK:]
        self._mark = None if last is None else (len(last), zlib.crc32(last))

    def leave(self) -> None:
        """Nobody looks at it for now: forget what was seen and not given out."""
        self._forget(self.given)
        self.size, self.identity = self.given, (0, 0)

    def _forget(self, start: int) -> None:
        self.given = self.whole = self._scanned = start
        self._lines, self.full = 0, False

    def end_here(self) -> None:
        """It will not grow any more: the last line counts as it is."""
        self.final = True
        self._scanned = self.whole

    def extend(self, batch_lines: int, *, whole_batch: bool) -> None:
        """Look for line ends: to the first ones, or until the batch is full or the file ends.

        Raises ShortFileError, and OSError as reading does.
        """
        if self.at_end or self.full:
            return
        with Path(self.path).open("rb", buffering=0) as file:
            while not self.at_end and not self.full and (whole_batch or not self.unread):
                step = min(max(self._scanned - self.given, _FIRST_STEP), _STEP)
                size = min(step, self.size - self._scanned)
                data = os.pread(file.fileno(), size, self._scanned)
                if not data:
                    raise ShortFileError
                self._add(data, batch_lines)

    def _add(self, data: bytes, batch_lines: int) -> None:
        """Take line ends in what comes next in the file, at most `_STEP` bytes."""
        begin, self._scanned = self._scanned, self._scanned + len(data)
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE) + begin + 1
        if self.final and self.at_end and not data.endswith(b"\n"):
            ends = np.append(ends, self._scanned)
        first = int(ends[0]) if len(ends) else self._scanned
        if first - self.whole > LARGEST_RECORD + 1:
            # maybe over the limit: it is a batch of its own, and so are the lines before it
            self.full = self.unread or len(ends) > 0
            self.whole = self.whole if self.unread or not len(ends) else first
            return
        ends = ends[: batch_lines - self._lines]
        ends = ends[ends <= self.given + LONGEST_BATCH]
        self._lines += len(ends)
        self.whole = int(ends[-1]) if len(ends) else self.whole
        self.full = self._lines >= batch_lines or self._scanned > self.given + LONGEST_BATCH

    def goes_on(self) -> bool:
        """Whether the file there still has what was given out last. Raises OSError."""
        if self._mark is None:
            return False
        size, check = self._mark
        with Path(self.path).open("rb", buffering=0) as file:
            return zlib.crc32(os.pread(file.fileno(), size, self.given - size)) == check

    def first_lines(self) -> bytes:
        """Lines of the batch in the making, up to 1 MiB. Raises OSError."""
        with Path(self.path).open("rb", buffering=0) as file:
            return os.pread(file.fileno(), min(self.whole - self.given, LARGEST_RECORD), self.given)


def read_range(path: str, start: int, end: int) -> Block:
    """The lines from one offset to another, as a batch has them: many, or one over the limit.

    Holds at most 8 MiB. Raises ShortFileError, and OSError as reading does.
    """
    with Path(path).open("rb", buffering=0) as file:
        wanted = min(end - start, LONGEST_BATCH)
        data = os.pread(file.fileno(), wanted, start)
        if len(data) < wanted or os.fstat(file.fileno()).st_size < end:
            raise ShortFileError
        cut = data.find(b"\n")
        size = end - start if cut < 0 else cut - (data[max(cut - 1, 0) : cut] == b"\r")
        if size <= LARGEST_RECORD:
            return Block(path, data, start)
        if _is_blank(file.fileno(), start, end):
            return Block(path, b"", start)
        return Block(path, b"", start, oversized=((start, data[:KEPT_OF_OVERSIZED]),))


def _is_blank(file: int, start: int, end: int) -> bool:
    """Whether there is but white space, which is no record, however long."""
    while start < end:
        data = os.pread(file, min(_STEP, end - start), start)
        if not data or data.strip(WHITE_SPACE):
            return False
        start += len(data)
    return True
