"""Partials as Measure gives them in a stream, of events as tuples, and what they should come to."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from transforms.aggregations import AGGREGATIONS
from transforms.fixed_point import LIMIT, amounts, unscaled
from transforms.groups import Groups
from transforms.partials import aggregation_of, key_names, partial_batch

ONE = 10**18
Group = tuple[str, str | None, str | None]  # customer, dimension, rate
Totals = dict[Group, tuple[int, int]]  # events, quantity in 10^-18


class Event(NamedTuple):
    """An event of one window; `value` in 10^-18."""

    customer: str
    model: str | None
    rate: str | None
    value: int
    time: int


EVENTS = st.builds(
    Event,
    st.sampled_from(["c", "d", "e"]),
    st.sampled_from(["a", "b", "", None]),
    st.sampled_from(["dear", "cheap", None]),
    st.one_of(st.integers(-9, 9).map(lambda n: n * ONE), st.integers(1 - LIMIT, LIMIT - 1)),
    st.integers(0, 3),
)


def partial_of(events: Sequence[Event], aggregation: str, window: int = 0) -> pa.RecordBatch:
    """The partial of some events."""
    keys = {
        "customer_id": _texts([event.customer for event in events]),
        "d:model": _texts([event.model for event in events]),
        "rate": _texts([event.rate for event in events]),
        "rate_at": pa.array([window] * len(events), pa.int64()),
    }
    groups = Groups(pa.table(keys), list(keys))
    values = [event.value for event in events]
    reads_text = AGGREGATIONS[aggregation].reads == "text"
    columns = {
        "group": pa.array(groups.codes),
        "value": _texts([str(v % 7) for v in values]) if reads_text else amounts(values),
        "time": pa.array([event.time for event in events]),
    }
    done = AGGREGATIONS[aggregation].partial(pa.table(columns)).combine_chunks()
    own = {name: done.column(name).combine_chunks() for name in done.column_names[1:]}
    return partial_batch(groups.columns(done.column("group").to_numpy()), own, aggregation)


def _texts(texts: Sequence[str | None]) -> pa.DictionaryArray:
    return pa.array(texts, pa.string()).dictionary_encode()


def totals_of(partial: pa.RecordBatch) -> Totals:
    """What a merged partial says of each group."""
    _, aggregation = aggregation_of(partial)
    table = pa.Table.from_batches([partial])
    groups = Groups(table, key_names(partial))
    rest = table.drop_columns(key_names(partial)).append_column("group", pa.array(groups.codes))
    done = aggregation.quantities(rest)
    codes = done.column("group").to_numpy()
    assert len(np.unique(codes)) == len(codes), "a group twice"
    keys = groups.columns(codes)
    names = zip(*(keys[name].to_pylist() for name in key_names(partial)[:-1]), strict=True)
    quantities = unscaled(done.column("quantity").combine_chunks())
    return {
        (customer, model, rate): (events, quantity)
        for (customer, model, rate), events, quantity in zip(
            names, done.column("events").to_pylist(), quantities, strict=True
        )
    }


def expected(events: Sequence[Event], aggregation: str) -> Totals:
    """The same of events in the order they came, worked out the long way."""
    by_rate = AGGREGATIONS[aggregation].by_rate
    first: dict[tuple[str, str | None], str | None] = {}
    found: dict[Group, list[Event]] = defaultdict(list)
    for event in events:
        rate = first.setdefault((event.customer, event.model), event.rate)
        found[event.customer, event.model, event.rate if by_rate else rate].append(event)
    return {group: (len(each), _quantity(each, aggregation)) for group, each in found.items()}


def _quantity(events: Sequence[Event], aggregation: str) -> int:
    values = [event.value for event in events]
    with localcontext(prec=200):
        mean = (Decimal(sum(values)) / len(values)).quantize(Decimal(1), ROUND_HALF_EVEN)
    return {
        "sum": sum(values),
        "count": len(values) * ONE,
        "unique_count": len({value % 7 for value in values}) * ONE,
        "min": min(values),
        "max": max(values),
        "avg": int(mean),
        "latest": max(events, key=lambda event: (event.time, event.value)).value,
    }[aggregation]
