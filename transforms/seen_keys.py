"""The keys that one bucket of a stream has seen: which events hold them, and for how long.

An accepted event holds its key. A later one is judged against the holder if it arrived at most the
horizon after it, to the microsecond, also where it arrived before it; else it is accepted anew and
holds the key from then on.

That is decided from the data and from the stamps of elements, never from when a key was forgotten:
a key leaves only when no element can come any more that would see it. So that this moment comes,
what arrived long before the time the stream has reached (a file of last month, read after today's)
holds its key from the stream's time, and long after its horizon by that time a key is not seen any
more. Long is more than the grace, a 32nd of the horizon.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from transforms.key_runs import KeyRuns
from transforms.sorted_keys import SortedKeys, key_of, said_by, same_as_before

ACCEPTED, DUPLICATE, CONFLICT = 0, 1, 2

_MILLISECOND = 1_000


@dataclass(frozen=True)
class Horizon:
    """How long an event holds its key (µs)."""

    length_us: int

    @property
    def grace_us(self) -> int:
        """How far arrivals may lag behind the stream's time; whole milliseconds, as timers are."""
        return max(self.length_us // 32 // _MILLISECOND, 1) * _MILLISECOND

    def since(self, arrival: np.ndarray, stamp: int) -> np.ndarray:
        """From when events of an element with this stamp hold their keys."""
        return np.where(arrival < stamp - self.grace_us, stamp, arrival)

    def held(self, since: np.ndarray, arrival: np.ndarray, stamp: int) -> np.ndarray:
        """Whether records of an element with this stamp are judged against these holders."""
        held: np.ndarray = self.visible(since, stamp) & (arrival <= since + self.length_us)
        return held

    def visible(self, since: np.ndarray, stamp: int) -> np.ndarray:
        """Whether an element with this stamp or a later one can see these holders."""
        return since >= self.earliest(stamp)

    def earliest(self, stamp: int) -> int:
        """Since when the first of those that an element with this stamp can see hold their keys."""
        return stamp - self.length_us - self.grace_us

    def due(self, since: int) -> int:
        """A moment from which on a holder is visible to none: a multiple of the grace."""
        grace = self.grace_us
        return ((since + self.length_us) // grace + 2) * grace


@dataclass(frozen=True)
class _Records:
    """What decides on the records of an element."""

    high: np.ndarray
    rest: np.ndarray
    said: np.ndarray
    arrival: np.ndarray

    def rows(self, which: np.ndarray) -> "_Records":
        return _Records(self.high[which], self.rest[which], self.said[which], self.arrival[which])

    def in_turn(self, order: np.ndarray) -> np.ndarray:
        """Row numbers by key, the rows of one key in this order."""
        by: np.ndarray = order[np.lexsort((self.rest[order], self.high[order]))]
        return by


class SeenKeys:
    """The memory of one bucket: 24 bytes a key. What is kept of one: transforms/sorted_keys.py."""

    def __init__(self, horizon: Horizon, segments: Iterable[bytes] = ()) -> None:
        """From segments of state, in any order."""
        self.horizon = horizon
        self._held = KeyRuns(segments)
        self._oldest = self._held.oldest

    def __len__(self) -> int:
        return len(self._held)

    @property
    def nbytes(self) -> int:
        """What the keys take in memory."""
        return self._held.nbytes

    @property
    def due(self) -> int | None:
        """When the first of the keys can be forgotten (µs); None without keys."""
        return None if self._oldest is None else self.horizon.due(self._oldest)

    def judge(  # noqa: PLR0917 - columns of records
        self,
        high: np.ndarray,
        low: np.ndarray,
        digest: np.ndarray,
        arrival: np.ndarray,
        stamp: int,
        in_order: Callable[[], np.ndarray] | None = None,
    ) -> tuple[np.ndarray, SortedKeys]:
        """The verdict on each record of an element, and the keys held by those accepted.

        `in_order` gives the row numbers in the order of arrival; without it the records come so. It
        is asked only where a key is there twice. Nothing is remembered by this: see `add`.
        """
        records = _Records(*key_of(high, low), said_by(digest), arrival)
        order = high.argsort()
        by_key = records.rows(order)
        if (by_key.high[1:] == by_key.high[:-1]).any():
            order = records.in_turn(in_order() if in_order else np.arange(len(high)))
            by_key = records.rows(order)
            verdict, holders = self._in_turn(by_key, stamp)
        else:
            verdict = self._apart(by_key, stamp)
            holders = np.flatnonzero(verdict == ACCEPTED)
        verdicts = np.empty_like(verdict)
        verdicts[order] = verdict
        accepted = by_key.rows(holders)
        since = self.horizon.since(accepted.arrival, stamp)
        return verdicts, SortedKeys.pack(accepted.high, accepted.rest, accepted.said, since)

    def _apart(self, records: _Records, stamp: int) -> np.ndarray:
        """Verdicts on records of different keys."""
        since, said = self._held.holders(records.high, records.rest)
        held = self.horizon.held(since, records.arrival, stamp)
        return np.where(held, np.where(records.said == said, DUPLICATE, CONFLICT), ACCEPTED)

    def _in_turn(self, records: _Records, stamp: int) -> tuple[np.ndarray, np.ndarray]:
        """Verdicts on records by key and in the order of arrival; who holds each key after them."""
        begins = np.ones(len(records.high), bool)
        begins[1:] = ~same_as_before(records.high, records.rest)
        key = np.cumsum(begins) - 1
        known = self._held.holders(records.high[begins], records.rest[begins])
        since, said = (column[key] for column in known)
        held = self.horizon.held(since, records.arrival, stamp)
        # the first whom the holder does not reach is accepted, and holds the key from then on
        accepted = ~held
        accepted[1:] &= begins[1:] | held[:-1]
        first = np.maximum.accumulate(np.where(accepted, np.arange(len(key)), 0))
        says = np.where(held, said, records.said[first])
        verdict = np.where(records.said == says, DUPLICATE, CONFLICT)
        verdict[accepted] = ACCEPTED
        since = self.horizon.since(records.arrival, stamp)
        beyond = ~held & ~self.horizon.held(since[first], records.arrival, stamp)
        for row, outcome in self._one_by_one(np.flatnonzero(beyond), first, records, since):
            verdict[row] = outcome
        taken = np.flatnonzero(verdict == ACCEPTED)
        last = np.append(np.diff(key[taken]) != 0, np.ones(min(len(taken), 1), bool))
        return verdict, taken[last]

    def _one_by_one(
        self, rows: np.ndarray, first: np.ndarray, records: _Records, since: np.ndarray
    ) -> Iterator[tuple[int, int]]:
        """Verdicts on the few whom even the first of their key in this element does not reach."""
        before = holder = -1
        for row in rows.tolist():
            if first[row] != before:
                before = holder = first[row]
            if records.arrival[row] > since[holder] + self.horizon.length_us:
                holder = row
                yield row, ACCEPTED
            else:
                yield row, DUPLICATE if records.said[row] == records.said[holder] else CONFLICT

    def add(self, keys: SortedKeys) -> None:
        """Remembers some more keys, as `judge` gave them."""
        self._held.add(keys)
        known = [since for since in (self._oldest, keys.oldest) if since is not None]
        self._oldest = min(known, default=None)

    def forget(self, moment: int) -> None:
        """Drops the keys that are visible to no element of this stamp (µs) or a later one."""
        self._held.forget(self.horizon.earliest(moment))
        self._oldest = self._held.oldest

    def segments(self) -> list[bytes]:
        """All keys as segments of state."""
        return self._held.segments()
