"""Reads the lines of a block that are as many others were, without parsing them.

Most events come from a few programs, each of which writes one line like the next. Of such lines
only the values differ (transforms/skeleton.py), so it is enough to compare the rest of them, which
takes much less time than to parse them. It decides how fast lines are read, and never how.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from transforms.arrays import cut_texts, with_nulls
from transforms.catalog import Source
from transforms.columns import Columns
from transforms.lines import Lines
from transforms.shape import Keys
from transforms.skeleton import Skeleton, skeleton_of
from transforms.skeleton_match import Marks, Match, Matcher
from transforms.slots import Slots

_PIECE = 2 << 20  # what is made of it stays in the processor's cache
_MOST = 64
_TRIES = 8
_SHARE = 256  # a skeleton is worth knowing for one line of a piece in so many
_WORTH = 4  # and skeletons at all where they are those of one line in so many
_REST = 15  # blocks without them, where they are not


class ValueBounds:
    """Where the values of a block's lines begin and end: int32, a row for each path.

    0 where there is none: a value never begins there, as the `{` of its record stands before it.
    """

    def __init__(self, paths: Mapping[Keys, int], lines: int) -> None:
        self.paths = paths
        self.begins = np.zeros((len(paths), lines), np.int32)
        self.ends = np.zeros((len(paths), lines), np.int32)

    def keep(self, rows: np.ndarray, lines: np.ndarray, match: Match) -> None:
        """Where the values of the lines of a match are, of the paths at some rows."""
        cells = np.ix_(rows, lines)
        self.begins[cells], self.ends[cells] = match.begins, match.ends


class SkeletonColumns(Columns):
    """The records of lines, as `Columns`: every value as the text that stands in its line."""

    def __init__(self, lines: Lines, at: np.ndarray, bounds: ValueBounds) -> None:
        self.rows = len(at)
        self._at = at
        self._data = lines.data
        self._bounds = bounds

    def raw(self, keys: Keys) -> tuple[pa.Array | None, str]:
        """Every value as text, of the kind `string`.

        Where an amount is wanted, what stands for a number may be none: `number` says so.
        """
        row = self._bounds.paths.get(keys)
        if row is None:
            return None, "null"
        begins, ends = self._bounds.begins[row], self._bounds.ends[row]
        if self.rows < len(begins):
            begins, ends = begins[self._at], ends[self._at]
        present = begins > 0
        if not present.all():
            begins, ends = begins[present], ends[present]
        if not len(begins):
            return None, "null"
        return with_nulls(cut_texts(self._data, begins, ends), present), "string"


@dataclass
class SkeletonReader:
    """Learns skeletons as it reads, and holds the 64 that matched last, each of 16 KiB at most.

    wanted: path to the kinds of values it may have. `amounts` are those that are read as amounts or
    epoch times too (`Columns.number`), where each is looked at: so numbers are not, here. Several
    threads may read at once.
    """

    wanted: Mapping[Keys, frozenset[str]]
    amounts: frozenset[Keys]
    known: dict[Skeleton, Matcher] = field(default_factory=dict)  # what matched last is last
    _paths: dict[Keys, int] = field(init=False)
    _resting: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._paths = {keys: i for i, keys in enumerate(self.wanted)}

    @classmethod
    def of(cls, source: Source, slots: Slots) -> "SkeletonReader":
        """One for what the meters and the source of some records want of them."""
        wanted: dict[Keys, frozenset[str]] = dict.fromkeys(source.objects, frozenset(["object"]))

        def want(keys: Keys, *kinds: str) -> None:
            wanted[keys] = wanted.get(keys, frozenset(kinds)) & frozenset(kinds)

        for place in (source.event_type, source.customer_id, source.id):
            if place and place.path is not None:
                want(place.path, "string", *(["number"] if place.as_text else []))
        if source.id_scope is not None:
            want(source.id_scope, "string")
        for time in (source.timestamp, source.received_at):
            if time:
                want(time.path, "string", *(["number"] if time.format != "rfc3339" else []))
        for slot in slots.slots:
            boolean = [] if slot.kind == "number" else ["bool"]
            want(source.resolve(slot.path), "string", "number", *boolean)
        return cls(wanted, slots.amounts(source))

    def read(self, lines: Lines, chosen: np.ndarray) -> tuple[SkeletonColumns, np.ndarray]:
        """The records of lines (indexes, in order), and the indexes of those that were read."""
        if self._resting > 0:
            self._resting -= 1
            return SkeletonColumns(lines, chosen[:0], ValueBounds({}, 0)), chosen[:0]
        bounds = ValueBounds(self._paths, len(lines))
        read = np.zeros(len(lines), bool)
        good = np.zeros(len(lines), bool)
        good[chosen] = True
        for first, last in _pieces(lines):
            marks = Marks(lines, first, last)
            plain = np.flatnonzero(good[first:last] & marks.plain())
            for matcher, same, match in self._by_skeleton(lines, marks, plain, first):
                read[same] = True
                bounds.keep(matcher.rows, same, match)
        at = np.flatnonzero(read)
        if len(at) * _WORTH < len(chosen):
            self._resting = _REST
        return SkeletonColumns(lines, at, bounds), at

    def _by_skeleton(
        self, lines: Lines, marks: Marks, left: np.ndarray, first: int
    ) -> Iterator[tuple[Matcher, np.ndarray, Match]]:
        """Each skeleton of the lines of a piece, known or learned, and the block's lines of it.

        The piece begins with the line `first`; `left` are indexes in it.
        """
        quotes, count = marks.quotes(), len(left)

        def split(left: np.ndarray, matcher: Matcher) -> tuple[Match, np.ndarray, np.ndarray]:
            """The match, the lines of the piece that it is of, and the others."""
            maybe = left[quotes[left] == matcher.skeleton.quotes]
            match = matcher.match(marks, marks.starts[maybe])
            same = maybe[match.which]
            others = np.zeros(len(quotes), bool)
            others[left] = True
            others[same] = False
            return match, same, np.flatnonzero(others)

        with self._lock:
            known = list(self.known.values())
        for matcher in reversed(known):
            if not len(left):
                return
            match, same, left = split(left, matcher)
            if len(same):
                self._keep(matcher)
                yield matcher, first + same, match
        for _ in range(_TRIES):
            if not len(left):
                return
            skeleton = skeleton_of(lines[first + int(left[0])], self.wanted)
            if skeleton is None:
                left = left[1:]
                continue
            matcher = Matcher(skeleton, self._paths, self.amounts)
            match, same, left = split(left, matcher)
            if len(same) > 1 and len(same) * _SHARE >= count:
                self._keep(matcher)
            yield matcher, first + same, match

    def _keep(self, matcher: Matcher) -> None:
        """Holds what has matched, in place of what has not for the longest time."""
        with self._lock:
            self.known.pop(matcher.skeleton, None)
            self.known[matcher.skeleton] = matcher
            if len(self.known) > _MOST:
                del self.known[next(iter(self.known))]


def _pieces(lines: Lines) -> Iterator[tuple[int, int]]:
    """The lines, cut wherever about a piece's bytes have come together."""
    cuts = (np.flatnonzero(np.diff(lines.ends // _PIECE)) + 1).tolist()
    return zip([0, *cuts], [*cuts, len(lines)], strict=True)
