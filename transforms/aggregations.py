"""What a meter makes of its values: every aggregation as a partial that merges, exactly.

A partial is a table with a column `group` (int64 code), `events` (int64, how many it stands for)
and the aggregation's own columns. Partials of any rows, in any order and any number of pieces,
merge to the same table. A new aggregation is a class here and a line in `AGGREGATIONS`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import one_array
from transforms.few_groups import FEW, few_grouped, sum_of_numbers
from transforms.fixed_point import LIMIT, WIDE, amounts, divide_half_even, greatest, unscaled
from transforms.groups import Groups
from transforms.tables import AMOUNT

_TEXTS = pa.large_string()  # of any number and length


class Aggregation(Protocol):
    """One way to aggregate.

    `reads` is what kind of value it takes (`number`, `text` or nothing), `by_rate` whether a window
    may be cut where a rate changes, `one_row` whether a merged partial has one row a group.
    """

    reads: str | None
    by_rate: bool
    one_row: bool

    def partial(self, rows: pa.Table) -> pa.Table:
        """A partial of rows (`group`, `value`, `time` in µs)."""

    def merge(self, partials: pa.Table) -> pa.Table:
        """One partial of several, put one after the other."""

    def quantities(self, partial: pa.Table) -> pa.Table:
        """`group`, `events` and `quantity` (a decimal of scale 18) of a merged one.

        Where a group has one row, rows stay as they are, and `group` may be left out.
        """


def _grouped(table: pa.Table, keys: list[str], aggregates: list[tuple[str, str]]) -> pa.Table:
    """Group-by with the columns keeping their names."""
    if table.num_rows <= FEW and keys == ["group"]:
        found = few_grouped(table, aggregates)
        if found is not None:
            return found
    done = pa.TableGroupBy(table, keys, use_threads=False).aggregate(aggregates)
    return done.rename_columns([*keys, *(name for name, _ in aggregates)])


def _counted(rows: pa.Table) -> pa.Table:
    return rows.append_column("events", pa.repeat(pa.scalar(1, pa.int64()), rows.num_rows))


class Count:
    """How many events."""

    reads: str | None = None
    by_rate = True
    one_row = True

    def partial(self, rows: pa.Table) -> pa.Table:
        """Columns: group, events."""
        return self.merge(_counted(rows.select(["group"])))

    def merge(self, partials: pa.Table) -> pa.Table:
        """Adds the events up."""
        return _grouped(partials, ["group"], [("events", "sum")])

    def quantities(self, partial: pa.Table) -> pa.Table:
        """The quantity is the number of events."""
        return partial.append_column("quantity", partial.column("events").cast(AMOUNT))


class Sum:
    """All values added up."""

    reads: str | None = "number"
    by_rate = True
    one_row = True

    def partial(self, rows: pa.Table) -> pa.Table:
        """Columns: group, events, value (the sum)."""
        return self.merge(_counted(rows.select(["group", "value"])))

    def merge(self, partials: pa.Table) -> pa.Table:
        """Adds sums up; where 38 digits might not do, in 76: Arrow would wrap around silently."""
        value = partials.column("value")
        if value.type != WIDE and greatest(value) * partials.num_rows >= LIMIT:
            at = partials.schema.get_field_index("value")
            partials = partials.set_column(at, "value", value.cast(WIDE))
        return _grouped(partials, ["group"], [("events", "sum"), ("value", "sum")])

    def quantities(self, partial: pa.Table) -> pa.Table:
        """The quantity is the sum."""
        return partial.rename_columns({"value": "quantity"})


class Average(Sum):
    """The sum divided by the number of events: 18 decimals, half-even."""

    by_rate = False

    def quantities(self, partial: pa.Table) -> pa.Table:
        """The division is done on whole numbers of 10^-18."""
        sums = unscaled(partial.column("value").combine_chunks())
        counts = partial.column("events").to_pylist()
        means = [divide_half_even(s, n) for s, n in zip(sums, counts, strict=True)]
        return partial.drop_columns("value").append_column("quantity", amounts(means))


class _Extreme:
    """The least or the greatest value."""

    reads: str | None = "number"
    by_rate = False
    one_row = True
    end = ""

    def partial(self, rows: pa.Table) -> pa.Table:
        """Columns: group, events, value (the extreme)."""
        return self.merge(_counted(rows.select(["group", "value"])))

    def merge(self, partials: pa.Table) -> pa.Table:
        """The extreme of extremes."""
        return _grouped(partials, ["group"], [("events", "sum"), ("value", self.end)])

    def quantities(self, partial: pa.Table) -> pa.Table:
        """The quantity is the extreme."""
        return partial.rename_columns({"value": "quantity"})


class Minimum(_Extreme):
    """The least value."""

    end = "min"


class Maximum(_Extreme):
    """The greatest value."""

    end = "max"


class Latest:
    """The value of the greatest event time; of several, the greatest value."""

    reads: str | None = "number"
    by_rate = False
    one_row = True

    def partial(self, rows: pa.Table) -> pa.Table:
        """Columns: group, events, value, time."""
        return self.merge(_counted(rows.select(["group", "value", "time"])))

    def merge(self, partials: pa.Table) -> pa.Table:
        """Of each group the row of the greatest time stays; of several, of the greatest value."""
        codes, place = np.unique(partials.column("group").to_numpy(), return_inverse=True)
        time = partials.column("time").to_numpy()
        latest = np.full(len(codes), np.iinfo(np.int64).min)
        np.maximum.at(latest, place, time)
        rows = np.flatnonzero(time == latest[place])
        if len(rows) > len(codes):  # the greatest value comes last
            rows = rows[pc.sort_indices(partials.column("value").take(pa.array(rows))).to_numpy()]
        chosen = np.empty(len(codes), np.int64)
        chosen[place[rows]] = rows  # of several the last
        events = sum_of_numbers(one_array(partials.column("events")), place, len(codes))
        merged = partials.take(pa.array(chosen))
        at = merged.schema.get_field_index("events")
        return merged.set_column(at, "events", events)

    def quantities(self, partial: pa.Table) -> pa.Table:
        """The quantity is the latest value."""
        return partial.drop_columns("time").rename_columns({"value": "quantity"})


class UniqueCount:
    """How many different texts; the partial holds each of them once a group."""

    reads: str | None = "text"
    by_rate = False
    one_row = False

    def partial(self, rows: pa.Table) -> pa.Table:
        """Columns: group, value (a text), events: a row for each text of a group."""
        return self.merge(_counted(rows.select(["group", "value"])))

    def merge(self, partials: pa.Table) -> pa.Table:
        """The same text of a group becomes one row; by codes, as Arrow groups texts slowly."""
        pairs = Groups(partials, ["group", "value"])
        events = pa.table({"group": pairs.codes, "events": partials.column("events")})
        counted = _grouped(events, ["group"], [("events", "sum")])
        found = pairs.columns(counted.column("group").to_numpy())
        found["value"] = found["value"].cast(_TEXTS)
        return pa.table({**found, "events": counted.column("events")})

    def quantities(self, partial: pa.Table) -> pa.Table:
        """The quantity is the number of rows of a group."""
        rows = pa.repeat(pa.scalar(1, pa.int64()), partial.num_rows)
        counted = partial.select(["group", "events"]).append_column("quantity", rows)
        counted = _grouped(counted, ["group"], [("events", "sum"), ("quantity", "sum")])
        quantity = counted.column("quantity").cast(AMOUNT)
        return counted.drop_columns("quantity").append_column("quantity", quantity)


AGGREGATIONS: Mapping[str, Aggregation] = MappingProxyType(
    {
        "sum": Sum(),
        "count": Count(),
        "unique_count": UniqueCount(),
        "min": Minimum(),
        "max": Maximum(),
        "avg": Average(),
        "latest": Latest(),
    }
)
