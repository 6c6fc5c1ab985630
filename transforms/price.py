"""Price: groups → rows of usage, with the rate that holds and what it comes to.

Holds the groups of one (meter, bucket) a thread.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property, lru_cache, partial
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.typehints.decorators import no_annotations

from rates import RateBook, costs
from transforms.aggregate import Keyed
from transforms.aggregations import AGGREGATIONS
from transforms.arrays import floored, times
from transforms.catalog import Catalog, Meter
from transforms.groups import Groups, places_of
from transforms.kernel import THREADS, Kernel, Tagged
from transforms.metrics import REJECTED
from transforms.partials import key_names, merge, pane_of, partial_batch
from transforms.rate_terms import book_of_terms
from transforms.reasons import Reason
from transforms.rejects import rejects_batch
from transforms.run import Run
from transforms.tables import AMOUNT, TIME, USAGE

_SHORT = 256  # characters of the dimensions of a row whose text is held
_FEW = 128  # rows whose dimensions are written one by one


class Priced(NamedTuple):
    """What `Price` gives."""

    usage: beam.PCollection
    rejects: beam.PCollection


@dataclass
class Price(beam.PTransform):
    """((meter, bucket), groups) → rows of usage, and rejects of rows that do not fit."""

    run: Run
    catalog: Catalog
    book: RateBook
    threads: int = THREADS

    @no_annotations
    def expand(self, pcoll: beam.PCollection) -> Priced:
        """Wires `Pricer` as a kernel."""
        make = partial(Pricer, self.run, self.catalog, self.book)
        done = (
            pcoll
            | "Apply rates"
            >> beam.ParDo(Kernel(make, self.threads, self.run.run_id)).with_outputs()
        )
        done.usage.element_type = pa.RecordBatch
        done.rejects.element_type = pa.RecordBatch
        counted = beam.Map(_counted).with_output_types(pa.RecordBatch)
        return Priced(done.usage, done.rejects | "Metrics" >> counted)


class Pricer:
    """The kernel: the groups of one meter and bucket at a time."""

    def __init__(self, run: Run, catalog: Catalog, book: RateBook) -> None:
        self.run = run
        self.meters = {meter.name: meter for meter in catalog.meters}
        self.book = book

    def __call__(self, element: Keyed) -> Iterator[Tagged]:
        """Results for the outputs of `Priced`."""
        (name, _), groups = element
        meter = self.meters[name]
        rows = self._rows(meter, self._by_rate(meter, groups))
        quantity, overflow = fitting(rows.quantity)
        cost, too_dear = costs(rows.book, rows.quantity, rows.rate)
        usage = self._usage(meter, rows, quantity, cost, pane_of(groups))
        yield "usage", usage
        overflow |= too_dear
        if overflow.any():
            yield "rejects", _out_of_range(self.run, usage.filter(pa.array(overflow)))

    @cached_property
    def _terms(self) -> np.ndarray:
        """By place in the book, -1 last: the first rate that usage cannot tell from this one."""
        return np.append(self.book.same_terms(), np.int32(-1))

    def _match(self, meter: Meter, keys: dict[str, pa.Array], at_us: np.ndarray) -> np.ndarray:
        dimensions = {name: keys[f"d:{name}"] for name, _ in meter.dimensions}
        found = self.book.match(meter.name, keys["customer_id"], dimensions, at_us)
        terms: np.ndarray = self._terms[found]
        return terms

    def _by_rate(self, meter: Meter, groups: pa.RecordBatch) -> pa.RecordBatch:
        """Groups of one window that a rate change cut, put together again where one rate holds.

        Adds the key `term`, a place in the book, where windows were cut; `rate_at` is the window's
        start from here on.
        """
        at = groups.column("rate_at").to_numpy()
        start = floored(at, meter.window_us)
        if (at == start).all():
            return groups
        names = key_names(groups)
        keys = {name: groups.column(name) for name in names}
        keys["term"] = pa.array(self._match(meter, keys, at))
        del keys["rate_at"]
        keys["rate_at"] = pa.array(start)
        own = {name: groups.column(name) for name in groups.schema.names if name not in names}
        return merge(partial_batch(keys, own, meter.aggregation))

    def _rows(self, meter: Meter, groups: pa.RecordBatch) -> "_Rows":
        names, aggregation = key_names(groups), AGGREGATIONS[meter.aggregation]
        table = pa.Table.from_batches([groups])
        if aggregation.one_row:
            done = aggregation.quantities(table.drop_columns(names)).combine_chunks()
            keys = {name: groups.column(name) for name in names}
        else:
            coded = Groups(table, names)
            rest = table.drop_columns(names).append_column("group", pa.array(coded.codes))
            done = aggregation.quantities(rest).combine_chunks()
            keys = coded.columns(done.column("group").to_numpy())
        start = keys["rate_at"].to_numpy()
        book, rate = self._rates(meter, keys, start)
        quantity = done.column("quantity").combine_chunks()
        return _Rows(keys, start, book, rate, quantity, done.column("events").combine_chunks())

    def _rates(
        self, meter: Meter, keys: dict[str, pa.Array], start: np.ndarray
    ) -> tuple[RateBook, np.ndarray]:
        """A book, and the place in it of each group's rate."""
        if "rate" in keys:  # the terms came along
            return book_of_terms(meter.name, keys["rate"])
        if "term" in keys:
            return self.book, keys["term"].to_numpy()
        return self.book, self._match(meter, keys, start)

    def _usage(
        self, meter: Meter, rows: "_Rows", quantity: pa.Array, cost: pa.Array, pane: str
    ) -> pa.RecordBatch:
        count = len(quantity)
        end = rows.start + meter.window_us
        columns = {
            "run_id": pa.repeat(self.run.run_id, count),
            "meter": pa.repeat(meter.name, count),
            "customer_id": rows.keys["customer_id"].dictionary_decode(),
            "dimensions": dimensions_json(rows.keys, [name for name, _ in meter.dimensions]),
            "window_start": times(rows.start),
            "window_end": times(end),
            "closes_at": times(end + meter.allowed_lateness_us),
            "quantity": quantity,
            "event_count": rows.events,
            "unit": pa.repeat(pa.scalar(meter.unit, pa.string()), count),
            **rows.book.columns(rows.rate),
            "cost": cost,
            "pane": pa.repeat(pane, count),
            "written_at": pa.repeat(pa.scalar(datetime.now(UTC), TIME), count),
        }
        return pa.RecordBatch.from_pydict(columns, schema=USAGE)


class _Rows(NamedTuple):
    """Groups with their quantities: keys, window start µs, a book and the rate's place in it."""

    keys: dict[str, pa.Array]
    start: np.ndarray
    book: RateBook
    rate: np.ndarray
    quantity: pa.Array
    events: pa.Array


def fitting(quantity: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Quantities as DECIMAL(38,18), null where they do not fit, and which those are."""
    if quantity.type == AMOUNT:
        return quantity, np.zeros(len(quantity), bool)
    limit = pa.scalar(Decimal(10) ** 20, quantity.type)
    fits = pc.less(pc.abs(quantity), limit)
    kept = pc.if_else(fits, quantity, None).cast(AMOUNT)
    return kept, ~fits.to_numpy(zero_copy_only=False).astype(bool)


def dimensions_json(keys: dict[str, pa.Array], names: list[str]) -> pa.Array:
    """The column `dimensions`: a JSON object of texts or null, keys sorted."""
    count = len(keys["customer_id"])
    if not names:
        return pa.repeat("{}", count)
    columns = [f"d:{name}" for name in names]
    if count <= _FEW:
        rows = zip(*(_texts(keys[column]) for column in columns), strict=True)
        return pa.array([_json(tuple(names), row) for row in rows], pa.string())
    groups = Groups(pa.table({column: keys[column] for column in columns}), columns)
    codes, inverse = np.unique(groups.codes, return_inverse=True)
    found = groups.columns(codes)
    series = zip(*(found[column].to_pylist() for column in columns), strict=True)
    texts = [_json(tuple(names), values) for values in series]
    return pa.array(texts, pa.string()).take(pa.array(inverse))


def _texts(column: pa.Array) -> list[str | None]:
    if not pa.types.is_dictionary(column.type):
        return list(column.to_pylist())
    texts = [*column.dictionary.to_pylist(), None]
    return [texts[place] for place in places_of(column).tolist()]


def _json(names: tuple[str, ...], values: tuple[str | None, ...]) -> str:
    if sum(len(value) for value in values if value) > _SHORT:
        return _spelled(names, values)  # not to be held
    return _remembered(names, values)


def _spelled(names: tuple[str, ...], values: tuple[str | None, ...]) -> str:
    series = dict(zip(names, values, strict=True))
    return json.dumps(series, ensure_ascii=False, separators=(",", ":"))


_remembered = lru_cache(maxsize=16_384)(_spelled)


def _counted(rejects: pa.RecordBatch) -> pa.RecordBatch:
    REJECTED[Reason.TOTAL_OUT_OF_RANGE].inc(rejects.num_rows)
    return rejects


def _out_of_range(run: Run, usage: pa.RecordBatch) -> pa.RecordBatch:
    names = ("meter", "customer_id", "dimensions", "window_start", "rate_label")
    rows = usage.select([*names, "rate_effective_from"]).to_pylist()
    keys = [json.dumps([str(row[name]) for name in row], ensure_ascii=False) for row in rows]
    return rejects_batch(
        run.run_id,
        len(rows),
        origin=[hashlib.sha256(key.encode()).hexdigest()[:32] for key in keys],
        reason=str(Reason.TOTAL_OUT_OF_RANGE),
        detail=[f"quantity or cost is 10^20 or more: {key}" for key in keys],
        meter=usage.column("meter"),
        customer_id=usage.column("customer_id"),
    )
