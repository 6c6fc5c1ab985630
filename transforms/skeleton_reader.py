"""Reads the lines of a block that are as many others were, without parsing them.

Most events come from a few programs, each of which writes one line like the next. Of such lines
only the values differ (transforms/skeleton.py), so it is enough to compare the rest of them, which
takes much less time than to parse them. It decides how fast lines are read, and never how.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from transforms.arrays import cut_texts
from transforms.catalog import Source
from transforms.columns import Columns
from transforms.lines import Lines
from transforms.shape import Keys
from transforms.skeleton import skeleton_of
from transforms.skeleton_match import Marks, Matcher
from transforms.slots import Slots

_PIECE = 2 << 20  # what is made of it stays in the processor's cache
_MOST = 64
_TRIES = 8
_SHARE = 256  # a skeleton is worth knowing for one line in so many
_WORTH = 4  # and skeletons at all where they are those of one line in so many
_REST = 15  # blocks without them, where they are not


class Spans:
    """Where the values of a block's lines stand: int32, a row for each path; 0 where absent."""

    def __init__(self, paths: Mapping[Keys, int], lines: int) -> None:
        self.paths = paths
        self.begins = np.zeros((len(paths), lines), np.int32)
        self.ends = np.zeros((len(paths), lines), np.int32)

    def keep(self, matcher: Matcher, marks: Marks, at: np.ndarray, first: int) -> None:
        """Where the values of some lines of a piece are, which begins with the line `first`."""
        cells = np.ix_(matcher.rows, first + at)
        self.begins[cells], self.ends[cells] = matcher.values(marks, marks.starts[at])


class SkeletonColumns(Columns):
    """The records of lines, as `Columns`: every value as the text that stands in its line."""

    def __init__(self, lines: Lines, at: np.ndarray, spans: Spans) -> None:
        self.rows = len(at)
        self._at = at
        self._data = lines.data
        self._spans = spans

    def raw(self, keys: Keys) -> tuple[pa.Array | None, str]:
        """The texts at a path; those that are numbers have been found to be some, or are odd."""
        row = self._spans.paths.get(keys)
        if row is None:
            return None, "null"
        begins, ends = self._spans.begins[row], self._spans.ends[row]
        if self.rows < len(begins):
            begins, ends = begins[self._at], ends[self._at]
        present = begins > 0
        if not present.all():
            begins, ends = begins[present], ends[present]
        if not len(begins):
            return None, "null"
        return cut_texts(self._data, begins, ends, present), "string"


@dataclass
class SkeletonReader:
    """Learns skeletons as it reads, and holds at most 64 of them, of at most 400 quotes.

    wanted: path to the kinds of values it may have. `amounts` are those of which it does not matter
    here whether a number is one: whoever reads them as amounts looks at each. Several threads may
    read at once.
    """

    wanted: Mapping[Keys, frozenset[str]]
    amounts: frozenset[Keys]
    _known: list[Matcher] = field(default_factory=list)
    _paths: dict[Keys, int] = field(init=False)
    _resting: int = 0

    def __post_init__(self) -> None:
        self._paths = {keys: i for i, keys in enumerate(self.wanted)}

    @classmethod
    def of(cls, source: Source, slots: Slots) -> "SkeletonReader":
        """One for what the meters and the source of some records want of them."""
        wanted: dict[Keys, frozenset[str]] = dict.fromkeys(source.objects, frozenset(["object"]))
        amounts: set[Keys] = set()

        def want(keys: Keys, *kinds: str, amount: bool = False) -> None:
            wanted[keys] = wanted.get(keys, frozenset(kinds)) & frozenset(kinds)
            if amount:
                amounts.add(keys)

        for place in (source.event_type, source.customer_id, source.id):
            if place and place.path is not None:
                want(place.path, "string", *(["number"] if place.as_text else []))
        if source.id_scope is not None:
            want(source.id_scope, "string")
        for time in (source.timestamp, source.received_at):
            if time:
                epoch = time.format != "rfc3339"
                want(time.path, "string", *(["number"] if epoch else []), amount=epoch)
        for slot in slots.slots:
            if slot.kind == "number":
                want(source.resolve(slot.path), "string", "number", amount=True)
            else:
                want(source.resolve(slot.path), "string", "number", "bool")
        return cls(wanted, frozenset(amounts))

    def read(self, lines: Lines, chosen: np.ndarray) -> tuple[SkeletonColumns, np.ndarray]:
        """The records of lines (indexes, in order), and the indexes of those that were read."""
        spans = Spans(self._paths, len(lines))
        if self._resting > 0:
            self._resting -= 1
            return SkeletonColumns(lines, chosen[:0], spans), chosen[:0]
        read = np.zeros(len(lines), bool)
        good = np.zeros(len(lines), bool)
        good[chosen] = True
        for first, last in _pieces(lines):
            marks = Marks(lines, first, last)
            plain = np.flatnonzero(good[first:last] & marks.plain())
            for matcher, at in self._alike(lines, marks, plain, first):
                read[first + at] = True
                spans.keep(matcher, marks, at, first)
        at = np.flatnonzero(read)
        if len(at) * _WORTH < len(chosen):
            self._resting = _REST
        return SkeletonColumns(lines, at, spans), at

    def _alike(
        self, lines: Lines, marks: Marks, left: np.ndarray, first: int
    ) -> Iterator[tuple[Matcher, np.ndarray]]:
        """Each skeleton of the lines of a piece, known or learned, and those that are of it."""
        quotes, count = marks.quotes(), len(left)

        def split(left: np.ndarray, matcher: Matcher) -> tuple[np.ndarray, np.ndarray]:
            maybe = left[quotes[left] == matcher.quotes]
            same = maybe[matcher.matching(marks, marks.starts[maybe], self.amounts)]
            others = np.zeros(len(quotes), bool)
            others[left] = True
            others[same] = False
            return same, np.flatnonzero(others)

        for matcher in tuple(self._known):
            same, left = split(left, matcher)
            if len(same):
                yield matcher, same
        for _ in range(_TRIES):
            if not len(left) or len(self._known) >= _MOST:
                return
            skeleton = skeleton_of(lines[first + int(left[0])], self.wanted)
            if skeleton is None:
                left = left[1:]
                continue
            matcher = Matcher(skeleton, self._paths)
            same, left = split(left, matcher)
            if len(same) * _SHARE >= count:
                self._known.append(matcher)
            yield matcher, same


def _pieces(lines: Lines) -> Iterator[tuple[int, int]]:
    """The lines, cut wherever about a piece's bytes have come together."""
    cuts = (np.flatnonzero(np.diff(lines.ends // _PIECE)) + 1).tolist()
    return zip([0, *cuts], [*cuts, len(lines)], strict=True)
