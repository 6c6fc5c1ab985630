"""The views of dashboards: periods, places, percents, delays and the forecast, to the digit."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from stored_rows import (
    UNRATED,
    Store,
    at,
    event_row,
    new_store,
    reject_row,
    run_row,
    usage_row,
)

from pipelines.views import MeterShape

MOST = Decimal("99999999999999999999.999999999999999999")
LEAST = MOST.copy_negate()
SUMS = {"calls": MeterShape(("region",), aggregation="sum")}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = new_store(tmp_path)
    made.run(run_row("r"))
    return made


def on(day: str, cost: str | None = "1", **changes: Any) -> dict[str, Any]:
    """A row of a window of that day, long before it was written."""
    start = datetime.fromisoformat(f"{day}T05:00:00+00:00")
    amount = None if cost is None else Decimal(cost)
    return usage_row("r", 0, window_start=start, **{"cost": amount, **changes})


def test_usage_is_by_day_week_from_monday_and_month(store: Store) -> None:
    days = ("1969-12-28", "1969-12-29", "1970-01-01", "2024-02-29", "2026-01-18", "2026-01-19")
    store.add("usage", *(on(day) for day in days), on("0001-01-01"))
    periods = {
        period: [day for (day,) in store.query(f"SELECT {period}::TEXT FROM usage_by_{period}")]  # noqa: S608 -- our own names
        for period in ("day", "week", "month")
    }
    assert sorted(periods["day"]) == sorted(["0001-01-01", *days])
    assert sorted(periods["week"]) == [
        *("0001-01-01", "1969-12-22", "1969-12-29", "2024-02-26", "2026-01-12", "2026-01-19"),
    ]
    assert sorted(periods["month"]) == [
        *("0001-01-01", "1969-12-01", "1970-01-01", "2024-02-01", "2026-01-01"),
    ]


@pytest.mark.parametrize(
    ("aggregation", "quantity"),
    [("sum", 3), ("count", 3), ("max", None), ("avg", None), ("unique_count", None), (None, None)],
)
def test_quantities_are_added_up_only_where_that_means_something(
    store: Store, aggregation: str | None, quantity: int | None
) -> None:
    store.add("usage", usage_row("r", 1, 1), usage_row("r", 2, 2))
    store.write_shapes({"calls": MeterShape((), aggregation=aggregation)})
    store.write_shapes({"calls": MeterShape(())})  # who does not know it leaves it
    assert store.query("SELECT quantity, event_count FROM usage_by_day") == [(quantity, 3)]


def test_usage_without_a_rate_is_a_group_of_its_own(store: Store) -> None:
    store.write_shapes(SUMS)
    store.add(
        "usage",
        usage_row("r", 1, 1),
        usage_row("r", 2, 2, **UNRATED),
        usage_row("r", 3, 3, cost=None),
        usage_row("r", 4, 4, quantity=None, **UNRATED),
    )
    columns = "currency, quantity, cost, usage_rows, unrated_rows, out_of_range_rows"
    assert store.query(f"SELECT {columns} FROM usage_by_month ORDER BY 1") == [  # noqa: S608 -- our own names
        ("USD", 4, 2, 2, 0, 1),
        (None, 2, None, 2, 2, 1),
    ]
    columns = "meter, customer_id, unit, hour(first_window), hour(last_window), usage_rows"
    assert store.query(f"SELECT {columns}, event_count FROM unrated_usage") == [  # noqa: S608 -- our own names
        ("calls", "c1", None, 2, 4, 2, 6)
    ]


def test_sums_that_do_not_fit_are_null(store: Store) -> None:
    store.write_shapes(SUMS)
    rows = (usage_row("r", hour, quantity=MOST, cost=MOST) for hour in (1, 2))
    store.add("usage", *rows, usage_row("r", 3, customer_id="c2", quantity=MOST, cost=LEAST))
    columns = "customer_id, quantity, cost"
    assert store.query(f"SELECT {columns} FROM usage_by_week ORDER BY 1") == [  # noqa: S608 -- our own names
        ("c1", None, None),
        ("c2", MOST, LEAST),
    ]
    assert store.query("SELECT value, cost FROM cost_by_dimension") == [("eu", MOST)]


def places(store: Store, *costs: str | None) -> list[tuple[Any, ...]]:
    for number, cost in enumerate(costs):
        store.add("usage", on("2026-01-15", cost, customer_id=f"c{number}"))
    return store.query("SELECT place, cost, share_percent FROM top_customers ORDER BY customer_id")


def test_equal_customers_share_a_place(store: Store) -> None:
    assert [place for place, *_ in places(store, "5", "7", "5", None, "-1")] == [2, 1, 2, 5, 4]


@pytest.mark.parametrize(
    ("costs", "shares"),
    [
        (["2", "1"], ["66.6666", "33.3333"]),
        (["0.000000000000000002", "0.000000000000000001"], ["66.6666", "33.3333"]),
        (["0.002", "0.000000000000001"], ["99.9999", "0"]),
        (["999999999999998.5", "1"], ["99.9999", "0"]),
        (["999999999999999", "2"], [None, None]),
        (["3", "-1"], ["150", "-50"]),
        (["1", "-1"], [None, None]),
        (["1", None], ["100", None]),
        (["1234567.891", "765432.109"], ["61.7283", "38.2716"]),
    ],
)
def test_shares_are_percents_cut_after_four_decimals(
    store: Store, costs: list[str | None], shares: list[str | None]
) -> None:
    found = [share for *_, share in places(store, *costs)]
    assert found == [None if share is None else Decimal(share) for share in shares]


def change(store: Store, *costs: str | None) -> Sequence[Any]:
    days = ("2026-01-31", "2026-02-01")
    store.add("usage", *(on(day, cost) for day, cost in zip(days, costs, strict=True)))
    sql = "SELECT previous_cost, change, change_percent FROM cost_change WHERE period = 'day'"
    *_, last = store.query(f"{sql} ORDER BY period_start")
    return last


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("3", "4", ("3", "1", "33.3333")),
        ("4", "3", ("4", "-1", "-25")),
        ("-10", "-5", ("-10", "5", "50")),
        ("0", "5", ("0", "5", None)),
        ("0.000000000000000003", "7", ("0.000000000000000003", "6.999999999999999997", None)),
        ("0.01", "999", ("0.01", "998.99", "9989900")),
        ("100000", "0", ("100000", "-100000", "-100")),
        (str(MOST), str(LEAST), (str(MOST), None, None)),
        (None, "1", (None, None, None)),
    ],
)
def test_change_is_against_the_period_before(
    store: Store, before: str | None, after: str, expected: Sequence[str | None]
) -> None:
    wanted = tuple(None if each is None else Decimal(each) for each in expected)
    assert change(store, before, after) == wanted


def test_a_period_without_usage_before_it_has_no_change(store: Store) -> None:
    days = ("2025-12-28", "2025-12-29", "2025-12-31", "2026-01-05", "2026-02-10")
    store.add("usage", *(on(day, str(number)) for number, day in enumerate(days, 1)))
    sql = "SELECT period, period_start::TEXT, change FROM cost_change WHERE change IS NOT NULL"
    assert store.query(f"{sql} ORDER BY ALL") == [
        ("day", "2025-12-29", 1),
        ("month", "2026-01-01", 4 - 6),
        ("month", "2026-02-01", 5 - 4),
        ("week", "2025-12-29", 2 + 3 - 1),
        ("week", "2026-01-05", 4 - 5),
    ]


def test_each_dimension_has_its_costs(store: Store) -> None:
    odd = '{"a.b":"x","say \\"c\\"":"it\'s {names}"}'
    store.write_views({"calls": ["a.b", 'say "c"', "new"], "none": [], "other": ["region"]})
    store.add("usage", usage_row("r", 1, 2, dimensions=odd), usage_row("r", 2, meter="none"))
    store.add("usage", usage_row("r", 3, meter="unknown"))
    columns = "month::TEXT, meter, dimension, value, cost, event_count, usage_rows"
    assert store.query(f"SELECT {columns} FROM cost_by_dimension ORDER BY ALL") == [  # noqa: S608 -- our own names
        ("2026-01-01", "calls", "a.b", "x", 4, 2, 1),
        ("2026-01-01", "calls", "new", None, 4, 2, 1),
        ("2026-01-01", "calls", 'say "c"', "it's {names}", 4, 2, 1),
        ("2026-01-01", "unknown", "region", "eu", 2, 1, 1),
    ]


def test_rejects_are_counted_by_the_day_they_arrived(store: Store) -> None:
    early = {"received_at": at(23.99, 1), "origin": "x"}
    store.add(
        "rejects",
        *(reject_row("r", "too_late", hour) for hour in (1, 1, 2)),
        reject_row("r", "not_json", 1, meter=None, **early),
        reject_row("r", "refused", 1, received_at=None),
    )
    sql = "SELECT day::TEXT, reason, meter, rejects FROM rejects_by_day ORDER BY reason"
    assert store.query(sql) == [
        ("2026-01-16", "not_json", None, 1),
        (None, "refused", "calls", 1),
        ("2026-01-17", "too_late", "calls", 2),
    ]


def test_delays_are_milliseconds_by_nearest_rank(store: Store) -> None:
    for number, us in enumerate([*range(1_000, 101_000, 1_000), 7_000]):
        arrived = {"event_time": at(0) - timedelta(microseconds=us + 999)}
        store.add("events", event_row("r", f"k{number}", event_type="a", **arrived))
    for number, us in enumerate([-1, -1000, -1001]):
        when = {"event_time": at(0) - timedelta(microseconds=us)}
        store.add("events", event_row("r", f"b{number}", event_type="b", **when))
    again = {"received_at": at(1), "event_time": at(0)}
    store.add("events", event_row("r", "k1", event_type="a", origin="later", **again))
    columns = "event_type, events, p50_ms, p95_ms, p99_ms, max_ms"
    assert store.query(f"SELECT {columns} FROM ingest_delay ORDER BY 1") == [  # noqa: S608 -- our own names
        ("a", 101, 50, 95, 99, 100),
        ("b", 3, -1, -1, -1, -1),
    ]


def forecast(store: Store, written: str, *rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    at_noon = datetime.fromisoformat(f"{written}T12:00:00+00:00")
    store.add("usage", *(row | {"written_at": at_noon} for row in rows))
    columns = "month::TEXT, currency, cost_so_far, days_elapsed, days_in_month, forecast"
    return store.query(f"SELECT {columns} FROM cost_forecast ORDER BY currency")  # noqa: S608 -- our own names


def test_the_forecast_goes_by_whole_days(store: Store) -> None:
    rows = [on("2026-02-01", "10"), on("2026-02-03", "5"), on("2026-02-04", "99")]
    rows += [on("2026-01-31", "7"), on("2026-02-02", "1", currency="EUR")]
    rows += [on("2026-02-04", "3", currency="GBP")]
    assert forecast(store, "2026-02-04", *rows) == [
        ("2026-02-01", "EUR", 1, 3, 28, Decimal("9.333333333333333333")),
        ("2026-02-01", "GBP", None, 3, 28, None),
        ("2026-02-01", "USD", 15, 3, 28, 140),
    ]


def test_the_forecast_of_a_month_that_is_over_is_its_cost(store: Store) -> None:
    rows = [on("2024-02-29", "1.000000000000000001"), on("2024-02-10", "-0.5")]
    cost = Decimal("0.500000000000000001")
    found = forecast(store, "2024-03-01", *rows)
    assert found == [("2024-02-01", "USD", cost, 29, 29, cost)]


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        ("99999999999999999.999999999999999999", "221428571428571428.571428571428571426"),
        ("-0.000000000000000007", "-0.000000000000000015"),
        ("100000000000000000", None),
    ],
)
def test_a_forecast_is_exact_or_null(store: Store, cost: str, expected: str | None) -> None:
    ((*_, found),) = forecast(store, "2026-01-15", on("2026-01-14", cost))
    assert found == (None if expected is None else Decimal(expected))


def test_there_is_no_forecast_on_the_first_of_a_month(store: Store) -> None:
    rows = forecast(store, "2026-02-01", on("2026-02-01"), on("2026-01-31"))
    assert rows == [("2026-02-01", "USD", None, 0, 28, None)]
