"""Finds the lines of a skeleton among many, and where their values stand, all lines at once.

All bytes that lines of a skeleton share are compared: what matches is a record, byte for byte.
Arrays of places have a row for each place and a column for each line.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from transforms.arrays import cut_texts
from transforms.lines import Lines
from transforms.numbers import JSON_NUMBER, mask
from transforms.shape import Keys
from transforms.skeleton import Fixed, Place, Skeleton, Span

_QUOTE, _BACKSLASH, _FIRST_PLAIN = 34, 92, 32
_WORD, _WORDS = 8, 4
_ITEM = _WORD * _WORDS
_PROBES = 3


class Match(NamedTuple):
    """Which of some lines are of a skeleton, and where in the block their values begin and end."""

    which: np.ndarray
    begins: np.ndarray
    ends: np.ndarray


class Marks:
    """The marks (see transforms/skeleton.py) of lines in a row, `first` to `last` of a block.

    text: the lines, and some bytes behind them. positions: int32, in the text, of all marks; those
    of a line begin at its place in `starts`. Holds up to 5 times the lines' bytes.
    """

    def __init__(self, lines: Lines, first: int, last: int) -> None:
        self.begin, end = int(lines.starts[first]), int(lines.ends[last - 1])
        size = end - self.begin
        data = np.frombuffer(lines.data, np.uint8)
        self._chars = data[self.begin : end]
        if len(data) - end >= _ITEM:
            self.text = data[self.begin : end + _ITEM]
        else:
            self.text = np.zeros(size + _ITEM, np.uint8)
            self.text[:size] = self._chars
        self._starts = (lines.starts[first:last] - self.begin).astype(np.int32)
        self._ends = (lines.ends[first:last] - self.begin).astype(np.int32)
        marked = np.empty(size + 2, bool)  # one before, and one behind them
        np.equal(self._chars, _QUOTE, out=marked[1:-1])
        marked[self._starts] = True
        marked[self._ends + 1] = True
        self.positions = np.flatnonzero(marked).astype(np.int32)
        self.positions -= 1
        self.starts = np.searchsorted(self.positions, self._starts - 1)

    def quotes(self) -> np.ndarray:
        """How many quotes each line has."""
        return np.searchsorted(self.positions, self._ends) - self.starts - 1

    def plain(self) -> np.ndarray:
        """Which lines have no backslash and no control character."""
        plain = np.ones(len(self.starts), bool)
        odd = (self._chars < _FIRST_PLAIN) | (self._chars == _BACKSLASH)
        odd[self._starts[1:] - 1] = False  # a line's end is one byte, or two: \r\n
        odd[self._ends[:-1]] = False
        if odd.any():
            at = np.flatnonzero(odd)
            line = np.searchsorted(self._starts, at, side="right") - 1
            plain[line[at < self._ends[line]]] = False
        return plain


class Matcher:
    """Knows the lines of one skeleton.

    `rows` numbers the paths of values. Whether the numbers at `amounts` are some is not looked at.
    """

    def __init__(
        self, skeleton: Skeleton, rows: Mapping[Keys, int], amounts: frozenset[Keys]
    ) -> None:
        self.skeleton = skeleton
        self.rows = np.array([rows[keys] for keys, _ in skeleton.values], np.int64)
        self._some = _Between(skeleton.fixed[:: max(1, len(skeleton.fixed) // _PROBES)])
        self._pieces = _Pieces([text for _, text in skeleton.fixed])
        numbers = [span for _, span in skeleton.numbers]
        values = [span for _, span in skeleton.values]
        self._all = _Between(skeleton.fixed, numbers + values)
        self._numbers, self._values = self._all.rows(numbers), self._all.rows(values)
        checked = [span for keys, span in skeleton.numbers if keys not in amounts]
        self._checked = [self._all.rows([span]) for span in checked]

    def match(self, marks: Marks, starts: np.ndarray) -> Match:
        """Which lines are of the skeleton, of plain ones of as many quotes.

        `starts`: where their marks begin, which are numbered in this order.
        """
        # most lines of other skeletons are told by a few lengths
        left = np.flatnonzero(self._some.fit(self._some.at(marks, starts)))
        at = self._all.at(marks, starts[left])
        left, at = _kept(self._all.fit(at), left, at)
        # each text has its length now, but one may begin before the number that it stands behind:
        # only without those may texts be read where they should be
        begins, ends = self._numbers
        left, at = _kept((at[begins] < at[ends]).all(axis=0), left, at)
        left, at = _kept(self._pieces.same(marks.text, at), left, at)
        for begins, ends in self._checked:
            numbers = _are_numbers(marks.text, at[begins][0], at[ends][0])
            left, at = _kept(numbers, left, at)
        begins, ends = self._values
        return Match(left, at[begins] + marks.begin, at[ends] + marks.begin)


def _kept(good: np.ndarray, lines: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (lines, at) if good.all() else (lines[good], at[:, good])


class _Between:
    """Texts between values: where they begin, each, then where they end, then other places."""

    def __init__(self, fixed: Sequence[Fixed], values: Sequence[Span] = ()) -> None:
        self._places = _ends([span for span, _ in fixed])
        # most values begin where a text ends, and end where the next one begins
        self._places += [place for place in _ends(values) if place not in self._places]
        columns = np.array(self._places, np.int32)
        self._marks, self._offsets = columns[:, :1], columns[:, 1:]
        self._lengths = np.array([[len(text)] for _, text in fixed], np.int32)

    def rows(self, spans: Sequence[Span]) -> tuple[np.ndarray, np.ndarray]:
        """The rows of where some of the values begin, and of where they end."""
        rows = np.array([self._places.index(place) for place in _ends(spans)], np.int64)
        return rows[: len(spans)], rows[len(spans) :]

    def at(self, marks: Marks, starts: np.ndarray) -> np.ndarray:
        """Where all of it is in the lines whose marks begin at `starts`: int32."""
        at: np.ndarray = marks.positions[self._marks + starts]
        at += self._offsets
        return at

    def fit(self, at: np.ndarray) -> np.ndarray:
        """In which lines (a mask) there is as much between the values."""
        texts = len(self._lengths)
        fit: np.ndarray = (at[texts : 2 * texts] - at[:texts] == self._lengths).all(axis=0)
        return fit


def _ends(spans: Sequence[Span]) -> list[Place]:
    return [*(span.begin for span in spans), *(span.end for span in spans)]


class _Pieces:
    """Texts in pieces of at most 32 bytes, longer ones first, to be compared word by word."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        pieces = [
            (row, at, text[at : at + _ITEM])
            for row, text in enumerate(texts)
            for at in range(0, len(text), _ITEM)
        ]
        pieces.sort(key=lambda piece: -len(piece[2]))
        self._rows = np.array([row for row, _, _ in pieces])
        self._offsets = np.array([[at] for _, at, _ in pieces])
        lengths = np.array([-len(text) for _, _, text in pieces])
        # of each word: how many pieces have all of it, and how many some of it
        words = np.arange(_WORDS) * _WORD
        self._whole = np.searchsorted(lengths, -words - _WORD, side="right").tolist()
        self._begun = np.searchsorted(lengths, -words - 1, side="right").tolist()
        self._wanted = _words([text for _, _, text in pieces])
        self._read = _words([b"\xff" * len(text) for _, _, text in pieces])

    def same(self, text: np.ndarray, begins: np.ndarray) -> np.ndarray:
        """Where all of them stand (a mask), given where each should begin."""
        # an item of bytes can be at any byte: no copy, and aligned wherever it stands
        items = np.ndarray(len(text) - _ITEM + 1, f"V{_ITEM}", text, strides=(1,))
        found = items[begins[self._rows] + self._offsets].view("<u8")
        found = found.reshape(len(self._rows), -1, _WORDS)
        same = np.ones(begins.shape[1], bool)
        for word, (whole, begun) in enumerate(zip(self._whole, self._begun, strict=True)):
            read, wanted = found[:begun, :, word], self._wanted[:begun, word, None]
            same &= (read[:whole] == wanted[:whole]).all(axis=0)
            some = read[whole:] & self._read[whole:begun, word, None]
            same &= (some == wanted[whole:]).all(axis=0)
        return same


def _words(texts: Sequence[bytes]) -> np.ndarray:
    """A row for each text, filled up with zeros."""
    filled = b"".join(text.ljust(_ITEM, b"\0") for text in texts)
    return np.frombuffer(filled, "<u8").reshape(-1, _WORDS)


def _are_numbers(text: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Where there is a number of JSON's syntax (a mask)."""
    return mask(pc.match_substring_regex(cut_texts(text, begins, ends), f"^{JSON_NUMBER}$"))
