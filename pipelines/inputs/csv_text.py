r"""CSV text cut into rows: where each begins and ends, a buffer at a time.

A row ends with `\n`, `\r\n` or `\r` outside quotes. A quote opens a quoted cell only where the
cell begins; in it a doubled quote stands for one. (RFC 4180, and Python's csv module where that is
silent.)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

import numpy as np

from pipelines.inputs.block import KEPT_OF_OVERSIZED, LARGEST_RECORD, WHITE_SPACE
from pipelines.inputs.opening import Stream
from transforms.lines import is_utf8

BOM = b"\xef\xbb\xbf"
_QUOTE, _COMMA, _NEWLINE, _RETURN = b'",\n\r'
_ENDS_CELL = re.compile(rb"[,\r\n]")
# possessive throughout: there is one way to read a row, and nothing to go back to
_CELL = rb'(?:"[^"]*+(?:""[^"]*+)*+"?)?+[^,\r\n]*+'
_ROW = re.compile(rb"(?:" + _CELL + rb",)*+" + _CELL + rb"(\r\n|\r|\n|)")
_LARGEST_STEP = 256 * 1024

LARGEST_ROW = 2 * LARGEST_RECORD
"""Bytes of the longest row that is looked at. Doubled quotes may halve in the record, and nothing
else gets shorter: the record of a longer one is over its limit for certain."""


@dataclass(frozen=True)
class Rows:
    """Rows in a buffer: they begin at `starts` and end at `ends` (int64), without line ends.

    cut: where the last one ends, with its line end. offset: of `data` in the file. regular: quotes
    stand only around cells, so that every reader sees the same cells. closed: the last row's quotes
    are.
    """

    data: bytes
    offset: int
    starts: np.ndarray
    ends: np.ndarray
    cut: int
    regular: bool = True
    closed: bool = True

    def only(self, chosen: np.ndarray) -> "Rows":
        """The chosen rows (a mask)."""
        return replace(self, starts=self.starts[chosen], ends=self.ends[chosen])

    def text(self) -> memoryview:
        """The text of all rows as it stands, with their line ends and the empty lines between."""
        first = int(self.starts[0]) if len(self.starts) else self.cut
        return memoryview(self.data)[first : self.cut]

    def joined(self) -> bytes:
        """The text of the rows, each on a line."""
        spans = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        return b"\n".join([self.data[start:end] for start, end in spans])

    def odd(self, cells: int) -> np.ndarray:
        """Which rows have more or fewer cells, or bytes that are not UTF-8; of regular rows."""
        chars = np.frombuffer(self.data, np.uint8)
        commas, quotes = np.flatnonzero(chars == _COMMA), np.flatnonzero(chars == _QUOTE)
        commas = commas[np.searchsorted(quotes, commas) % 2 == 0]
        found = np.searchsorted(commas, self.ends) - np.searchsorted(commas, self.starts)
        odd: np.ndarray = found != cells - 1
        for i in np.flatnonzero(~odd).tolist() if not is_utf8(self.data) else ():
            odd[i] = not is_utf8(self.data[self.starts[i] : self.ends[i]])
        return odd


@dataclass(frozen=True)
class LongRow:
    """A row of more than `LARGEST_ROW` bytes, of which the first are kept; size: with its end."""

    offset: int
    first: bytes
    size: int
    blank: bool


def read_rows(stream: Stream, offset: int, held: bytes, step: int) -> Iterator[Rows | LongRow]:
    """All rows of a file from `offset` on, where `held` stands; empty lines may be among them.

    Holds the longest row, or `step` bytes if that is more.
    """
    final = False
    while not final:
        # a long row is not looked through again for each few bytes
        more = stream.read(max(1, min(step, _LARGEST_STEP), min(len(held), _LARGEST_STEP)))
        final, held = not more, held + more
        rows = rows_in(held, offset, final=final)
        if rows.cut:
            yield rows
            held, offset = held[rows.cut :], offset + rows.cut
        elif len(held) > LARGEST_ROW and not final:
            row, held = _pass_over(stream, offset, held)
            offset += row.size
            if not row.blank:
                yield row


def rows_in(data: bytes, offset: int, *, final: bool) -> Rows:
    """The whole rows of a buffer that begins with one; at the end of the file, `final`, all."""
    chars = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(chars == _QUOTE)
    ends = _line_ends(data, chars)
    # outside quotes there is an even number of them before
    ends = ends[np.searchsorted(quotes, ends) % 2 == 0] if len(quotes) else ends
    if final and len(data) and (not len(ends) or ends[-1] < len(data) - 1):
        ends = np.append(ends, len(data))
    cut = min(int(ends[-1]) + 1, len(data)) if len(ends) else 0
    if not _regular(chars[: cut or len(data)], quotes):
        return _irregular_rows(data, offset, final=final)
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])[: len(ends)]
    if b"\r" in data:
        pairs = (ends > starts) & (ends < len(data))
        pairs[pairs] = (chars[ends[pairs]] == _NEWLINE) & (chars[ends[pairs] - 1] == _RETURN)
        ends = ends - pairs
    full = ends > starts
    return Rows(data, offset, starts[full], ends[full], cut)


def _line_ends(data: bytes, chars: np.ndarray) -> np.ndarray:
    r"""Where `\n` is, and `\r` without one after it; in quotes too."""
    newlines = chars == _NEWLINE
    if b"\r" not in data:
        return np.flatnonzero(newlines)
    alone = chars == _RETURN
    alone[:-1] &= ~newlines[1:]
    # the last byte of a buffer may be half of a line end; the other half is then an empty line
    return np.flatnonzero(newlines | alone)


def _regular(chars: np.ndarray, quotes: np.ndarray) -> bool:
    """Whether quotes stand in pairs, around whole cells or doubled within."""
    quotes = quotes[: np.searchsorted(quotes, len(chars))]
    if len(quotes) % 2:
        return False
    before, after = quotes[0::2] - 1, quotes[1::2] + 1
    if len(quotes) and not quotes[0]:
        before = before[1:]
    if len(quotes) and after[-1] == len(chars):
        after = after[:-1]
    return _beside_quotes(chars[before]) and _beside_quotes(chars[after])


def _beside_quotes(chars: np.ndarray) -> bool:
    """Whether all may stand beside quotes; comparing is faster than to look each up in a table."""
    fine = (chars == _QUOTE) | (chars == _COMMA) | (chars == _NEWLINE) | (chars == _RETURN)
    return bool(fine.all())


def _irregular_rows(data: bytes, offset: int, *, final: bool) -> Rows:
    """The whole rows of a buffer with quotes in odd places, one by one."""
    spans, at = [], 0
    while at < len(data) and (row := _ROW.match(data, at)):
        if not row[1] and not final:
            break
        spans.append((at, row.start(1)))
        at = row.end()
    starts, ends = np.array(spans, np.int64).reshape(-1, 2).T
    closed = not final or not spans or _scan(data[slice(*spans[-1])], _At.CELL)[1] is not _At.QUOTED
    return Rows(data, offset, starts, ends, at, regular=False, closed=closed)


class _At(Enum):
    """Where in a row a reader is."""

    CELL = auto()  # at the beginning of a cell
    PLAIN = auto()  # in one without quotes, or after them
    QUOTED = auto()
    QUOTE = auto()  # after a quote in quotes: the end, or the first of two


def _scan(data: bytes, where: _At) -> tuple[int, _At]:
    """Where a row ends, -1 if not in these bytes; and where in it the reader is after them."""
    at = 0
    while at < len(data):
        if where is _At.QUOTED:
            at = data.find(b'"', at) + 1
            if not at:
                break
            where = _At.QUOTE
        elif where is not _At.PLAIN and data[at] == _QUOTE:
            where, at = _At.QUOTED, at + 1
        else:
            found = _ENDS_CELL.search(data, at)
            if found is None:
                return -1, _At.PLAIN
            if found[0] != b",":
                return found.start(), _At.CELL
            where, at = _At.CELL, found.end()
    return -1, where


def _pass_over(stream: Stream, offset: int, held: bytes) -> tuple[LongRow, bytes]:
    """Read to the end of a row that is too long, and what was read after it."""
    first, size, blank, where = held[:KEPT_OF_OVERSIZED], 0, True, _At.CELL
    while held:
        end, where = _scan(held, where)
        row = held if end < 0 else held[: end + 1]
        size, blank = size + len(row), blank and not row.strip(WHITE_SPACE)
        if end >= 0:
            break
        held = stream.read(_LARGEST_STEP)
    return LongRow(offset, first, size, blank), held[len(row) :]
