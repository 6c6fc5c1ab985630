"""Keys of events with what is remembered of each, as three sorted columns: 24 bytes a key.

| word | upper bits | lower bits |
|---|---|---|
| high | 64 of the key | |
| middle | 32 of the key | 32 of the digest |
| last | 59 of `since` | 5 of the digest |

So 96 of the 128 bits of a key tell it from others. With 10^10 keys held a new event is taken for a
repeat of another with a chance of 1.3 in 10^19, and that any two of them share their bits, of 6 in
10^10. 37 of the 64 bits of the digest tell a repeat from a conflict: 1 conflict of 1.4 * 10^11 is
taken for a repeat. `since` is exact: 59 bits of microseconds reach 9,134 years either side of 1970.

Keys are random, so their high words all but decide the order; two that share one are told apart
all the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

BYTES_A_KEY = 24
_FORMAT = b"\x02"  # state may outlive the version of this module that wrote it
_FORMAT_OF_32_BYTES = b"\x01"  # high and low half of the key, digest, since: 64 bits of each
_WORD = np.dtype("<u8")
_KEY_BITS = 32  # in `middle`
_SAID_BITS = 37
_LAST_BITS = 5  # of those, in `last`
_EARLIEST = -(1 << 58)


@dataclass(frozen=True, eq=False)
class SortedKeys:
    """Keys with their holders, sorted, each key once; the columns are uint64."""

    high: np.ndarray
    middle: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, segments: Iterable[bytes]) -> "SortedKeys":
        """All keys of some segments in any order; of two holders the later one holds.

        ValueError: a segment was written by a version of this program with another format.
        """
        high, middle, last = _together(segments)
        if (high[1:] > high[:-1]).all():
            return cls(high, middle, last)
        order = high.argsort()
        if _repeats(high[order]).any():
            order = np.lexsort((last, middle >> _KEY_BITS, high))
        latest = np.ones(len(order), bool)
        latest[:-1] = ~same_as_before(high[order], middle[order] >> _KEY_BITS)
        order = order[latest]
        return cls(high[order], middle[order], last[order])

    @classmethod
    def pack(
        cls, high: np.ndarray, rest: np.ndarray, said: np.ndarray, since: np.ndarray
    ) -> "SortedKeys":
        """Of keys in order, as `key_of` gives them, what their holders say, and since (µs)."""
        from_earliest = (since - _EARLIEST).view(np.uint64)
        middle = rest << _KEY_BITS | said >> _LAST_BITS
        return cls(high, middle, from_earliest << _LAST_BITS | said & ((1 << _LAST_BITS) - 1))

    def to_bytes(self) -> bytes:
        """One segment of state."""
        return _segment(self.columns)

    @property
    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All columns in their order."""
        return self.high, self.middle, self.last

    @property
    def rest(self) -> np.ndarray:
        """The bits of each key that are not in `high`."""
        rest: np.ndarray = self.middle >> _KEY_BITS
        return rest

    @property
    def said(self) -> np.ndarray:
        """What each holder says, as `said_by` gives it."""
        upper = (self.middle & ((1 << 32) - 1)) << _LAST_BITS
        said: np.ndarray = upper | self.last & ((1 << _LAST_BITS) - 1)
        return said

    @property
    def since(self) -> np.ndarray:
        """From when each key is held (µs)."""
        since: np.ndarray = (self.last >> _LAST_BITS).view(np.int64) + _EARLIEST
        return since

    @property
    def oldest(self) -> int | None:
        """The first of those moments; None without keys."""
        return (int(self.last.min()) >> _LAST_BITS) + _EARLIEST if len(self) else None

    def __len__(self) -> int:
        return len(self.high)

    def rows(self, which: np.ndarray | slice) -> "SortedKeys":
        """Some of the keys, in their order."""
        return SortedKeys(self.high[which], self.middle[which], self.last[which])

    def place(self, high: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each key how many of these are before it, and whether it is one of them."""
        at = self.high.searchsorted(high)
        if not len(self):
            return at, np.zeros(len(high), bool)
        found = self.high.take(at, mode="clip") == high
        near = found.nonzero()[0]
        while len(near):  # more than once only where two keys share their high word
            here = self.middle.take(at[near]) >> _KEY_BITS
            found[near] = here == rest[near]
            near = near[here < rest[near]]
            if len(near):
                at[near] += 1
                near = near[self.high.take(at[near], mode="clip") == high[near]]
                near = near[at[near] < len(self)]
        return at, found

    def merged(self, later: "SortedKeys") -> "SortedKeys":
        """These and others, which hold what is in both. Takes the memory of both once more."""
        at, found = self.place(later.high, later.rest)
        fresh = ~found
        new = at[fresh]
        anew = at[found] + new.searchsorted(at[found], side="right")
        new += np.arange(len(new))
        kept = np.ones(len(self) + len(new), bool)
        kept[new] = False
        columns = []
        for mine, others in zip(self.columns, later.columns, strict=True):
            column = np.empty(len(kept), _WORD)
            column[kept] = mine
            column[new] = others[fresh]
            column[anew] = others[found]
            columns.append(column)
        return SortedKeys(*columns)


def join_segments(segments: Iterable[bytes]) -> bytes:
    """Many small segments of state as one; they are put in order when they are read."""
    return _segment(_together(segments))


def joined(parts: Iterable[SortedKeys]) -> SortedKeys:
    """Keys of which all of one part are before all of the next."""
    return SortedKeys(*map(np.concatenate, zip(*(part.columns for part in parts), strict=True)))


def key_of(high: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is kept of keys given as two halves: the high one, and so much of the rest."""
    return high, low >> (64 - _KEY_BITS)


def said_by(digest: np.ndarray) -> np.ndarray:
    """What is kept of a digest of 64 bits."""
    said: np.ndarray = digest >> (64 - _SAID_BITS)
    return said


def same_as_before(high: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """For each key but the first whether it is the one before it."""
    same: np.ndarray = _repeats(high) & _repeats(rest)
    return same


def _repeats(sorted_words: np.ndarray) -> np.ndarray:
    same: np.ndarray = sorted_words[1:] == sorted_words[:-1]
    return same


def _segment(columns: Iterable[np.ndarray]) -> bytes:
    return b"".join([_FORMAT, *(column.astype(_WORD, copy=False).tobytes() for column in columns)])


def _together(segments: Iterable[bytes]) -> list[np.ndarray]:
    parts = [_decoded(segment).columns for segment in segments]
    return [np.concatenate([np.zeros(0, _WORD), *(part[i] for part in parts)]) for i in range(3)]


def _decoded(segment: bytes) -> SortedKeys:
    if segment[:1] == _FORMAT:
        return SortedKeys(*_words(segment, 3))
    if segment[:1] == _FORMAT_OF_32_BYTES:
        high, low, digest, since = _words(segment, 4)
        return SortedKeys.pack(*key_of(high, low), said_by(digest), since.view(np.int64))
    raise ValueError("this state was written by another version of the program")


def _words(segment: bytes, columns: int) -> np.ndarray:
    return np.frombuffer(segment, _WORD, offset=1).reshape(columns, -1)
