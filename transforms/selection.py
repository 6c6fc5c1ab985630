"""Batches of readings, those that a meter matches, and what meters that match the same ones share.

A catalog often counts the same events in several ways. What such meters have in common is worked
out once a batch: which rows match, their columns, the hours of their arrival, the codes of their
groups. Holds the columns of one selection at a time, of what is left of it where some readings are
refused, and the latest groups: about twice the batch, whatever the number of meters. A selection
does not know its batch, so both are gone as soon as the last meter is done.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import cached_property
from typing import Generic, TypeVar
from zlib import crc32

import numpy as np
import pyarrow as pa

from rates import RateBook
from transforms.arrays import micros
from transforms.counts import Count, by_hour, tally_hours
from transforms.groups import Groups
from transforms.readings import dictionary_mask, odd_kinds
from transforms.rescue import halves_of_batch
from transforms.scope import Scope
from transforms.slots import Filter, MeterPlan

T = TypeVar("T")


class _LastMade(Generic[T]):
    """The thing made last, which serves again for the same key."""

    def __init__(self) -> None:
        self._made: tuple[Hashable, T] | None = None

    def of(self, key: Hashable, make: Callable[[], T]) -> T:
        if self._made is None or self._made[0] != key:
            self._made = key, make()
        return self._made[1]


class Batch:
    """Accepted readings with what all meters need: the rates that hold, the scope, odd values."""

    def __init__(self, readings: pa.RecordBatch, book: RateBook, scope: Scope) -> None:
        self.readings, self.book, self.scope = readings, book, scope
        self.odd = odd_kinds(readings)
        self._hashes: dict[str, np.ndarray] = {}
        self._selection: _LastMade[Selection] = _LastMade()

    def halves(self) -> list["Batch"]:
        """The batch cut in two; nothing where it has but one row."""
        return [Batch(half, self.book, self.scope) for half in halves_of_batch(self.readings)]

    def selection(self, plan: MeterPlan) -> "Selection":
        """The readings that a meter matches; the same object for the next that matches as it."""
        return self._selection.of(
            plan.filter, lambda: Selection(self.readings, self.odd, self._matched(plan.filter))
        )

    def _matched(self, wanted: Filter) -> np.ndarray:
        matched = dictionary_mask(self.readings.column("event_type"), wanted.event_types)
        for slot, allowed in wanted.where:
            matched &= dictionary_mask(self.readings.column(slot), allowed)
        at = micros(self.readings.column("event_time"))
        if self.scope.start_us is not None:
            matched &= at >= self.scope.start_us
        if self.scope.end_us is not None:
            matched &= at < self.scope.end_us
        return np.flatnonzero(matched)

    def text_hashes(self, name: str) -> np.ndarray:
        """A hash (uint64) of each text in a column's dictionary, and 0 for null after the last."""
        if name not in self._hashes:
            texts = self.readings.column(name).dictionary.to_pylist()
            self._hashes[name] = np.array([*(crc32(text.encode()) for text in texts), 0], np.uint64)
        return self._hashes[name]


class Selection:
    """Some rows of readings: all that is asked of it is in their order, a place for each.

    odd: of all the readings, see `odd_kinds`.
    """

    def __init__(
        self, readings: pa.RecordBatch, odd: dict[str, dict[int, str]], rows: np.ndarray
    ) -> None:
        self.readings, self.rows = readings, rows
        self._odd = odd
        self._columns: dict[str, pa.Array] = {}
        self._rest: _LastMade[Selection] = _LastMade()
        self._groups: _LastMade[Groups] = _LastMade()

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> pa.Array:
        """A column of the readings, taken once."""
        if name not in self._columns:
            column = self.readings.column(name)
            whole = len(self) == len(column)
            self._columns[name] = column if whole else column.take(pa.array(self.rows))
        return self._columns[name]

    @cached_property
    def event_time(self) -> np.ndarray:
        """When the events happened, in µs."""
        return micros(self.column("event_time"))

    @cached_property
    def arrival(self) -> np.ndarray:
        """When the events arrived, in µs."""
        return micros(self.column("received_at"))

    @cached_property
    def _hours(self) -> list[tuple[int, int]]:
        return list(by_hour(self.arrival))

    def tally(self, outcome: str, meter: str) -> Iterator[tuple[str, Count]]:
        """Ledger counts of them all."""
        return tally_hours(self._hours, outcome, meter=meter)

    def odd(self, slots: list[str], kinds: str) -> np.ndarray:
        """The places of those that have an odd value of some kinds in one of some slots."""
        odd = [self._odd.get(slot, {}) for slot in slots]
        rows = {row for of_slot in odd for row, kind in of_slot.items() if kind in kinds}
        if not rows:
            return np.zeros(0, np.int64)
        return np.flatnonzero(np.isin(self.rows, list(rows)))

    def take(self, at: np.ndarray) -> pa.RecordBatch:
        """The readings at some places, with all columns."""
        return self.readings.take(pa.array(self.rows[at]))

    def without(self, at: list[np.ndarray]) -> "Selection":
        """The rest, where some places are left out; the same object for the same places."""
        out = np.unique(np.concatenate(at)) if at else np.zeros(0, np.int64)
        if not len(out):
            return self
        return self._rest.of(
            out.tobytes(), lambda: Selection(self.readings, self._odd, np.delete(self.rows, out))
        )

    def groups(self, key: Hashable, columns: Callable[[], list[pa.Array]]) -> Groups:
        """Their groups by some columns, which `key` stands for."""

        def make() -> Groups:
            arrays = columns()
            names = [str(place) for place in range(len(arrays))]
            return Groups(pa.table(arrays, names), names)

        return self._groups.of(key, make)
