"""The oracle meters the contract's examples as worked out by hand."""

from decimal import Decimal
from typing import Any

import pytest

from oracle.examples import (
    HOUR_US,
    NOON,
    NOON_US,
    TOKENS,
    catalog,
    event,
    meter,
    quantities,
    reasons,
    totals,
    us,
)


def test_a_whole_run_gives_its_four_tables() -> None:
    line = event(2, id="a", timestamp="2026-01-15T10:30:00.5Z")
    outcome = meter([line, line, "[]"])
    assert outcome.events == [
        {
            "source": "native",
            "origin": f"f:{offset}",
            "event_id": "a",
            "event_type": "use",
            "customer_id": "c1",
            "event_time": us("2026-01-15T10:30:00.5Z"),
            "received_at": NOON_US,
            "payload": line,
        }
        for offset in (0, len(line) + 1)
    ]
    assert outcome.usage == [
        {
            "meter": "tokens",
            "customer_id": "c1",
            "dimensions": {"model": "m"},
            "window_start": us("2026-01-15T10:00:00Z"),
            "window_end": us("2026-01-15T11:00:00Z"),
            "closes_at": us("2026-01-16T11:00:00Z"),
            "quantity": 2,
            "event_count": 1,
            "unit": None,
            "rate_label": None,
            "rate_effective_from": None,
            "unit_price": None,
            "per": None,
            "currency": None,
            "cost": None,
            "pane": "batch",
        }
    ]
    assert outcome.rejects == [
        {
            "origin": f"f:{2 * len(line) + 2}",
            "reason": "not_object",
            "meter": None,
            "customer_id": None,
            "event_time": None,
            "received_at": NOON_US,
            "payload": "[]",
        }
    ]
    assert outcome.ledger == {
        (NOON_US, None, "received", None): 3,
        (NOON_US, None, "accepted", None): 1,
        (NOON_US, None, "duplicate", None): 1,
        (NOON_US, None, "rejected", "not_object"): 1,
        (NOON_US, "tokens", "matched", None): 1,
        (NOON_US, "tokens", "metered", None): 1,
    }


@pytest.mark.parametrize(
    ("aggregation", "quantity"),
    [
        ("sum", "7"),
        ("count", "5"),
        ("unique_count", "4"),
        ("min", "-1"),
        ("max", "2.5"),
        ("avg", "1.4"),
        ("latest", "1"),
    ],
)
def test_each_aggregation_is_exact(aggregation: str, quantity: str) -> None:
    # At the latest time there are -1 and "1": the greater value is taken.
    values = [("2.5", "29"), (2, "28"), (-1, "30"), ("1", "30"), ("2.5", "00")]
    lines = [event(n, timestamp=f"2026-01-15T10:{minute}:00Z") for n, minute in values]
    text = TOKENS.replace("sum, value: n" if aggregation == "count" else "sum", aggregation)
    assert quantities(meter(lines, text)) == [Decimal(quantity)]


@pytest.mark.parametrize(("units", "expected"), [((1, 2), 2), ((0, 1), 0), ((-1, -2), -2)])
def test_an_average_is_rounded_half_to_even(units: tuple[int, int], expected: int) -> None:
    lines = [event(f"{unit}e-18") for unit in units]
    (quantity,) = quantities(meter(lines, TOKENS.replace("sum", "avg")))
    assert quantity * 10**18 == expected


def test_unique_texts_are_told_apart_as_written() -> None:
    values: list[Any] = ["7", 7, "7.0", 7.0, "", "true", True, " 7"]
    lines = [event(n, id=str(at)) for at, n in enumerate(values)]
    assert quantities(meter(lines, TOKENS.replace("sum", "unique_count"))) == [5]


@pytest.mark.parametrize(
    ("n", "model", "reason"),
    [
        (1, {}, "invalid_dimension"),
        (None, [], "invalid_dimension"),
        (None, "m", "missing_value"),
        ([], "m", "invalid_value"),
        (True, "m", "invalid_value"),
        ("+1", "m", "invalid_value"),
        ("", "m", "invalid_value"),
        ("1e20", "m", "number_out_of_range"),
        ("1e-19", "m", "number_out_of_range"),
        ("1.50000000000000000000", None, None),
    ],
)
def test_a_meter_rejects_what_it_cannot_count(n: Any, model: Any, reason: str | None) -> None:
    outcome = meter([event(n, model)])
    assert reasons(outcome) == ([reason] if reason else [])
    assert totals(outcome)[None, "accepted", None] == 1
    assert totals(outcome)["tokens", "rejected" if reason else "metered", reason] == 1
    assert [row["payload"] for row in outcome.rejects] == [None] * len(outcome.rejects)


@pytest.mark.parametrize(("n", "reason"), [(None, "missing_value"), ({}, "invalid_value")])
def test_a_unique_count_needs_a_scalar(n: Any, reason: str) -> None:
    assert reasons(meter([event(n)], TOKENS.replace("sum", "unique_count"))) == [reason]


def test_dimensions_are_texts_as_written_and_null_is_a_group_of_its_own() -> None:
    models: list[Any] = ["7", 7, True, "true", None, "", "null"]
    lines = [event(1, model, id=str(at)) for at, model in enumerate(models)]
    lines.append(event(1, 9, id="number as written").replace("9}", "1.50}"))
    found = {row["dimensions"]["model"]: row["quantity"] for row in meter(lines).usage}
    assert found == {"7": 2, "true": 2, None: 1, "": 1, "null": 1, "1.50": 1}


def test_where_takes_texts_as_written_and_all_must_hold() -> None:
    text = catalog(
        "name: m, event_type: [use, other], aggregation: count,"
        " where: {a: [NO, 1.50], '$.metadata.\"x.y\".z': yes}"
    )

    def matched(a: str, z: str) -> bool:
        line = event(properties=..., metadata={"x.y": {"z": "Z"}})[:-1].replace('"Z"', z)
        outcome = meter([line + f', "properties": {{"a": {a}}}}}'], text)
        return totals(outcome).get(("m", "matched", None), 0) == 1

    assert matched('"NO"', '"yes"')
    assert matched("1.50", '"yes"')
    assert not any(
        matched(a, '"yes"') for a in ("1.5", "null", "[]", '["NO"]', '{"NO": 1}', "false")
    )
    assert not matched('"NO"', "true")


def test_windows_start_with_the_epoch_and_hold_their_first_moment_only() -> None:
    times = ["1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "1970-01-01T00:59:59.999999Z"]
    starts = [row["window_start"] for row in meter([event(timestamp=time) for time in times]).usage]
    assert starts == [-HOUR_US, 0]


def test_late_events_are_rejected_only_as_streamed_and_only_after_their_window_closed() -> None:
    text = TOKENS.replace("model]", "model], allowed_lateness: 10m")
    closes = ["2026-01-15T11:10:00Z", "2026-01-15T11:10:00.000001Z"]
    lines = [event(received_at=arrival) for arrival in closes]
    assert quantities(meter(lines, text, source="recorded")) == [2]
    outcome = meter(lines, text, source="recorded", as_streamed=True)
    assert quantities(outcome) == [1]
    assert reasons(outcome) == ["too_late"]
    assert len(outcome.events) == 2


def test_events_out_of_the_range_are_accepted_and_not_matched() -> None:
    times = [f"2026-01-15T{hour}:00:00Z" for hour in ("08", "09", "10")]
    lines = [event(timestamp=time) for time in times]
    outcome = meter(lines, from_us=us(times[1]), to_us=us(times[2]))
    assert totals(outcome)[None, "accepted", None] == 3
    assert totals(outcome)["tokens", "matched", None] == 1


def test_an_event_that_no_meter_reads_is_kept() -> None:
    outcome = meter([event(event_type="unheard of", timestamp=NOON)])
    assert len(outcome.events) == 1
    assert outcome.usage == []
    assert set(totals(outcome)) == {(None, "received", None), (None, "accepted", None)}
