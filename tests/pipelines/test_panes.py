"""Panes of the real graph on Prism: when rows come, what they say, and what is late."""

from collections import Counter
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from live_graph import TOKENS, Batch, Tables, Wait, Watermark, assert_balanced, stream, use


def shown(tables: Tables) -> list[tuple[Any, ...]]:
    """Pane, quantity and event count of all usage rows, as they were written."""
    return tables.usage("pane", "quantity", "event_count")


def test_an_early_pane_comes_before_the_window_ends() -> None:
    tables = stream(TOKENS, Batch("10:31", (use(2, "10:30"),)))
    assert shown(tables) == [("early", 2, 1)]


def test_early_panes_come_after_a_wait_with_all_that_changed_meanwhile() -> None:
    tables = stream(
        TOKENS,
        Batch("10:31", (use(2, "10:30"),)),
        Batch("10:32", (use(3, "10:31"),)),
        Wait(1.5),
        Batch("10:33", (use(4, "10:32"),)),
        Wait(1.5),
        early_s=1.5,
    )
    assert shown(tables) == [("early", 5, 2), ("early", 9, 3)]


def test_the_on_time_pane_comes_when_the_watermark_passes_the_end() -> None:
    tables = stream(
        TOKENS,
        Batch("10:31", (use(2, "10:30"),)),
        Watermark("10:59:59"),
        Batch("10:59:59.5", (use(3, "10:59"),)),
        Watermark("11:00"),
        Batch("11:30", (use(7, "11:20"),)),
        early_s=3600,
    )
    assert shown(tables) == [("on_time", 5, 2), ("on_time", 7, 1)]
    assert tables.order("events", "usage") == "events events usage events usage".split()


def test_an_idle_watermark_closes_windows() -> None:
    tables = stream(
        TOKENS,
        Batch("10:31", (use(2, "10:30"),)),
        Watermark("10:59:59"),
        Watermark("11:00"),
        Batch("15:00", (use(3, "15:00"),)),
        early_s=3600,
    )
    assert shown(tables) == [("on_time", 2, 1), ("on_time", 3, 1)]
    assert tables.order("events", "usage") == "events usage events usage".split()


def test_a_late_pane_comes_when_a_late_event_does() -> None:
    tables = stream(
        TOKENS,
        Batch("10:31", (use(2, "10:30"),)),
        Watermark("11:00"),
        Batch("11:20", (use(3, "10:40", "11:20"),)),
        Batch("11:21", (use(4, "10:41", "11:21"),)),
        early_s=3600,
    )
    assert shown(tables) == [("on_time", 2, 1), ("late", 5, 2), ("late", 9, 3)]
    assert_balanced(tables)


def test_what_is_too_late_is_rejected_and_counted_and_metered_nowhere() -> None:
    just, too = use(3, "10:40", "12:00"), use(4, "10:41", "12:00:00.000001")
    tables = stream(TOKENS, Batch("10:31", (use(2, "10:30"),)), Batch("12:00", (just, too)))
    assert tables.current("quantity", "event_count") == [(5, 2)]
    (reject,) = tables.rows("rejects")
    assert (reject["reason"], reject["meter"]) == ("too_late", "tokens")
    assert tables.ledger()["tokens", "rejected", "too_late"] == 1
    assert len(tables.rows("events")) == 3
    assert_balanced(tables)


def test_revisions_come_in_order_and_event_count_grows() -> None:
    batches = [Batch(f"10:{10 + i}", (use(i, f"10:{10 + i}"),)) for i in range(12)]
    tables = stream(TOKENS, *batches, Watermark("11:00"))
    assert shown(tables) == [("early", sum(range(i + 1)), i + 1) for i in range(12)]
    assert all(one < two for one, two in pairwise(count for _, _, count in shown(tables)))


def test_only_groups_that_changed_are_written() -> None:
    text = TOKENS.replace("value: n", "value: n, dimensions: [model]")

    def by(model: str | None) -> str:
        return use(at="10:30", properties={"n": 1, "model": model})

    tables = stream(
        text,
        Batch("10:31", (by("a"), by("b"), by(None))),
        Batch("10:32", (by("b"),)),
        Batch("10:33", (by(None), by("c"))),
    )
    written = [
        sorted((row["dimensions"], row["event_count"]) for row in rows)
        for rows in tables.batches("usage")
    ]
    assert written == [
        [('{"model":"a"}', 1), ('{"model":"b"}', 1), ('{"model":null}', 1)],
        [('{"model":"b"}', 2)],
        [('{"model":"c"}', 1), ('{"model":null}', 2)],
    ]


@pytest.mark.parametrize("early_s", [0, 3600])
def test_deltas_add_up_right(early_s: float) -> None:
    kinds = "sum avg latest unique_count min max".split()
    text = "version: 1\nmeters:\n" + "".join(
        f"  - {{name: m_{kind}, event_type: use, aggregation: {kind}, value: n}}\n"
        for kind in kinds
    )
    events = [
        ("1.5", 40),
        ("-2", 41),
        ("7", 30),
        ("7", 35),
        ("1.50", 20),
        ("0.000000000000000001", 5),
    ]
    batches = [
        Batch(f"10:{45 + i}", (use(n, f"10:{minute:02}", f"10:{45 + i}"),))
        for i, (n, minute) in enumerate(events)
    ]
    tables = stream(text, *batches, early_s=early_s)
    found = dict(tables.current("meter", "quantity"))
    assert found == {
        "m_sum": Decimal("15.000000000000000001"),
        "m_avg": Decimal("2.5"),
        "m_latest": -2,
        "m_unique_count": 5,
        "m_min": -2,
        "m_max": 7,
    }
    assert {row["event_count"] for row in tables.rows("usage")} >= {6}


def test_a_window_of_a_day_may_have_a_lateness_of_two() -> None:
    text = TOKENS.replace("allowed_lateness: 1h", "window: 1d, allowed_lateness: 2d")
    tables = stream(
        text,
        Batch("2026-01-15T10:31", (use(1, "10:30"),)),
        Watermark("2026-01-16T00:00"),
        Batch("2026-01-17T23:00", (use(2, "10:30", "2026-01-17T23:00"),)),
        Batch("2026-01-18T00:00", (use(4, "10:30", "2026-01-18T00:00"),)),
        Batch("2026-01-18T00:01", (use(8, "10:30", "2026-01-18T00:01"),)),
        early_s=3600,
    )
    assert shown(tables) == [("on_time", 1, 1), ("late", 3, 2), ("late", 7, 3)]
    assert [row["reason"] for row in tables.rows("rejects")] == ["too_late"]
    assert_balanced(tables)


def test_meters_of_different_windows_share_one_stream() -> None:
    text = """
version: 1
meters:
  - {name: minutes, event_type: use, aggregation: count, window: 1m, allowed_lateness: 1m}
  - {name: hours, event_type: use, aggregation: count, window: 1h, allowed_lateness: 1m}
  - {name: days, event_type: use, aggregation: count, window: 1d, allowed_lateness: 1d}
"""
    tables = stream(
        text,
        Batch("10:31:30", (use(at="10:31:10"), use(at="10:30:50", arrives="10:31:30"))),
        Watermark("10:32"),
        Batch("10:33", (use(at="10:31:20", arrives="10:33"), use(at="10:30:55", arrives="10:33"))),
        Watermark("11:00"),
        early_s=3600,
    )
    assert sorted(tables.usage("meter", "pane", "event_count")) == [
        ("days", "on_time", 4),
        ("hours", "on_time", 4),
        ("minutes", "late", 1),
        ("minutes", "late", 2),
        ("minutes", "on_time", 1),
    ]
    rejected = {(row["meter"], row["reason"]) for row in tables.rows("rejects")}
    assert rejected == {("minutes", "too_late")}
    for meter in ("minutes", "hours", "days"):
        of_meter = Counter(tables.ledger())
        assert of_meter[meter, "matched", None] == 4
