"""Keys of events with what is remembered of each, as sorted columns.

Keys are random, so their high halves all but decide the order; two that share one are told apart
all the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

_FORMAT = b"\x01"  # state may outlive the version of this module that wrote it
_KINDS = ("<u8", "<u8", "<u8", "<i8")


@dataclass(frozen=True, eq=False)
class SortedKeys:
    """Keys with their holders, sorted by (high, low), each key once: 32 bytes a key.

    The halves of the key and the digest of what the holder says are uint64; `since` is from when
    it holds the key, int64 µs.
    """

    high: np.ndarray
    low: np.ndarray
    digest: np.ndarray
    since: np.ndarray

    @classmethod
    def of(cls, segments: Iterable[bytes]) -> "SortedKeys":
        """All keys of some segments in any order; of two holders the later one holds.

        ValueError: a segment was written by a version of this program with another format.
        """
        parts = [_decode(segment) for segment in segments]
        if len(parts) == 1:
            return cls(*parts[0])
        columns = [
            np.concatenate([np.zeros(0, kind), *(part[i] for part in parts)])
            for i, kind in enumerate(_KINDS)
        ]
        high, low, _, since = columns
        order = np.argsort(high)
        if (np.diff(high[order]) == 0).any():
            order = np.lexsort((since, low, high))
        last = np.ones(len(order), bool)
        last[:-1] = ~same_as_before(high[order], low[order])
        return cls(*(column[order[last]] for column in columns))

    def to_bytes(self) -> bytes:
        """One segment of state."""
        pairs = zip(self.columns, _KINDS, strict=True)
        return b"".join([_FORMAT, *(column.astype(kind).tobytes() for column, kind in pairs)])

    @property
    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """All columns in their order."""
        return self.high, self.low, self.digest, self.since

    def __len__(self) -> int:
        return len(self.high)

    def rows(self, which: np.ndarray | slice) -> "SortedKeys":
        """Some of the keys, in their order."""
        return SortedKeys(*(column[which] for column in self.columns))

    def place(self, high: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each key how many of these are before it, and whether it is one of them."""
        at = np.searchsorted(self.high, high)
        found = np.zeros(len(high), bool)
        near = self._sharing(np.arange(len(high)), at, high)
        while len(near):  # more than once only where two keys share their high half
            here = self.low[at[near]]
            found[near] = here == low[near]
            near = near[here < low[near]]
            at[near] += 1
            near = self._sharing(near, at, high)
        return at, found

    def _sharing(self, rows: np.ndarray, at: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Those rows whose high half is also that of the key at their place."""
        rows = rows[at[rows] < len(self)]
        return rows[self.high[at[rows]] == high[rows]]

    def merged(self, later: "SortedKeys") -> "SortedKeys":
        """These and others, which hold what is in both. Takes the memory of both once more."""
        at, found = self.place(later.high, later.low)
        new = at[~found] + np.arange(len(later) - np.count_nonzero(found))
        kept = np.ones(len(self) + len(new), bool)
        kept[new] = False
        anew = at[found] + np.searchsorted(at[~found], at[found], side="right")
        columns = []
        for mine, others in zip(self.columns, later.columns, strict=True):
            column = np.empty(len(kept), mine.dtype)
            column[kept] = mine
            column[new] = others[~found]
            column[anew] = others[found]
            columns.append(column)
        return SortedKeys(*columns)


def order_by_key(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Row numbers by key; the rows of one key stay in their order."""
    order = np.argsort(high, kind="stable")
    tied = (np.diff(high[order]) == 0) & (np.diff(low[order]) != 0)
    return np.lexsort((low, high)) if tied.any() else order


def same_as_before(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """For each key but the first whether it is the one before it."""
    same: np.ndarray = (high[1:] == high[:-1]) & (low[1:] == low[:-1])
    return same


def _decode(segment: bytes) -> list[np.ndarray]:
    if segment[:1] != _FORMAT:
        raise ValueError("this state was written by another version of the program")
    count = (len(segment) - 1) // 32
    return [np.frombuffer(segment, kind, count, 1 + 8 * count * i) for i, kind in enumerate(_KINDS)]
