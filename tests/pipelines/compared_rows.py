"""Rows of runs of every kind, by which two places of the tables are compared."""

import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from stored_rows import UNRATED, at, event_row, ledger_row, reject_row, run_row, usage_row

from pipelines.views import MeterShape

Rows = Sequence[dict[str, Any]]

MOST = Decimal("99999999999999999999.999999999999999999")
LEAST = Decimal("0.000000000000000001")
ODD = {"a.b": "x", 'say "c"': "it's", "d e": None, "Region": "EU", "region": "e\\u"}
METERS = {
    "calls": MeterShape(("region",), 3_600_000_000, "sum"),
    "odd": MeterShape(tuple(sorted(ODD)), 3_600_000_000, "max"),
    "late": MeterShape((), 900_000_000),
}
RUNS = [
    run_row("b1"),
    run_row("b2", started_at=at(1, 1), meters=("calls", "odd")),
    run_row("b3", started_at=at(2, 1), range_start=at(3), range_end=at(5)),
    run_row("bad", started_at=at(9, 1), status="failed"),
    run_row("cut", started_at=at(9, 1), status="running"),
    run_row("s1", "streaming", "running", started_at=at(0)),
    run_row("s2", "streaming", "running", started_at=at(1)),
]


# of one customer and meter, by days from the example day
COSTS = [
    (-31, "0.000000000000000003"),
    (-30, "-7.123456789012345678"),
    (-9, "0"),
    (-8, "1000000000000000"),
    (-3, "99.000000000000000001"),
    (-2, "1234567.891"),
    (-1, "3"),
    (1, None),
]


def _late(day: int, cost: str | None, **changes: Any) -> dict[str, Any]:
    amount = None if cost is None else Decimal(cost)
    quarter = {"meter": "late", "length": timedelta(minutes=15)}
    return usage_row("s1", 0, window_start=at(5, day), cost=amount, **quarter | changes)


def usage() -> Rows:
    """Shared windows, revisions, extremes, odd dimensions, and windows before 1970."""
    odd = json.dumps(ODD, ensure_ascii=False, sort_keys=True)
    own = {"meter": "odd", "dimensions": odd}
    most = {"quantity": MOST, "cost": MOST, "currency": "EUR"}
    return [
        *(usage_row(run, hour, 3 + hour) for run in ("s1", "s2") for hour in range(8)),
        usage_row("s1", 2, 9, pane="late", written_at=at(3, 1)),
        usage_row("s1", 2, 9, pane="early", written_at=at(2, 1)),
        usage_row("s2", 6, 99, dimensions='{"region":null}', **UNRATED),
        *(usage_row("b1", hour, 2, quantity=LEAST, cost=LEAST.copy_negate()) for hour in range(3)),
        usage_row("b1", 1, 2, customer_id="c'2\"", unit="B", **most),
        usage_row("b1", 2, 2, customer_id="ü\\n", **most | {"cost": MOST.copy_negate()}),
        usage_row("b1", 2, 2, customer_id="none", **UNRATED),
        usage_row("b1", 2, 2, customer_id="none", cost=None, currency="EUR"),
        usage_row("b2", 1, 4, customer_id="c'2\"", written_at=at(1.123456)),
        usage_row("b2", 0, window_start=at(0, -30_000), **own),
        usage_row("b2", 7, 7, length=timedelta(minutes=15)),
        usage_row("b2", 6, **own | {"dimensions": "{}"}),
        usage_row("bad", 1, 1000),
        usage_row("cut", 1, 1000),
        usage_row("s1", 1, meter="late", length=timedelta(minutes=15)),
        *(_late(day, cost) for day, cost in COSTS),
        _late(-2, "5", currency="EUR", customer_id="c2", unit="B"),
    ]


def events() -> Rows:
    """Keys seen by several runs, retries, origins of bytes and of messages, before 1970."""
    return [
        event_row("b1", "k1", origin="/in/a.ndjson:9"),
        event_row("b1", "k1", origin="/in/a.ndjson:10"),
        event_row("b2", "k1", origin="/in/a.ndjson:10", received_at=at(-1)),
        event_row("b1", "k2", event_time=at(0, -30_000), event_id="i", payload='{"a":"\\u0000é"}'),
        event_row("s1", "k3", origin="1234567890", received_at=at(1.000001)),
        event_row("s1", "k3", origin="1234567890", received_at=at(2)),
        event_row("bad", "k4"),
        event_row("b3", "late 4.5"),
        *(_delayed(number) for number in range(-5, 30)),
    ]


def _delayed(number: int) -> dict[str, Any]:
    received = at(5) + timedelta(microseconds=777 * number**3)
    return event_row("s2", f"delayed {number}", event_time=at(5), received_at=received)


def rejects() -> Rows:
    return [
        reject_row("b1", "not_json", 1, meter=None, event_key=None, payload="\\x \n'\""),
        reject_row("b2", "invalid_value", 5, detail="'a' \"b\""),
        reject_row("b2", "invalid_value", 5, detail="'a' \"b\""),
        *(reject_row("s1", "too_late", hour, event_key=f"late {hour}") for hour in (4.5, 6, 20)),
        reject_row("s2", "too_late", 0.5, event_time=at(0.5, -30_000), meter="late"),
        reject_row("s2", "too_late", 6.5, meter="unknown"),
        reject_row("bad", "too_late", 7),
    ]


def ledger() -> Rows:
    return [
        ledger_row("b1", "received", 8),
        ledger_row("b1", "accepted", 7),
        ledger_row("b1", "rejected", 1, reason="not_json"),
        ledger_row("b1", "matched", 14, meter="calls"),
        ledger_row("b1", "metered", 14, meter="calls"),
        *(ledger_row("s1", "received", count) for count in (3, 5, 5)),
        ledger_row("s1", "received", 2, period_start=at(1)),
        ledger_row("bad", "received", 1),
    ]


def tables() -> dict[str, Rows]:
    return {"usage": usage(), "events": events(), "rejects": rejects(), "ledger": ledger()}
