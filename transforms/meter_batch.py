"""One meter over one batch of readings: what it matches, refuses and adds up."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rates import RateBook
from transforms.aggregations import AGGREGATIONS
from transforms.arrays import floored
from transforms.conflicts import keys_of, origins_of
from transforms.counts import tally
from transforms.groups import Groups, places_of
from transforms.kernel import Tagged
from transforms.partials import partial_batch
from transforms.readings import buckets_of
from transforms.reasons import Reason
from transforms.rejects import rejects_batch
from transforms.run import Run
from transforms.selection import Batch, Selection
from transforms.slots import MeterPlan
from transforms.timestamps import format_time

if TYPE_CHECKING:
    from transforms.measure import Measurer

_NOWHERE = np.zeros(0, np.int64)


class MeterBatch:
    """One meter over one batch; `kernel` is the step that it is done for."""

    def __init__(self, kernel: "Measurer", plan: MeterPlan, batch: Batch) -> None:
        self.kernel, self.plan, self.book = kernel, plan, batch.book
        self.batch, self.meter = batch, plan.meter

    def results(self) -> Iterator[Tagged]:
        """The partials of the meter's groups, what it refuses, and its counts."""
        matched = self.batch.selection(self.plan)
        if not len(matched):
            return
        name = self.meter.name
        yield from matched.tally("matched", name)
        refused = []
        for reason, at in self._rejected(matched):
            refused.append(at)
            details = self._details(reason, matched.event_time[at])
            yield "rejects", rejects_of(self.kernel.run, matched.take(at), name, reason, details)
            yield from tally(matched.arrival[at], "rejected", meter=name, reason=reason)
        metered = matched.without(refused)
        if len(metered):
            yield from metered.tally("metered", name)
            yield from self._partials(metered)

    def _rejected(self, matched: Selection) -> Iterator[tuple[Reason, np.ndarray]]:
        """Reasons in their order, each with the places that no earlier one holds of."""
        left = np.ones(len(matched), bool)
        value = [self.plan.value] if self.plan.value else []
        for reason, holds in (
            (Reason.INVALID_DIMENSION, matched.odd([s for _, s in self.plan.dimensions], "j")),
            (Reason.MISSING_VALUE, self._missing(matched)),
            (Reason.INVALID_VALUE, matched.odd(value, "jt")),
            (Reason.NUMBER_OUT_OF_RANGE, matched.odd(value, "r")),
            (Reason.TOO_LATE, self._too_late(matched)),
        ):
            at = holds[left[holds]]
            if len(at):
                left[at] = False
                yield reason, at

    def _missing(self, matched: Selection) -> np.ndarray:
        if not self.plan.value or not matched.column(self.plan.value).null_count:
            return _NOWHERE
        absent = matched.column(self.plan.value).is_null().to_numpy(zero_copy_only=False)
        return np.setdiff1d(np.flatnonzero(absent), matched.odd([self.plan.value], "jtr"))

    def _too_late(self, matched: Selection) -> np.ndarray:
        if not self.kernel.scope.as_streamed:
            return _NOWHERE
        return np.flatnonzero(matched.arrival > self._closes(matched.event_time))

    def _closes(self, event_time: np.ndarray) -> np.ndarray:
        """When the windows of some event times close (µs): what arrives later is too late."""
        width = self.meter.window_us
        closes: np.ndarray = floored(event_time, width) + width
        return closes + self.meter.allowed_lateness_us

    def _details(self, reason: Reason, event_time: np.ndarray) -> list[str]:
        value = self.meter.value.dotted if self.meter.value else ""
        texts = {
            Reason.INVALID_DIMENSION: "a dimension is an object or an array",
            Reason.MISSING_VALUE: f"field {value!r} is absent or null",
            Reason.INVALID_VALUE: f"field {value!r} is not what {self.meter.aggregation} takes",
            Reason.NUMBER_OUT_OF_RANGE: f"field {value!r} has 10^20 or more, or over 18 decimals",
        }
        if reason is not Reason.TOO_LATE:
            return [texts[reason]] * len(event_time)
        closes = self._closes(event_time).tolist()
        return [f"the window closed at {format_time(at)}" for at in closes]

    def _partials(self, metered: Selection) -> Iterator[Tagged]:
        groups = self._groups(metered)
        columns = {"group": pa.array(groups.codes)}
        if self.plan.value:
            columns["value"] = metered.column(self.plan.value)
            columns["time"] = pa.array(metered.event_time)
        done = AGGREGATIONS[self.meter.aggregation].partial(pa.table(columns)).combine_chunks()
        names = ["customer_id", *(f"d:{name}" for name, _ in self.plan.dimensions), "rate_at"]
        keys = groups.columns(done.column("group").to_numpy()).values()
        found = dict(zip(names, keys, strict=True))
        own = {name: done.column(name).combine_chunks() for name in done.column_names[1:]}
        bucket = self._bucket(found)
        if self.kernel.rated:
            found = self._rated(found)
        batch = partial_batch(found, own, self.meter.aggregation)
        for number, piece in buckets_of(batch, bucket):
            yield "partials", ((self.meter.name, number), piece)

    def _groups(self, metered: Selection) -> Groups:
        """By customer, dimensions, and when the rate is looked up."""
        slots, width = self.plan.grouping
        changes = _NOWHERE
        if AGGREGATIONS[self.meter.aggregation].by_rate:
            changes = self.book.boundaries(self.meter.name)

        def columns() -> list[pa.Array]:
            at = rate_at(metered.event_time, width, changes)
            return [*map(metered.column, ("customer_id", *slots)), pa.array(at)]

        return metered.groups((slots, width, changes.tobytes()), columns)

    def _bucket(self, keys: dict[str, pa.Array]) -> np.ndarray:
        """A bucket for each group, the same for all groups of one series, in any batch."""
        buckets = self.kernel.buckets
        mixed = np.zeros(len(keys["rate_at"]), np.uint64)
        if buckets > 1:
            slots, _ = self.plan.grouping
            *series, _ = keys.values()  # all but the last, `rate_at`
            for slot, column in zip(("customer_id", *slots), series, strict=True):
                hashes = self.batch.text_hashes(slot)
                mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + hashes[places_of(column)]
            mixed ^= mixed >> np.uint64(32)
        return (mixed % np.uint64(buckets)).astype(np.int64)

    def _rated(self, keys: dict[str, pa.Array]) -> dict[str, pa.Array]:
        """The keys with the terms of the rate; `rate_at` is the window's start from here on."""
        at = keys.pop("rate_at").to_numpy()  # it stays the last of the keys
        if AGGREGATIONS[self.meter.aggregation].by_rate:
            terms = self._terms_at(self.book, keys, at)
        else:
            terms = self._terms_of_windows(keys, at)
        start = pa.array(floored(at, self.meter.window_us))
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


def rate_at(event_time: np.ndarray, width: int, changes: np.ndarray) -> np.ndarray:
    """When the rate of an event is looked up: the window's start, or a later rate change."""
    at = floored(event_time, width)
    if not len(changes):
        return at
    latest = np.searchsorted(changes, event_time, side="right")
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
