"""Running totals are exact however deltas are cut, and only what changed comes out."""

from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partials_of_events import EVENTS, ONE, Event, expected, partial_of, totals_of
from transforms import window_totals
from transforms.aggregations import AGGREGATIONS
from transforms.window_totals import WindowTotals, add_up, hash_groups

DELTAS = st.lists(st.lists(EVENTS, min_size=1, max_size=5), min_size=1, max_size=8)
BY_RATE = ("sum", "count")
ONE_RATE = ("unique_count", "min", "max", "avg", "latest")


def delta_of(events: list[Event], aggregation: str) -> pa.RecordBatch:
    """A delta, of events that were rated one by one."""
    if aggregation in BY_RATE:
        return partial_of(events, aggregation)
    return add_up([partial_of([event], aggregation) for event in events])


def no_hash(partial: pa.RecordBatch) -> np.ndarray:
    return np.zeros(partial.num_rows, np.uint64)


def few_hashes(partial: pa.RecordBatch) -> np.ndarray:
    return hash_groups(partial) % np.uint64(2)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@given(
    deltas=DELTAS,
    at_once=st.integers(1, 3),
    hashing=st.sampled_from([hash_groups, few_hashes, no_hash]),
)
@settings(max_examples=30, deadline=None)
def test_each_delta_gives_the_totals_so_far_of_its_groups_and_of_no_others(
    aggregation: str, hashing: object, deltas: list[list[Event]], at_once: int
) -> None:
    totals = WindowTotals()
    before: list[Event] = []
    with patch.object(window_totals, "hash_groups", hashing):
        for i in range(0, len(deltas), at_once):
            some = deltas[i : i + at_once]
            changed = totals.add([delta_of(delta, aggregation) for delta in some])
            now = [event for delta in some for event in delta]
            before += now
            groups = {(event.customer, event.model) for event in now}
            rates = {(event.customer, event.model, event.rate) for event in now}
            wanted = {
                group: total
                for group, total in expected(before, aggregation).items()
                if (group in rates if aggregation in BY_RATE else group[:2] in groups)
            }
            assert totals_of(changed) == wanted
    assert totals_of(totals.whole()) == expected(before, aggregation)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@given(deltas=DELTAS, cut=st.integers(0, 8))
@settings(max_examples=20, deadline=None)
def test_totals_read_back_from_what_was_added_up_go_on_alike(
    aggregation: str, deltas: list[list[Event]], cut: int
) -> None:
    partials = [delta_of(delta, aggregation) for delta in deltas]
    known = [add_up(partials[:cut])] if partials[:cut] else []
    rest = partials[cut:]
    totals = WindowTotals.of([*known, *rest[:1]])
    for partial in rest[1:]:
        totals.add([partial])
    events = [event for delta in deltas for event in delta]
    assert totals_of(totals.whole()) == expected(events, aggregation)


@pytest.mark.parametrize("aggregation", BY_RATE)
def test_where_a_rate_may_cut_a_window_each_rate_has_its_row(aggregation: str) -> None:
    totals = WindowTotals()
    totals.add([partial_of([Event("c", "a", "old", 3 * ONE, 0)], aggregation)])
    changed = totals.add([partial_of([Event("c", "a", "new", 4 * ONE, 0)], aggregation)])
    assert list(totals_of(changed)) == [("c", "a", "new")]


@pytest.mark.parametrize("aggregation", ONE_RATE)
def test_where_a_window_has_one_rate_it_is_the_first(aggregation: str) -> None:
    totals = WindowTotals()
    totals.add([partial_of([Event("c", "a", "old", 3 * ONE, 0)], aggregation)])
    later = [Event("c", "a", "new", 4 * ONE, 1), Event("c", "b", "new", ONE, 1)]
    changed = totals.add([partial_of(later, aggregation)])
    rates = {group[:2]: group[2] for group in totals_of(changed)}
    assert rates == {("c", "a"): "old", ("c", "b"): "new"}


def test_a_sum_may_outgrow_any_number_of_digits() -> None:
    totals, most = WindowTotals(), 10**38 - 1
    for _ in range(30):
        changed = totals.add([partial_of([Event("c", None, None, most, 0)], "sum")])
    assert totals_of(changed) == {("c", None, None): (30, 30 * most)}


def test_outdated_totals_take_little_room() -> None:
    totals = WindowTotals()
    for i in range(300):
        events = [Event(f"c{(i * 7 + j) % 50}", None, None, ONE, 0) for j in range(5)]
        totals.add([partial_of(events, "sum")])
    assert 50 <= len(totals) <= 50 * 4 / 3 + 5
    assert totals.whole().num_rows == len(totals) == 50
