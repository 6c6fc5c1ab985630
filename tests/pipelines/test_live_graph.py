"""The real graph on Prism across panes: keys, rates, buckets and the ledger."""

import pytest

from live_graph import TOKENS, Batch, Wait, Watermark, assert_balanced, stream, use

RATES = "meter,label,effective_from,unit_price\n"
OLD, NEW = RATES + "tokens,old,2026-01-01,2\n", RATES + "tokens,new,2026-01-02,3\n"


def test_a_duplicate_is_found_across_panes() -> None:
    one = use(2, "10:30")
    tables = stream(
        TOKENS, Batch("10:31", (one,)), Watermark("11:00"), Batch("11:10", (one, use(3, "11:05")))
    )
    assert tables.current("quantity", "event_count") == [(2, 1), (3, 1)]
    assert tables.ledger()[None, "duplicate", None] == 1
    assert_balanced(tables)


def test_a_conflict_is_found_across_panes() -> None:
    one, other = use(2, "10:30", id="x"), use(200, "10:30", id="x")
    tables = stream(TOKENS, Batch("10:31", (one,)), Watermark("11:00"), Batch("11:10", (other,)))
    assert tables.current("quantity", "event_count") == [(2, 1)]
    assert [row["reason"] for row in tables.rows("rejects")] == ["conflict"]
    assert tables.ledger()[None, "rejected", "conflict"] == 1
    assert_balanced(tables)


def test_a_rate_that_changes_within_a_window_cuts_it() -> None:
    rates = OLD + "tokens,new,2026-01-15T10:30:00Z,3\n"
    tables = stream(
        TOKENS,
        Batch("10:31", (use(1, "10:29"), use(10, "10:30")), rates="v1"),
        Batch("10:32", (use(2, "10:29", "10:32"), use(20, "10:30", "10:32")), rates="v1"),
        rates={"v1": rates},
    )
    assert tables.current("rate_label", "quantity", "event_count", "cost") == [
        ("new", 30, 2, 90),
        ("old", 3, 2, 6),
    ]
    assert_balanced(tables)


def test_new_rates_hold_for_events_read_from_then_on() -> None:
    tables = stream(
        TOKENS,
        Batch("10:31", (use(1, "10:30"),)),
        Batch("10:32", (use(2, "10:30"),), rates="v1"),
        Batch("10:33", (use(4, "10:30"),), rates="v2"),
        Batch("10:34", (use(8, "10:30"),), rates="v1"),
        rates={"v1": OLD, "v2": NEW},
        early_s=3600,
    )
    assert set(tables.current("rate_label", "quantity", "cost")) == {
        (None, 1, None),
        ("new", 4, 12),
        ("old", 10, 20),
    }
    assert_balanced(tables)


@pytest.mark.parametrize("kind", ["max", "avg", "latest"])
def test_where_a_window_has_one_rate_it_is_of_the_version_that_held_when_it_began(
    kind: str,
) -> None:
    tables = stream(
        TOKENS.replace("sum", kind),
        Batch("10:31", (use(3, "10:30"),), rates="v1"),
        Batch("10:32", (use(3, "10:31"),), rates="v2"),
        Batch("11:10", (use(5, "11:05"),), rates="v2"),
        rates={"v1": OLD, "v2": NEW},
    )
    assert tables.current("rate_label", "quantity", "event_count", "cost") == [
        ("new", 5, 1, 15),
        ("old", 3, 2, 6),
    ]
    assert_balanced(tables)


def test_series_are_spread_over_buckets() -> None:
    lines = tuple(use(i, "10:30", customer_id=f"c{i}") for i in range(20))
    tables = stream(TOKENS, Batch("10:31", lines), Batch("10:32", lines[:5]), series_buckets=4)
    assert len(tables.batches("usage")) == 4
    assert sorted(quantity for (quantity,) in tables.current("quantity")) == list(range(20))
    assert tables.ledger()[None, "duplicate", None] == 5


def test_events_without_a_recorded_arrival_arrive_when_they_are_read() -> None:
    plain = use(2, "10:30", received_at=None)
    late = use(4, "10:31", received_at=None)
    tables = stream(TOKENS, Batch("10:31", (plain,)), Batch("12:01", (late,)), source="native")
    assert tables.usage("pane", "quantity") == [("early", 2)]
    assert [row["reason"] for row in tables.rows("rejects")] == ["too_late"]
    assert_balanced(tables)


def test_the_ledger_is_written_while_the_stream_runs() -> None:
    tables = stream(
        TOKENS,
        Batch("10:31", (use(1, "10:30"),)),
        Wait(1),
        Batch("10:32", (use(2, "10:31"),)),
        Wait(1),
    )
    received = [r["events"] for r in tables.rows("ledger") if r["outcome"] == "received"]
    assert received == [1, 2]
