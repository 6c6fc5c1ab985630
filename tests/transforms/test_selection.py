"""Meters that share what they match, or their groups, give what each of them gives alone."""

import gc
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from rates import load_rates
from readings_rows import TYPES, Row, readings
from transforms.catalog_file import load_catalog
from transforms.measure import Measurer, alike_together
from transforms.run import Run
from transforms.scope import Scope
from transforms.selection import Batch, Selection
from transforms.slots import Slots

HOUR = 3_600_000_000
# the slots of `Row`: n0 is v, n1 is u, t0 is d, t1 is w, t2 is e
ALIKE = load_catalog(
    "c.yaml",
    b"""
version: 1
defaults: {dedup_horizon: 1h}
meters:
  - {name: sum_d, event_type: use, aggregation: sum, value: v, dimensions: [d]}
  - {name: newest, event_type: use, aggregation: latest, value: u}
  - {name: some, event_type: [use, call], aggregation: count, where: {w: x}}
  - {name: by_day, event_type: use, aggregation: sum, value: v, dimensions: [d], window: 1d}
  - {name: max_d, event_type: use, aggregation: max, value: v, dimensions: [d]}
  - {name: later, event_type: use, aggregation: count, dimensions: [d], allowed_lateness: 3h}
  - {name: of_some, event_type: [call, use], aggregation: sum, value: v, where: {w: x},
     dimensions: [e, d]}
  - {name: named_else, event_type: use, aggregation: avg, value: v, dimensions: {kind: d}}
  - {name: others, event_type: use, aggregation: count, where: {w: y}, dimensions: [d]}
  - {name: of_e, event_type: use, aggregation: min, value: v, dimensions: [e]}
  - {name: of_all, event_type: use, aggregation: sum, value: v}
  - {name: words, event_type: use, aggregation: unique_count, value: e}
""",
)
PLANS = {plan.meter.name: plan for plan in Slots.of(ALIKE).plans}
RATES = b"""meter,label,effective_from,unit_price,currency
sum_d,first,1970-01-01T00:00:00Z,1,USD
sum_d,second,1970-01-01T01:30:00Z,2,USD
later,first,1970-01-01T02:10:00Z,2,USD
"""
BOOK = load_rates(
    [("r.csv", RATES)],
    {name: tuple(name for name, _ in plan.meter.dimensions) for name, plan in PLANS.items()},
)
ODD = {
    "": {},
    '{"n0":["r","1e99"]}': {"n0": None},
    '{"n0":["t","many"]}': {"n0": None},
    '{"t0":["j","{}"]}': {"t0": None},
}


def row(number: int, **drawn: Any) -> Row:
    odd = drawn.pop("odd")
    return Row(offset=number, **{**drawn, **ODD[odd]}, odd=odd or None)


AMOUNTS = st.sampled_from([None, *map(Decimal, range(-2, 3))])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "event_type": st.sampled_from(["use", *TYPES]),
            "customer_id": st.sampled_from(["c", "d"]),
            "event_time": st.integers(4, 12).map(lambda quarter: quarter * HOUR // 4),
            "received_at": st.integers(0, 4).map(lambda hour: hour * HOUR),
            "n0": AMOUNTS,
            "n1": AMOUNTS,
            "t0": st.sampled_from(["a", "b", None]),
            "t1": st.sampled_from(["x", "y", None]),
            "t2": st.sampled_from(["e", "f", None]),
            "odd": st.sampled_from(["", "", "", *ODD]),
        }
    ),
    min_size=12,  # few rows seldom have what tells meters apart
    max_size=30,
).map(lambda drawn: [row(number, **each) for number, each in enumerate(drawn)])


def results(rows: list[Row], scope: Scope) -> Counter[str]:
    """What the step gives of some rows, as texts."""
    found: Counter[str] = Counter()
    for tag, value in Measurer(Run("r", 0), ALIKE, BOOK, scope, buckets=3)(readings(rows)):
        if tag == "counts":
            found[f"{tag} {value[0]}"] += value[1]
            continue
        key, batch = value if tag == "partials" else ("", value)
        assert isinstance(batch, pa.RecordBatch)
        found.update(f"{tag} {key} {batch.schema.metadata} {each}" for each in batch.to_pylist())
    return found


@given(rows=ROWS, as_streamed=st.booleans(), end=st.none() | st.integers(2, 3))
@settings(deadline=None)
def test_meters_together_give_what_each_gives_alone(
    rows: list[Row], as_streamed: bool, end: int | None
) -> None:
    scope = Scope(as_streamed=as_streamed, end_us=end and end * HOUR)
    assert results(rows, scope) == alone(rows, scope)


def alone(rows: list[Row], scope: Scope) -> Counter[str]:
    """The same, each meter by itself."""
    each = [results(rows, replace(scope, meters=frozenset([name]))) for name in PLANS]
    return sum(each, Counter())


def test_meters_of_other_dimensions_or_values_of_where_have_groups_of_their_own() -> None:
    value = Decimal(1)
    rows = [
        Row(offset=number, n0=value, n1=value, t0=of_d, t1=of_w, t2=of_e)
        for number, (of_d, of_w, of_e) in enumerate(product("ab", "xy", "ef"))
    ]
    found = results(rows, Scope())
    assert found == alone(rows, Scope())
    partials = Counter(text.split("'")[1] for text in found if text.startswith("partials"))
    assert (partials["sum_d"], partials["of_e"], partials["of_all"]) == (2, 2, 1)
    assert found["counts (0, 'others', 'matched', '')"] == len(rows) // 2


def test_a_batch_is_gone_when_its_meters_are_done() -> None:
    measure = Measurer(Run("r", 0), ALIKE, BOOK, Scope(), buckets=3)
    rows = [Row(offset=number, n0=Decimal(1)) for number in range(10_000)]
    held = []
    gc.disable()  # so that what only the search for cycles finds is there still
    try:
        for _ in range(3):
            list(measure(readings(rows)))
            held.append(pa.total_allocated_bytes())
    finally:
        gc.enable()
    assert held[0] == held[1] == held[2]


def selection(*rows: Row) -> Selection:
    return batch(*rows).selection(PLANS["of_all"])


def batch(*rows: Row) -> Batch:
    return Batch(readings(rows), BOOK, Scope())


def test_only_meters_that_match_the_same_events_share_a_selection() -> None:
    found = batch(Row(t1="y"), Row(event_type="call"), Row(t1="x"))
    first = found.selection(PLANS["sum_d"])
    assert found.selection(PLANS["newest"]) is first
    assert first.rows.tolist() == [0, 2]
    other = found.selection(PLANS["others"])
    assert other.rows.tolist() == [0]
    some = found.selection(PLANS["some"])
    assert found.selection(PLANS["of_some"]) is some
    assert some.rows.tolist() == [2]


def test_what_leaves_nothing_out_is_the_whole_and_the_same_rest_is_made_once() -> None:
    whole = selection(Row(), Row(event_type="call"), Row(), Row())
    nothing = np.zeros(0, np.int64)
    assert whole.without([]) is whole
    assert whole.without([nothing]) is whole
    rest = whole.without([np.array([2]), np.array([0])])
    assert rest.rows.tolist() == [2]
    assert whole.without([np.array([0, 2])]) is rest
    assert whole.without([np.array([0])]).rows.tolist() == [2, 3]


def test_alike_meters_follow_each_other_and_others_keep_their_order() -> None:
    names = [plan.meter.name for plan in alike_together(PLANS.values())]
    of_use = "sum_d max_d later named_else newest of_all words by_day of_e".split()
    assert names == [*of_use, "some", "of_some", "others"]
