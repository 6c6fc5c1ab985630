"""NDJSON files: blocks of whole lines, each found by the piece in which its first byte lies."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.inputs.block import (
    KEPT_OF_OVERSIZED,
    LARGEST_RECORD,
    WHITE_SPACE,
    Block,
)
from pipelines.inputs.find import InputFile
from pipelines.inputs.opening import Stream, opened

_STEP = 1024 * 1024
"""Bytes read at a time; no more than a record may have, so that a longer one is never in one."""

_TAIL_STEP = 64 * 1024


def read_lines(file: InputFile, start: int, end: int | None, block_bytes: int) -> Iterator[Block]:
    """Lines whose first byte is in `start` ≤ offset < `end` (None: to the end of the file).

    Holds one block and 1 MiB. A compressed file is read from 0 to its end. Raises InputReadError.
    """
    step = max(1, min(block_bytes, _STEP))
    with opened(file) as stream:
        begin, first = _first_line(stream, start, end, step)
        lines = _Lines(file.path, begin, block_bytes)
        for data in _steps(stream, begin, end, first, step):
            yield from lines.add(data)
        yield from lines.finish()


def _first_line(stream: Stream, start: int, end: int | None, step: int) -> tuple[int, bytes]:
    """Where the first line begins that begins at `start` or after, and what was read of it."""
    if not start:
        return 0, b""
    # the line end before may be the byte before: then a line begins right at the start
    position = stream.seek(start - 1)
    while end is None or position < end:
        data = stream.read(step)
        newline = data.find(b"\n")
        if newline >= 0:
            return position + newline + 1, data[newline + 1 :]
        if not data:
            break
        position += len(data)
    return position, b""


def _steps(stream: Stream, begin: int, end: int | None, first: bytes, step: int) -> Iterator[bytes]:
    """The bytes from `begin` on, of which `first` are read, to the last line's end."""
    if end is not None and begin >= end:
        return
    position, data = begin + len(first), first
    if end is not None and position > end:
        # read too far while looking for the first line
        data, position = first[: end - begin], end
        stream.seek(end)
    if data:
        yield data
    while end is None or position < end:
        more = stream.read(step if end is None else min(step, end - position))
        if not more:
            return
        data, position = more, position + len(more)
        yield data
    while not data.endswith(b"\n"):
        data = stream.read(min(step, _TAIL_STEP))
        if not data:
            return
        data = data[: data.find(b"\n") + 1] or data
        yield data


@dataclass
class _Oversized:
    """A line over the limit, on its way: only its first bytes are held."""

    offset: int
    first: bytes = b""
    size: int = 0
    blank: bool = True

    def add(self, data: bytes) -> None:
        self.first += data[: KEPT_OF_OVERSIZED - len(self.first)]
        self.size += len(data)
        self.blank = self.blank and not data.strip(WHITE_SPACE)


class _Lines:
    """Bytes on their way into blocks.

    `held` are `size` bytes from offset `start` on, piece by piece, of which `whole` are whole
    lines; `last` is the last byte that came.
    """

    def __init__(self, path: str, start: int, block_bytes: int) -> None:
        self.path, self.start, self.block_bytes = path, start, block_bytes
        self.held: list[bytes] = []  # joined once, as a buffer that grows is copied many times
        self.size, self.whole, self.last = 0, 0, b""
        self.oversized: _Oversized | None = None

    def add(self, data: bytes) -> Iterator[Block]:
        """Take in the next bytes, at most `_STEP`; give the blocks that are full."""
        if self.oversized is None and self._too_long(data):
            yield from self._set_apart()
        if self.oversized is not None:
            cut = data.find(b"\n") + 1
            self.oversized.add(data[: cut or len(data)])
            if not cut:
                return
            yield from self._pass_over()
            data = data[cut:]
        if b"\n" in data:
            self.whole = self.size + data.rfind(b"\n") + 1
        self._hold(data)
        self.last = data[-1:]
        if self.whole and self.size > self.block_bytes:
            yield self._take()

    def finish(self) -> Iterator[Block]:
        """Give what is left; the last line may be without an end."""
        if self.oversized is None and self.size - self.whole > LARGEST_RECORD:
            yield from self._set_apart()
        if self.oversized is not None:
            yield from self._pass_over()
        self.whole = self.size
        if self.whole:
            yield self._take()

    def _hold(self, data: bytes) -> None:
        if data:
            self.held.append(data)
            self.size += len(data)

    def _too_long(self, data: bytes) -> bool:
        """Whether the line in progress is certain to be over the limit, with what comes now."""
        known, newline = self.size - self.whole, data.find(b"\n")
        if newline < 0:
            # one byte more may yet be half of the line end
            return known + len(data) > LARGEST_RECORD + 1
        before = data[newline - 1 : newline] if newline else self.last
        return known + newline - (before == b"\r") > LARGEST_RECORD

    def _set_apart(self) -> Iterator[Block]:
        """Begin to pass over the line in progress; the lines before it are a block."""
        if self.whole:
            yield self._take()
        self.oversized = _Oversized(self.start)
        self.oversized.add(b"".join(self.held))
        self.held, self.size = [], 0

    def _pass_over(self) -> Iterator[Block]:
        """Leave a line over the limit behind."""
        line, self.oversized = self.oversized, None
        if line is None:
            return
        self.start += line.size
        # a line of white space is no record, however long
        if not line.blank:
            yield Block(self.path, b"", line.offset, oversized=((line.offset, line.first),))

    def _take(self) -> Block:
        """The whole lines as a block; what is after them stays."""
        rest = self._rest()
        block = Block(self.path, b"".join(self.held), self.start)
        self.start += self.whole
        self.held, self.size, self.whole = [], 0, 0
        self._hold(rest)
        return block

    def _rest(self) -> bytes:
        """What is after the whole lines, taken out of what is held."""
        rest = b""
        while self.size > self.whole:
            piece = self.held.pop()
            self.size -= len(piece)
            cut = max(self.whole - self.size, 0)
            self._hold(piece[:cut])
            rest = piece[cut:] + rest
        return rest
