"""Finds the lines of a skeleton among many, and where their values stand, all lines at once.

All bytes that lines of a skeleton share are compared: what matches is a record, byte for byte.
Arrays of places have a row for each place and a column for each line.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow.compute as pc

from transforms.arrays import cut_texts
from transforms.lines import NEWLINE, Lines
from transforms.numbers import JSON_NUMBER, mask
from transforms.shape import Keys
from transforms.skeleton import Fixed, Place, Skeleton, Span

_QUOTE, _BACKSLASH, _FIRST_PLAIN = 34, 92, 32
_WORD, _WORDS = 8, 4
_ITEM = _WORD * _WORDS
_PROBES = 3


class Marks:
    """The marks (see transforms/skeleton.py) of lines in a row, `first` to `last` of a block.

    text: the lines, with a byte before them and some behind. positions: int32, in the text, of all
    marks; those of a line begin at its place in `starts`. Holds up to 5 times the lines' bytes.
    """

    def __init__(self, lines: Lines, first: int, last: int) -> None:
        begin, end = int(lines.starts[first]), int(lines.ends[last - 1])
        self.origin = begin - 1
        self.text = np.full(end - self.origin + _ITEM, NEWLINE, np.uint8)
        self.text[1 : end - self.origin] = np.frombuffer(lines.data, np.uint8, end - begin, begin)
        self._chars = self.text[: end - self.origin + 1]
        self._before = (lines.starts[first:last] - begin).astype(np.int32)
        self._behind = (lines.ends[first:last] - self.origin).astype(np.int32)
        marked = self._chars == _QUOTE
        marked[self._before] = True
        marked[self._behind] = True
        self.positions = np.flatnonzero(marked).astype(np.int32)
        self.starts = np.searchsorted(self.positions, self._before)

    def quotes(self) -> np.ndarray:
        """How many quotes each line has."""
        return np.searchsorted(self.positions, self._behind) - self.starts - 1

    def plain(self) -> np.ndarray:
        """Which lines have no backslash and no control character."""
        plain = np.ones(len(self.starts), bool)
        odd = (self._chars < _FIRST_PLAIN) | (self._chars == _BACKSLASH)
        odd[self._before] = False
        odd[self._behind] = False
        if odd.any():
            at = np.flatnonzero(odd)
            line = np.searchsorted(self._before, at, side="right") - 1
            plain[line[at < self._behind[line]]] = False
        return plain


class Places:
    """Several places in a line."""

    def __init__(self, places: Sequence[Place]) -> None:
        columns = np.array(places, np.int64).reshape(-1, 2)
        self._marks, self._offsets = columns[:, :1], columns[:, 1:]

    def of(self, marks: Marks, starts: np.ndarray) -> np.ndarray:
        """Where they are in the lines whose marks begin at `starts`: int64."""
        at: np.ndarray = marks.positions[self._marks + starts] + self._offsets
        return at


class Matcher:
    """Knows the lines of one skeleton.

    `rows` numbers the paths of values. Whether the numbers at `amounts` are some is not looked at.
    """

    def __init__(
        self, skeleton: Skeleton, rows: Mapping[Keys, int], amounts: frozenset[Keys]
    ) -> None:
        self.skeleton = skeleton
        self._some = _Lengths(skeleton.fixed[:: max(1, len(skeleton.fixed) // _PROBES)])
        self._lengths = _Lengths(skeleton.fixed)
        self._pieces = _Pieces(skeleton.fixed)
        self._numbers = _Spans([span for _, span in skeleton.numbers])
        checked = [span for keys, span in skeleton.numbers if keys not in amounts]
        self._checked = [_Spans([span]) for span in checked]
        self._values = _Spans([span for _, span in skeleton.values])
        self.rows = np.array([rows[keys] for keys, _ in skeleton.values], np.int64)

    def matching(self, marks: Marks, starts: np.ndarray) -> np.ndarray:
        """Which lines are of the skeleton (indexes), of plain ones of as many quotes.

        `starts`: where their marks begin.
        """
        # most lines of other skeletons are told by a few lengths
        left = np.flatnonzero(self._some.fit(marks, starts)[0])
        fit, begins = self._lengths.fit(marks, starts[left])
        if not fit.all():
            left, begins = left[fit], begins[:, fit]
        # each text has its length now, but one may begin before the number that it stands behind:
        # only without those may texts be read where they should be
        first, last = self._numbers.of(marks, starts[left])
        apart = (first < last).all(axis=0)
        if not apart.all():
            left, begins = left[apart], begins[:, apart]
        left = left[self._pieces.same(marks.text, begins)]
        for spans in self._checked:
            first, last = spans.of(marks, starts[left])
            left = left[_are_numbers(marks.text, first[0], last[0])]
        return left

    def values(self, marks: Marks, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the values in lines of the skeleton begin and end, in the lines' block."""
        begins, ends = self._values.of(marks, starts)
        return begins + marks.origin, ends + marks.origin


class _Spans:
    def __init__(self, spans: Sequence[Span]) -> None:
        self._begins = Places([span.begin for span in spans])
        self._ends = Places([span.end for span in spans])

    def of(self, marks: Marks, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._begins.of(marks, starts), self._ends.of(marks, starts)


class _Lengths:
    """How long texts are that stand between values."""

    def __init__(self, fixed: Sequence[Fixed]) -> None:
        self._spans = _Spans([span for span, _ in fixed])
        self._lengths = np.array([[len(text)] for _, text in fixed])

    def fit(self, marks: Marks, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """In which lines (a mask) there is as much between the values, and where it begins."""
        begins, ends = self._spans.of(marks, starts)
        return (ends - begins == self._lengths).all(axis=0), begins


class _Pieces:
    """Texts in pieces of at most 32 bytes, to be compared word by word."""

    def __init__(self, fixed: Sequence[Fixed]) -> None:
        pieces = [
            (row, at, text[at : at + _ITEM])
            for row, (_, text) in enumerate(fixed)
            for at in range(0, len(text), _ITEM)
        ]
        self._rows = np.array([row for row, _, _ in pieces])
        self._offsets = np.array([[at] for _, at, _ in pieces])
        self._wanted = _words([text for _, _, text in pieces])
        self._read = _words([b"\xff" * len(text) for _, _, text in pieces])

    def same(self, text: np.ndarray, begins: np.ndarray) -> np.ndarray:
        """Where all of them stand (a mask), given where each should begin."""
        # an item of bytes can be at any byte: no copy, and aligned wherever it stands
        items = np.ndarray(len(text) - _ITEM + 1, f"V{_ITEM}", text, strides=(1,))
        found = items[begins[self._rows] + self._offsets].view("<u8")
        found = found.reshape(len(self._rows), -1, _WORDS)
        same = np.ones(begins.shape[1], bool)
        for word in range(_WORDS):
            read = found[:, :, word] & self._read[:, word, None]
            same &= (read == self._wanted[:, word, None]).all(axis=0)
        return same


def _words(texts: Sequence[bytes]) -> np.ndarray:
    """A row for each text, filled up with zeros."""
    filled = b"".join(text.ljust(_ITEM, b"\0") for text in texts)
    return np.frombuffer(filled, "<u8").reshape(-1, _WORDS)


def _are_numbers(text: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Where there is a number of JSON's syntax (a mask)."""
    return mask(pc.match_substring_regex(cut_texts(text, begins, ends), f"^{JSON_NUMBER}$"))
