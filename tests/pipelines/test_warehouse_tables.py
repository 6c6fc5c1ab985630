"""The views of the tables: each row once, and none of a batch run that has not succeeded."""

from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from stored_rows import (
    UNRATED,
    Store,
    at,
    event_row,
    ledger_row,
    new_store,
    reject_row,
    run_row,
    usage_row,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path)


def test_a_run_has_the_status_it_ended_with(store: Store) -> None:
    for run_id, statuses in (
        ("a", ["running"]),
        ("b", ["running", "succeeded"]),
        ("c", ["running", "failed"]),
        ("d", ["running", "failed", "running"]),
    ):
        for status in statuses:
            store.run(run_row(run_id, "streaming", status))
    assert store.query("SELECT run_id, status FROM runs ORDER BY run_id") == [
        ("a", "running"),
        ("b", "succeeded"),
        ("c", "failed"),
        ("d", "running"),
    ]


def test_rows_show_once_their_run_does(store: Store) -> None:
    ends = ("succeeded", "failed", "running")
    for mode, status in product(("batch", "streaming"), ends):
        run_id = f"{mode} {status}"
        store.run(run_row(run_id, mode, status))
        store.add("events", event_row(run_id, run_id))
        store.add("usage", usage_row(run_id, 1, customer_id=run_id))
        store.add("rejects", reject_row(run_id, "invalid_value", 1))
        store.add("ledger", ledger_row(run_id, "received", 1))
    store.add("usage", usage_row("never begun", 1))
    shown = ["batch succeeded", *(f"streaming {status}" for status in sorted(ends))]
    for view in ("events", "events_current", "usage", "rejects", "ledger", "ledger_current"):
        found = store.query(f"SELECT run_id FROM {view} ORDER BY 1")  # noqa: S608 -- our own names
        assert [run_id for (run_id,) in found] == shown
    for view in ("usage_current", "usage_calls", "cost_by_customer"):
        found = store.query(f"SELECT customer_id FROM {view}")  # noqa: S608 -- our own names
        assert found == [("batch succeeded",)]


def test_what_a_retry_wrote_twice_shows_once(store: Store) -> None:
    store.run(run_row("r"))
    rows = {
        "events": [event_row("r", "1"), event_row("r", "2")],
        "rejects": [
            reject_row("r", "invalid_value", 1),
            reject_row("r", "too_late", 1),
            reject_row("r", "invalid_value", 1, meter="tokens"),
            reject_row("r", "conflict", 1, meter=None),
        ],
        "usage": [usage_row("r", 1), usage_row("r", 1, **UNRATED), usage_row("r", 2)],
        "ledger": [
            ledger_row("r", "rejected", 2, reason="conflict"),
            ledger_row("r", "rejected", 2, reason="not_json"),
        ],
    }
    for table, each in rows.items():
        for _ in range(2):
            store.add(table, *each)
        assert store.query(f"SELECT COUNT(*) FROM {table}") == [(len(each),)]  # noqa: S608 -- our own names


def test_usage_keeps_all_revisions_and_ledger_all_counts(store: Store) -> None:
    store.run(run_row("s", "streaming", "running"))
    for events in (1, 2, 2, 3):
        store.add("usage", usage_row("s", 1, events, pane="early"))
        store.add("ledger", ledger_row("s", "received", events))
    assert store.query("SELECT event_count FROM usage ORDER BY 1") == [(1,), (2,), (3,)]
    assert store.query("SELECT events FROM ledger ORDER BY 1") == [(1,), (2,), (3,)]
    assert store.query("SELECT event_count FROM usage_current") == [(3,)]
    assert store.query("SELECT events FROM ledger_current") == [(3,)]


def test_events_current_has_the_first_of_a_key_to_arrive(store: Store) -> None:
    store.run(run_row("r"))
    store.add(
        "events",
        event_row("r", "late", origin="/a:1", received_at=at(2)),
        event_row("r", "late", origin="/b:1", received_at=at(1)),
        event_row("r", "path", origin="/in/b:1"),
        event_row("r", "path", origin="/in/a:7"),
        event_row("r", "path", origin="/in/a:é:3"),
        event_row("r", "offset", origin="/in/a:10"),
        event_row("r", "offset", origin="/in/a:9"),
        event_row("r", "message", origin="1234567890123456789012345"),
        event_row("r", "message", origin="projects/x/messages:"),
    )
    assert store.query("SELECT event_key, origin FROM events_current ORDER BY 1") == [
        ("late", "/b:1"),
        ("message", "1234567890123456789012345"),
        ("offset", "/in/a:9"),
        ("path", "/in/a:7"),
    ]


def test_costs_are_per_currency_and_count_what_has_no_rate(store: Store) -> None:
    store.run(run_row("r"))
    store.add(
        "usage",
        usage_row("r", 1, 3),
        usage_row("r", 2, 4),
        usage_row("r", 3, 1, currency="EUR"),
        usage_row("r", 4, **UNRATED),
        usage_row("r", 5, customer_id="c2", cost=None),
        usage_row("r", 6, customer_id="c3", **UNRATED),
    )
    assert store.query("SELECT * FROM cost_by_customer ORDER BY ALL") == [
        ("c1", "EUR", Decimal(2), 1, 1, 0),
        ("c1", "USD", Decimal(14), 2, 1, 0),
        ("c2", "USD", None, 1, 0, 1),
        ("c3", None, None, 0, 1, 0),
    ]
    assert store.query("SELECT * EXCLUDE (day), day::TEXT FROM cost_by_day ORDER BY ALL") == [
        ("EUR", Decimal(2), 1, 2, 0, "2026-01-15"),
        ("USD", Decimal(14), 3, 2, 1, "2026-01-15"),
    ]


def test_a_sum_that_does_not_fit_is_null_and_one_that_fits_is_exact(store: Store) -> None:
    store.run(run_row("r"))
    most = Decimal("99999999999999999999.999999999999999999")
    store.add(
        "usage",
        *(usage_row("r", hour, customer_id="too much", cost=most) for hour in range(3)),
        *(usage_row("r", hour, customer_id="even", cost=most - most) for hour in range(2)),
        usage_row("r", 1, customer_id="most", cost=most),
        usage_row("r", 2, customer_id="most", cost=Decimal("-0.5")),
    )
    assert store.query("SELECT customer_id, cost FROM cost_by_customer ORDER BY 1") == [
        ("even", Decimal(0)),
        ("most", Decimal("99999999999999999999.499999999999999999")),
        ("too much", None),
    ]


def test_ledger_balance_holds_the_ledger_against_itself_and_usage(store: Store) -> None:
    store.run(run_row("r"))
    store.run(run_row("s", "streaming", "running"))
    store.add(
        "ledger",
        ledger_row("r", "received", 9),
        ledger_row("r", "received", 1, period_start=at(1)),
        ledger_row("r", "accepted", 7),
        ledger_row("r", "duplicate", 1),
        ledger_row("r", "rejected", 1, reason="not_json"),
        ledger_row("r", "rejected", 1, reason="conflict"),
        ledger_row("r", "matched", 4, meter="calls"),
        ledger_row("r", "metered", 3, meter="calls"),
        ledger_row("r", "rejected", 1, meter="calls", reason="too_late"),
        ledger_row("s", "received", 2),
        ledger_row("s", "accepted", 1),
        ledger_row("s", "matched", 2, meter="calls"),
        ledger_row("s", "metered", 2, meter="calls"),
    )
    store.add("usage", usage_row("r", 1, 2), usage_row("r", 2, 1))
    store.add("usage", usage_row("s", 1, 1), usage_row("s", 1, 1, meter="tokens"))
    assert store.query("SELECT * FROM ledger_balance ORDER BY run_id, meter NULLS FIRST") == [
        ("r", None, 10, 7, 1, None, None, None, 2, True),
        ("r", "calls", None, None, None, 4, 3, 3, 1, True),
        ("s", None, 2, 1, 0, None, None, None, 0, False),
        ("s", "calls", None, None, None, 2, 2, 1, 0, False),
        ("s", "tokens", None, None, None, 0, 0, 1, 0, False),
    ]
