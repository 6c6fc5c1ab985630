"""What a stream keeps of one window: a log of its deltas, and how far they have been shown.

A window is that of all meters whose windows begin, end and close together: transforms/deltas.py.
The log is two bags of state: `recent` has the last entries, `older` what they were added up to.
Each entry says where the log stands after it, so reading `recent`, which is small, tells all, and
a change is one more entry: two requests to the engine, where each takes about half a millisecond.

The totals of what was shown are not read back: the worker holds them, decoded, under a random token
that the last entry of the log names. So the totals of a bundle that failed, or of a worker that the
key has left, are never used. A token that another one was expected for is counted and reported: on
a cluster work was moved or repeated, on one machine the engine lost a change.
"""

import logging
import secrets
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from transforms.deltas import Delta, by_meter, from_bytes, joined, rows_of, to_bytes
from transforms.metrics import STATE_RELOADED
from transforms.window_totals import WindowTotals

_LOG = logging.getLogger(__name__)
_HEAD = struct.Struct("<qqqq16s")
_MANY = 32  # entries in `recent`, or that wait, before they are added up
_LARGE = 1 << 16  # or bytes
_FEW_ROWS = (
    4096  # `older` may have twice the rows that the totals have, and these, before it is cut
)
_GENEROUS = 512 << 20

Window = tuple[int, int, int, int]  # start, end, until when it admits (µs); bucket of series
Place = tuple[str, Window]  # a name that one step of one job has, and the key


class Entry(NamedTuple):
    """A delta, or nothing, and where the log stands after it."""

    number: int
    shown: int  # the last entry whose delta was shown
    stamp_us: int  # the latest stamp of an element
    older_rows: int  # rows in `older`
    token: bytes  # of the totals of what was shown
    delta: bytes

    @classmethod
    def of(cls, encoded: bytes) -> "Entry":
        """The entry of such bytes."""
        number, shown, stamp_us, older_rows, token = _HEAD.unpack_from(encoded)
        return cls(number, shown, stamp_us, older_rows, token, encoded[_HEAD.size :])

    def to_bytes(self) -> bytes:
        """As it is kept in state."""
        return _HEAD.pack(*self[:-1]) + self.delta


_START = Entry(0, 0, -(1 << 62), 0, b"", b"")


class Totals(dict[str, WindowTotals]):
    """The totals of a window, by meter."""

    @classmethod
    def of(cls, deltas: Iterable[Delta]) -> "Totals":
        """From deltas in the order they came."""
        return cls(
            {meter: WindowTotals.of(partials) for meter, partials in by_meter(deltas).items()}
        )

    @property
    def rows(self) -> int:
        """How many groups there are."""
        return sum(map(len, self.values()))

    @property
    def nbytes(self) -> int:
        """What they take in memory, or somewhat less."""
        return sum(totals.nbytes for totals in self.values())

    def add(self, deltas: Iterable[Delta]) -> Delta:
        """Takes deltas in, in the order they came; gives the totals of the groups they have."""
        return {
            meter: self.setdefault(meter, WindowTotals()).add(partials)
            for meter, partials in by_meter(deltas).items()
        }

    def whole(self) -> Delta:
        """All of it."""
        return {meter: totals.whole() for meter, totals in self.items()}


class HeldTotals:
    """The totals that a worker process holds: those used last, up to a number of bytes."""

    def __init__(self, limit: int = _GENEROUS) -> None:
        self.limit = limit
        self.nbytes = 0
        self._held: OrderedDict[Place, tuple[bytes, int, Totals]] = OrderedDict()
        self.reloaded = 0  # how often totals were there, but under another token
        self._warned: set[str] = set()
        self._lock = threading.Lock()

    def take(self, place: Place, token: bytes) -> Totals | None:
        """The totals of this token, if they are here. Nobody finds them until they are kept."""
        with self._lock:
            kept, size, totals = self._held.pop(place, (b"", 0, None))
            self.nbytes -= size
        if totals is not None and kept != token:
            self._report(place)
            return None
        return totals

    def keep(self, place: Place, token: bytes, totals: Totals) -> None:
        """Puts totals here, and those used least out where there is no room."""
        self.drop(place)
        size = totals.nbytes
        with self._lock:
            self._held[place] = token, size, totals
            self.nbytes += size
            while self.nbytes > self.limit and len(self._held) > 1:
                _, (_, size, _) = self._held.popitem(last=False)
                self.nbytes -= size

    def drop(self, place: Place) -> None:
        """Forgets the totals of a window that is over."""
        with self._lock:
            self.nbytes -= self._held.pop(place, (b"", 0, None))[1]

    def __len__(self) -> int:
        return len(self._held)

    def _report(self, place: Place) -> None:
        STATE_RELOADED.inc()
        with self._lock:
            self.reloaded += 1
            first = place[0] not in self._warned
            self._warned.add(place[0])
        if first:
            _LOG.warning(
                "the totals of window %s are not those this worker wrote last; they are read again."
                " This is normal where work was moved or repeated",
                place[1],
            )


HELD = HeldTotals()


@dataclass
class WindowLog:
    """The log of one window, for as long as a bundle lasts. Bags are in no order; entries are."""

    place: Place
    recent: Any  # BagStateSpec
    older: Any  # BagStateSpec
    entries: list[Entry]
    held: HeldTotals

    @classmethod
    def read(cls, place: Place, recent: Any, older: Any, held: HeldTotals) -> "WindowLog":
        """The log as it is in state."""
        return cls(place, recent, older, _in_order(recent.read()), held)

    @property
    def last(self) -> Entry:
        """Where the log stands."""
        return self.entries[-1] if self.entries else _START

    @property
    def waits(self) -> bool:
        """Whether there is a delta that was not shown."""
        return self.last.shown < self.last.number

    def wait(self, delta: bytes, stamp_us: int) -> None:
        """Adds a delta that is to be shown later."""
        shown = self.last.shown
        self._append(shown, stamp_us, self.last.token, delta)
        if sum(entry.number > shown for entry in self.entries) >= _MANY:
            waits = [from_bytes(entry.delta) for entry in self.entries if entry.number > shown]
            known = [entry for entry in self.entries if entry.number <= shown]
            self._rewrite([*known, self.last._replace(delta=to_bytes(joined(waits)))])

    def show(self, delta: bytes = b"", stamp_us: int | None = None) -> Delta:
        """The totals of the groups that changed since the last time, also by a last delta."""
        shown = self.last.shown
        deltas = [*(entry.delta for entry in self.entries if entry.number > shown), delta]
        found = [from_bytes(each) for each in deltas if each]
        if not found:
            return {}
        totals = self._totals()
        changed = totals.add(found)
        token = secrets.token_bytes(16)
        self._append(self.last.number + 1, stamp_us, token, delta)
        if len(self.entries) >= _MANY or sum(len(e.delta) for e in self.entries) >= _LARGE:
            self._add_up(totals)
        self.held.keep(self.place, token, totals)
        return changed

    def clear(self) -> None:
        """Frees everything."""
        self.entries = []
        self.recent.clear()
        self.older.clear()
        self.held.drop(self.place)

    def _append(self, shown: int, stamp_us: int | None, token: bytes, delta: bytes) -> None:
        last = self.last
        stamp_us = last.stamp_us if stamp_us is None else max(last.stamp_us, stamp_us)
        entry = Entry(last.number + 1, shown, stamp_us, last.older_rows, token, delta)
        self.recent.add(entry.to_bytes())
        self.entries.append(entry)

    def _totals(self) -> Totals:
        last = self.last
        totals = self.held.take(self.place, last.token)
        if totals is not None:
            return totals
        entries = [*(_in_order(self.older.read()) if last.older_rows else ()), *self.entries]
        known = [entry.delta for entry in entries if entry.delta and entry.number <= last.shown]
        return Totals.of(map(from_bytes, known))

    def _add_up(self, totals: Totals) -> None:
        """Moves the recent entries, which have all been shown, into `older` as one."""
        last = self.last
        one = joined(from_bytes(entry.delta) for entry in self.entries if entry.delta)
        rows = last.older_rows + rows_of(one)
        if rows > 2 * totals.rows + _FEW_ROWS:
            one, rows = totals.whole(), totals.rows
            self.older.clear()
        self.older.add(last._replace(delta=to_bytes(one)).to_bytes())
        self._rewrite([last._replace(older_rows=rows, delta=b"")])

    def _rewrite(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.recent.clear()
        for entry in entries:
            self.recent.add(entry.to_bytes())


def _in_order(encoded: Iterable[bytes]) -> list[Entry]:
    return sorted(map(Entry.of, encoded))
