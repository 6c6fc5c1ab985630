"""One meter over one batch of readings: what it matches, refuses and adds up."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rates import RateBook
from transforms.aggregations import AGGREGATIONS
from transforms.arrays import micros
from transforms.conflicts import keys_of, origins_of
from transforms.counts import tally
from transforms.groups import Groups, places_of
from transforms.kernel import Tagged
from transforms.partials import partial_batch
from transforms.readings import buckets_of, dictionary_mask, odd_kinds
from transforms.reasons import Reason
from transforms.rejects import rejects_batch
from transforms.rescue import halves_of_batch
from transforms.run import Run
from transforms.slots import MeterPlan
from transforms.timestamps import format_time

if TYPE_CHECKING:
    from transforms.measure import Measurer


@dataclass(frozen=True)
class Batch:
    """Readings with what all meters need of them: the rates that hold, and the odd values."""

    readings: pa.RecordBatch
    book: RateBook
    odd: dict[str, dict[int, str]]

    @classmethod
    def of(cls, readings: pa.RecordBatch, book: RateBook) -> "Batch":
        """Looks for the odd values, once for all meters."""
        return cls(readings, book, odd_kinds(readings))

    def halves(self) -> list["Batch"]:
        """The batch cut in two; nothing where it has but one row."""
        return [Batch.of(half, self.book) for half in halves_of_batch(self.readings)]


class MeterBatch:
    """One meter over one batch; `kernel` is the step that it is done for."""

    def __init__(self, kernel: "Measurer", plan: MeterPlan, batch: Batch) -> None:
        self.kernel, self.plan, self.book = kernel, plan, batch.book
        self.readings, self.odd = batch.readings, batch.odd
        self.meter = plan.meter
        self.event_time = micros(self.readings.column("event_time"))
        self.arrival = micros(self.readings.column("received_at"))
        width = self.meter.window_us
        self.window_start = self.event_time - np.mod(self.event_time, width)

    def results(self) -> Iterator[Tagged]:
        """The partials of the meter's groups, what it refuses, and its counts."""
        matched = self._matched()
        rows = np.flatnonzero(matched)
        if not len(rows):
            return
        name = self.meter.name
        yield from tally(self.arrival[rows], "matched", meter=name)
        metered = matched.copy()
        for reason, at in self._rejected(matched):
            metered[at] = False
            yield "rejects", self._rejects(reason, at)
            yield from tally(self.arrival[at], "rejected", meter=name, reason=reason)
        rows = np.flatnonzero(metered)
        if len(rows):
            yield from tally(self.arrival[rows], "metered", meter=name)
            yield from self._partials(rows)

    def _matched(self) -> np.ndarray:
        types = self.readings.column("event_type")
        matched = dictionary_mask(types, frozenset(self.meter.event_types))
        for slot, allowed in self.plan.where:
            matched &= dictionary_mask(self.readings.column(slot), allowed)
        scope = self.kernel.scope
        if scope.start_us is not None:
            matched &= self.event_time >= scope.start_us
        if scope.end_us is not None:
            matched &= self.event_time < scope.end_us
        return matched

    def _rejected(self, matched: np.ndarray) -> Iterator[tuple[Reason, np.ndarray]]:
        """Reasons in their order, each with the rows that no earlier one holds of."""
        left = matched.copy()
        for reason, holds in (
            (Reason.INVALID_DIMENSION, self._odd([s for _, s in self.plan.dimensions], "j")),
            (Reason.MISSING_VALUE, self._missing()),
            (Reason.INVALID_VALUE, self._odd(self._value(), "jt")),
            (Reason.NUMBER_OUT_OF_RANGE, self._odd(self._value(), "r")),
            (Reason.TOO_LATE, self._too_late()),
        ):
            rows = np.flatnonzero(left & holds)
            if len(rows):
                left[rows] = False
                yield reason, rows

    def _value(self) -> list[str]:
        return [self.plan.value] if self.plan.value else []

    def _odd(self, slots: list[str], kinds: str) -> np.ndarray:
        holds = np.zeros(len(self.event_time), bool)
        for slot in slots:
            for row, kind in self.odd.get(slot, {}).items():
                holds[row] |= kind in kinds
        return holds

    def _missing(self) -> np.ndarray:
        if not self.plan.value:
            return np.zeros(len(self.event_time), bool)
        absent: np.ndarray = self.readings.column(self.plan.value).is_null().to_numpy(False)  # noqa: FBT003 - Arrow's zero_copy_only
        return absent & ~self._odd(self._value(), "jtr")

    def _too_late(self) -> np.ndarray:
        if not self.kernel.scope.as_streamed:
            return np.zeros(len(self.event_time), bool)
        closes = self.window_start + self.meter.window_us + self.meter.allowed_lateness_us
        late: np.ndarray = self.arrival > closes
        return late

    def _rejects(self, reason: Reason, at: np.ndarray) -> pa.RecordBatch:
        rows = self.readings.take(pa.array(at))
        run, details = self.kernel.run, self._details(reason, at)
        return rejects_of(run, rows, self.meter.name, reason, details)

    def _details(self, reason: Reason, at: np.ndarray) -> list[str]:
        value = self.meter.value.dotted if self.meter.value else ""
        texts = {
            Reason.INVALID_DIMENSION: "a dimension is an object or an array",
            Reason.MISSING_VALUE: f"field {value!r} is absent or null",
            Reason.INVALID_VALUE: f"field {value!r} is not what {self.meter.aggregation} takes",
            Reason.NUMBER_OUT_OF_RANGE: f"field {value!r} has 10^20 or more, or over 18 decimals",
        }
        if reason is not Reason.TOO_LATE:
            return [texts[reason]] * len(at)
        closes = self.window_start[at] + self.meter.window_us + self.meter.allowed_lateness_us
        return [f"the window closed at {format_time(c)}" for c in closes.tolist()]

    def _partials(self, rows: np.ndarray) -> Iterator[Tagged]:
        column = self._columns_at(rows)
        keys = {"customer_id": column("customer_id")}
        for name, slot in self.plan.dimensions:
            keys[f"d:{name}"] = column(slot)
        keys["rate_at"] = pa.array(self._rate_at(rows))
        groups = Groups(pa.table(keys), list(keys))
        columns = {"group": pa.array(groups.codes)}
        if self.plan.value:
            columns["value"] = column(self.plan.value)
            columns["time"] = pa.array(self.event_time[rows])
        done = AGGREGATIONS[self.meter.aggregation].partial(pa.table(columns)).combine_chunks()
        found = groups.columns(done.column("group").to_numpy())
        own = {name: done.column(name).combine_chunks() for name in done.column_names[1:]}
        bucket = series_bucket(found, self.kernel.buckets)
        if self.kernel.rated:
            found = self._rated(found)
        batch = partial_batch(found, own, self.meter.aggregation)
        for number, piece in buckets_of(batch, bucket):
            yield "partials", ((self.meter.name, number), piece)

    def _columns_at(self, rows: np.ndarray) -> Callable[[str], pa.Array]:
        """Gives a column of the readings by its name, at some rows, each of them once."""
        if len(rows) == self.readings.num_rows:
            return self.readings.column
        taken = pa.array(rows)
        return lambda name: self.readings.column(name).take(taken)

    def _rated(self, keys: dict[str, pa.Array]) -> dict[str, pa.Array]:
        """The keys with the terms of the rate; `rate_at` is the window's start from here on."""
        at = keys.pop("rate_at").to_numpy()  # it stays the last of the keys
        if AGGREGATIONS[self.meter.aggregation].by_rate:
            terms = self._terms_at(self.book, keys, at)
        else:
            terms = self._terms_of_windows(keys, at)
        start = pa.array(at - np.mod(at, self.meter.window_us))
        return {**keys, "rate": terms, "rate_at": start}

    def _terms_of_windows(self, keys: dict[str, pa.Array], start: np.ndarray) -> pa.Array:
        """The terms for windows that have one rate each, however the rates change meanwhile."""
        windows, window = np.unique(start, return_inverse=True)
        books = self.kernel.books.of_windows(windows)
        if len({book.digest for book in books}) == 1:
            return self._terms_at(books[0], keys, start)
        of_each = [self._terms_at(book, keys, start).cast(pa.string()) for book in books]
        rows = pa.array(np.arange(len(start)) + len(start) * window)
        return pa.concat_arrays(of_each).take(rows).dictionary_encode()

    def _terms_at(self, book: RateBook, keys: dict[str, pa.Array], at: np.ndarray) -> pa.Array:
        dimensions = {name: keys[f"d:{name}"] for name, _ in self.plan.dimensions}
        places = book.match(self.meter.name, keys["customer_id"], dimensions, at)
        terms = self.kernel.terms(book)
        return terms.take(pa.array(places % len(terms)))

    def _rate_at(self, rows: np.ndarray) -> np.ndarray:
        """When the rate of an event is looked up: the window's start, or a later rate change."""
        at = self.window_start[rows]
        changes = self.book.boundaries(self.meter.name)
        if not AGGREGATIONS[self.meter.aggregation].by_rate or not len(changes):
            return at
        latest = np.searchsorted(changes, self.event_time[rows], side="right")
        before = np.concatenate([[np.iinfo(np.int64).min], changes])
        return np.maximum(at, before[latest])


def rejects_of(
    run: Run, rows: pa.RecordBatch, meter: str, reason: Reason, details: list[str]
) -> pa.RecordBatch:
    """Readings that a meter could not take, as rejects."""
    return rejects_batch(
        run.run_id,
        rows.num_rows,
        origin=origins_of(rows),
        reason=str(reason),
        detail=details,
        meter=meter,
        event_key=keys_of(rows),
        customer_id=rows.column("customer_id"),
        event_time=rows.column("event_time"),
        received_at=rows.column("received_at"),
    )


def series_bucket(keys: dict[str, pa.Array], buckets: int) -> np.ndarray:
    """A bucket for each group, the same for all groups of one customer and dimensions, anywhere."""
    mixed = np.zeros(len(next(iter(keys.values()))), np.uint64)
    if buckets == 1:
        return mixed.astype(np.int64)
    for column in keys.values():
        if pa.types.is_dictionary(column.type):
            hashes = [zlib.crc32(text.encode()) for text in column.dictionary.to_pylist()]
            by_index = np.array([*hashes, 0], np.uint64)
            mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + by_index[places_of(column)]
    mixed ^= mixed >> np.uint64(32)
    return (mixed % np.uint64(buckets)).astype(np.int64)
