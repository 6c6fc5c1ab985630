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

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from transforms.sorted_keys import SortedKeys, order_by_key, same_as_before

ACCEPTED, DUPLICATE, CONFLICT = 0, 1, 2

_NOBODY = np.iinfo(np.int64).min  # since long before anything can have arrived
_MILLISECOND = 1_000
_RATIO = 4  # how many times as long as the next a run is at least
_LONGEST = 1 << 18  # most keys in a run that was merged: it takes some milliseconds
_SEGMENT = 1 << 15  # most keys in one segment of state: 1 MiB


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
        return since >= stamp - self.length_us - self.grace_us

    def due(self, since: int) -> int:
        """A moment from which on a holder is visible to none: a multiple of the grace."""
        grace = self.grace_us
        return ((since + self.length_us) // grace + 2) * grace


class SeenKeys:
    """The memory of one bucket: runs of sorted keys, each several times as long as the next.

    So a small batch costs a few searches however many keys there are, and each key is copied a
    dozen times in all. Holds 32 bytes a key, and twice that of the runs that are being merged.
    """

    def __init__(self, horizon: Horizon, segments: Iterable[bytes] = ()) -> None:
        """From segments of state, in any order."""
        self.horizon = horizon
        self._runs = _filled([SortedKeys.of(segments)])
        self._oldest = _oldest(self._runs)

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    @property
    def nbytes(self) -> int:
        """What the keys take in memory."""
        return 32 * len(self)

    @property
    def due(self) -> int | None:
        """When the first of the keys can be forgotten (µs); None without keys."""
        return None if self._oldest is None else self.horizon.due(self._oldest)

    def judge(
        self, high: np.ndarray, low: np.ndarray, digest: np.ndarray, arrival: np.ndarray, stamp: int
    ) -> tuple[np.ndarray, SortedKeys]:
        """The verdict on each record of an element, and the keys held by those accepted.

        The records of one key come in the order of their arrival. Nothing is remembered by this:
        see `add`.
        """
        order = order_by_key(high, low)
        high, low, digest, arrival = high[order], low[order], digest[order], arrival[order]
        begins = np.ones(len(order), bool)
        begins[1:] = ~same_as_before(high, low)
        key = np.cumsum(begins) - 1
        since, said = (known[key] for known in self._holders(high[begins], low[begins]))
        held = self.horizon.held(since, arrival, stamp)
        # the first whom the holder does not reach is accepted, and holds the key from then on
        accepted = ~held
        accepted[1:] &= begins[1:] | held[:-1]
        first = np.maximum.accumulate(np.where(accepted, np.arange(len(order)), 0))
        verdict = np.where(digest == np.where(held, said, digest[first]), DUPLICATE, CONFLICT)
        verdict[accepted] = ACCEPTED
        records = SortedKeys(high, low, digest, self.horizon.since(arrival, stamp))
        beyond = ~held & ~self.horizon.held(records.since[first], arrival, stamp)
        for row, outcome in self._one_by_one(np.flatnonzero(beyond), first, records, arrival):
            verdict[row] = outcome
        taken = np.flatnonzero(verdict == ACCEPTED)
        last = np.append(np.diff(key[taken]) != 0, np.ones(min(len(taken), 1), bool))
        verdicts = np.empty_like(verdict)
        verdicts[order] = verdict
        return verdicts, records.rows(taken[last])

    def _one_by_one(
        self, rows: np.ndarray, first: np.ndarray, records: SortedKeys, arrival: np.ndarray
    ) -> Iterator[tuple[int, int]]:
        """Verdicts on the few whom even the first of their key in this element does not reach."""
        digest, since = records.digest, records.since
        before = holder = -1
        for row in rows.tolist():
            if first[row] != before:
                before = holder = first[row]
            if arrival[row] > since[holder] + self.horizon.length_us:
                holder = row
                yield row, ACCEPTED
            else:
                yield row, DUPLICATE if digest[row] == digest[holder] else CONFLICT

    def _holders(self, high: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Since when each of some keys is held, and the digest of what its holder says."""
        since = np.full(len(high), _NOBODY)
        said = np.zeros(len(high), np.uint64)
        for run in self._runs:  # a later run has the later holder
            at, found = run.place(high, low)
            at = at[found]
            since[found], said[found] = run.since[at], run.digest[at]
        return since, said

    def add(self, keys: SortedKeys) -> None:
        """Remembers some more keys, as `judge` gave them."""
        runs = [*self._runs, *_filled([keys])]
        longest = max(len(self) // 8, _LONGEST)
        while len(runs) > 1 and _to_merge(len(runs[-2]), len(runs[-1]), longest):
            later = runs.pop()
            runs[-1] = runs[-1].merged(later)
        self._runs = runs
        known = [since for since in (self._oldest, _oldest([keys])) if since is not None]
        self._oldest = min(known, default=None)

    def forget(self, moment: int) -> None:
        """Drops the keys that are visible to no element of this stamp (µs) or a later one."""
        self._runs = _filled(
            [run.rows(self.horizon.visible(run.since, moment)) for run in self._runs]
        )
        self._oldest = _oldest(self._runs)

    def segments(self) -> list[bytes]:
        """All keys as segments of state."""
        return [
            run.rows(slice(at, at + _SEGMENT)).to_bytes()
            for run in self._runs
            for at in range(0, len(run), _SEGMENT)
        ]


def join_segments(segments: Iterable[bytes]) -> bytes:
    """Many small segments of state as one."""
    return SortedKeys.of(segments).to_bytes()


def _to_merge(run: int, later: int, longest: int) -> bool:
    return later * _RATIO > run and run + later <= longest


def _filled(runs: list[SortedKeys]) -> list[SortedKeys]:
    return [run for run in runs if len(run)]


def _oldest(runs: list[SortedKeys]) -> int | None:
    return min((int(run.since.min()) for run in _filled(runs)), default=None)
