"""windows_to_backfill: what a backfill would mend, and nothing once one has."""

from datetime import timedelta
from pathlib import Path

import pytest
from stored_rows import Store, at, event_row, new_store, reject_row, run_row, usage_row

LISTED = """
SELECT reason, hour(window_start), events FROM windows_to_backfill
WHERE window_end = window_start + INTERVAL 1 HOUR ORDER BY ALL
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A stream that counted events of three hours, and refused one of each as too late."""
    store = new_store(tmp_path)
    store.run(run_row("s", "streaming", "running", started_at=at(0)))
    for hour in range(3):
        store.add("usage", usage_row("s", hour, written_at=at(5)))
        store.add("rejects", reject_row("s", "too_late", hour))
        store.add("events", event_row("s", f"key {hour}", event_time=at(hour)))
    return store


def late(*hours: int) -> list[tuple[str, int, int]]:
    return [("too_late", hour, 1) for hour in hours]


def test_late_events_are_listed_by_window_each_once(store: Store) -> None:
    store.add("rejects", reject_row("s", "too_late", 1))  # written again by a retry
    store.add("rejects", reject_row("s", "too_late", 1.5), reject_row("s", "invalid_value", 2))
    assert store.query(LISTED) == [*late(0), ("too_late", 1, 2), *late(2)]


def test_a_batch_run_mends_what_it_took_in(store: Store) -> None:
    store.run(run_row("b1"), run_row("b2", "batch", "failed"))
    store.add("usage", usage_row("b1", 0, 2), usage_row("b1", 1, 2))
    store.add("events", event_row("b1", "key 0"), event_row("b2", "key 1"))
    # that of hour 1 was not in its input
    assert store.query(LISTED) == late(1, 2)


def test_a_range_mends_the_windows_in_it(store: Store) -> None:
    store.run(run_row("b", range_start=at(0), range_end=at(1)))
    store.add("events", *(event_row("b", f"key {hour}") for hour in range(3)))
    assert store.query(LISTED) == late(1, 2)


def test_a_batch_run_may_refuse_the_same_events_again(store: Store) -> None:
    store.run(run_row("b"), run_row("c", started_at=at(0, 3)))
    for hour in range(3):
        store.add("events", event_row("b", f"key {hour}"))
        store.add("rejects", reject_row("b", "too_late", hour))
    assert store.query(LISTED) == late(0, 1, 2)
    store.add("usage", usage_row("c", 1, 2))
    store.add("events", event_row("c", "key 1"))
    assert store.query(LISTED) == late(0, 2)


def test_an_earlier_batch_run_took_nothing_of_a_later_one_in(store: Store) -> None:
    store.run(run_row("b", started_at=at(0, 1)), run_row("c", started_at=at(0, 2)))
    store.add("usage", usage_row("b", 5), usage_row("c", 5))
    store.add("events", event_row("b", "key 5"), event_row("c", "key 5"))
    store.add("rejects", reject_row("c", "too_late", 5))
    assert ("too_late", 5, 1) in store.query(LISTED)


def test_without_the_events_the_time_of_arrival_tells(store: Store) -> None:
    store.run(run_row("s2", "streaming", "running", started_at=at(0)))
    store.run(run_row("b", started_at=at(5)))
    store.add("usage", usage_row("b", 7), usage_row("b", 8))
    store.add("rejects", reject_row("s2", "too_late", 7, received_at=at(4)))
    store.add("rejects", reject_row("s2", "too_late", 8, received_at=at(6)))
    assert store.query(LISTED) == late(0, 1, 2, 8)


def test_streams_that_share_a_window_split_it_until_a_batch_run_covers_it(store: Store) -> None:
    store.run(run_row("s2", "streaming", "running", started_at=at(1)))
    store.add("usage", usage_row("s2", 1, 5, written_at=at(5)))
    store.add("usage", usage_row("s2", 2, 1, written_at=at(5)))
    assert store.query(LISTED) == [("split", 1, 1), ("split", 2, 1), *late(0, 1, 2)]
    store.run(run_row("b", range_start=at(0), range_end=at(2)))
    store.add("events", event_row("b", "key 0"), event_row("b", "key 1"))
    assert store.query(LISTED) == [("split", 2, 1), *late(2)]


def test_streams_with_windows_of_other_lengths_split_them_too(store: Store) -> None:
    store.run(run_row("s2", "streaming", "running"))
    store.add("usage", usage_row("s2", 1, length=timedelta(minutes=30)))
    reasons = "SELECT DISTINCT reason, events FROM windows_to_backfill WHERE reason = 'split'"
    assert store.query(reasons) == [("split", 0)]


def test_what_a_stream_counts_after_the_batch_run_began_is_not_in_it(store: Store) -> None:
    store.run(run_row("b", range_start=at(0), range_end=at(3), started_at=at(6)))
    store.add("events", *(event_row("b", f"key {hour}") for hour in range(3)))
    assert store.query(LISTED) == []
    store.add("usage", usage_row("s", 0, 1, pane="on_time", written_at=at(7)))  # nothing new
    store.add("usage", usage_row("s", 1, 4, pane="late", written_at=at(7)))
    store.add("usage", usage_row("s", 1, 2, customer_id="c2", written_at=at(7)))
    assert store.query(LISTED) == [("after_batch", 1, 5)]
    store.run(run_row("c", range_start=at(1), range_end=at(2), started_at=at(8)))
    store.add("events", event_row("c", "key 1"))
    assert store.query(LISTED) == []
