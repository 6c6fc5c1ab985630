"""usage_current: of each window the rows of one run, of each row its last revision."""

import random
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from stored_rows import UNRATED, Store, at, new_store, reject_row, run_row, usage_row

from pipelines.runs import Run

CURRENT = "SELECT run_id, event_count FROM usage_current ORDER BY window_start, run_id, event_count"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path)


def test_the_last_revision_of_each_row_holds(store: Store) -> None:
    store.run(run_row("s", "streaming", "running"))
    store.add(
        "usage",
        usage_row("s", 1, 2, pane="early", written_at=at(1)),
        usage_row("s", 1, 5, pane="early", written_at=at(2)),
        usage_row("s", 1, 5, pane="on_time", written_at=at(3)),
        usage_row("s", 1, 4, pane="late", written_at=at(4)),
        usage_row("s", 1, 1, customer_id="c2"),
        usage_row("s", 1, 1, dimensions='{"region":null}'),
        usage_row("s", 1, 1, **UNRATED),
        usage_row("s", 1, 1, rate_effective_from=at(1)),
    )
    sql = "SELECT event_count, pane FROM usage_current ORDER BY 1 DESC, 2"
    assert store.query(sql) == [(5, "on_time"), *([(1, "batch")] * 4)]


def test_the_latest_batch_run_holds_where_it_covers(store: Store) -> None:
    store.run(run_row("s", "streaming", "running"), run_row("b1"))
    store.run(run_row("b2", started_at=at(1, 1)), run_row("b3", status="failed"))
    store.add("usage", *(usage_row("s", hour, 9) for hour in range(3)))
    store.add("usage", usage_row("b1", 0, 1), usage_row("b1", 1, 1))
    store.add("usage", usage_row("b2", 1, 2), usage_row("b3", 2, 3))
    assert store.query(CURRENT) == [("b1", 1), ("b2", 2), ("s", 9)]


def test_a_run_without_a_range_covers_what_it_rejected_for_a_meter(store: Store) -> None:
    store.run(run_row("s", "streaming", "running"), run_row("b"))
    store.add("usage", *(usage_row("s", hour, 9) for hour in range(6)))
    store.add("usage", usage_row("b", 0, 1))
    store.add(
        "rejects",
        reject_row("b", "invalid_value", 1),
        reject_row("b", "invalid_value", 2.999),
        reject_row("b", "total_out_of_range", 3),
        reject_row("b", "refused", 4),
        reject_row("b", "invalid_value", 5, meter="tokens"),
        reject_row("b", "conflict", 5, meter=None),
    )
    assert store.query(CURRENT) == [("b", 1), ("s", 9), ("s", 9), ("s", 9)]


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [(1, 3, [0, 3]), (None, 3, [3]), (1, None, [0]), (1.5, 3, [0, 1, 3])],
)
def test_a_range_covers_windows_inside_it_also_those_with_nothing(
    store: Store, start: float | None, end: float | None, shown: list[int]
) -> None:
    ends = [None if hour is None else at(hour) for hour in (start, end)]
    store.run(run_row("s", "streaming", "running"))
    store.run(run_row("b", range_start=ends[0], range_end=ends[1]))
    store.add("usage", *(usage_row("s", hour) for hour in range(4)))
    store.add("usage", *(usage_row("s", hour, meter="calls_2") for hour in range(4)))
    sql = "SELECT hour(window_start) FROM usage_current WHERE meter = '{}' ORDER BY 1"
    assert store.query(sql.format("calls")) == [(hour,) for hour in shown]
    assert store.query(sql.format("calls_2")) == [(hour,) for hour in range(4)]


def test_of_streams_the_one_that_counted_most_holds_then_the_later(store: Store) -> None:
    store.run(run_row("s1", "streaming", "running", started_at=at(0)))
    store.run(run_row("s2", "streaming", "failed", started_at=at(1)))
    store.add(
        "usage",
        usage_row("s1", 0, 3),
        usage_row("s1", 0, 3, customer_id="c2"),
        *(usage_row("s2", 0, count) for count in (1, 2, 3, 4, 5)),
        usage_row("s1", 1, 2),
        usage_row("s2", 1, 2),
    )
    assert store.query(CURRENT) == [("s1", 3), ("s1", 3), ("s2", 2)]


def test_where_the_catalogs_windows_changed_a_batch_run_takes_all_it_overlaps(
    store: Store,
) -> None:
    store.run(run_row("s", "streaming", "running"), run_row("b"))
    store.add("usage", *(usage_row("s", hour, 9) for hour in (0, 1, 4)))
    store.add("usage", usage_row("s", 0, 9, window_start=at(0, 1)))
    store.add("usage", usage_row("b", 0, 1, length=timedelta(hours=3)))
    assert store.query(CURRENT) == [("b", 1), ("s", 9), ("s", 9)]


def test_windows_before_1970_are_windows_too(store: Store) -> None:
    old = datetime.fromisoformat("1969-12-31T22:00:00Z")
    store.run(run_row("s", "streaming", "running"), run_row("b"))
    for hours in (0, 1):
        start = old + timedelta(hours=hours)
        store.add("usage", usage_row("s", 0, hours + 1, window_start=start))
    early = old + timedelta(minutes=59)
    store.add("rejects", reject_row("b", "invalid_value", 0, event_time=early))
    assert store.query(CURRENT) == [("s", 2)]


@pytest.mark.parametrize("seed", range(6))
def test_the_view_says_what_the_definition_says(store: Store, seed: int) -> None:
    drawn = random.Random(seed)  # noqa: S311 -- examples, not secrets
    runs = [_some_run(drawn, f"r{number}") for number in range(6)]
    usage = [row for run in runs for row in _some_usage(drawn, run)]
    rejects = [row for run in runs for row in _some_rejects(drawn, run)]
    store.run(*runs)
    store.add("usage", *usage)
    store.add("rejects", *rejects)
    columns = "run_id, meter, hour(window_start), customer_id, event_count, hour(written_at)"
    found = store.query(f"SELECT {columns} FROM usage_current")  # noqa: S608 -- our own names
    assert sorted(found) == sorted(_defined(runs, usage, rejects))


def _some_run(drawn: random.Random, run_id: str) -> Run:
    mode = drawn.choice(["batch", "batch", "streaming"])
    ends = sorted(drawn.sample(range(7), 2)) if mode == "batch" and drawn.random() < 0.5 else None
    return run_row(
        run_id,
        mode,
        drawn.choice(["succeeded", "succeeded", "failed", "running"]),
        started_at=at(drawn.randrange(3), 1),
        meters=tuple(drawn.sample(["calls", "tokens"], drawn.choice([1, 2]))),
        range_start=at(ends[0]) if ends and drawn.random() < 0.8 else None,
        range_end=at(ends[1]) if ends and drawn.random() < 0.8 else None,
    )


def _some_hour(drawn: random.Random, run: Run) -> int:
    first = run.range_start.hour if run.range_start else 0
    last = run.range_end.hour - 1 if run.range_end else 5
    return drawn.randint(first, last)


def _some_usage(drawn: random.Random, run: Run) -> list[dict[str, Any]]:
    return [
        usage_row(
            run.run_id,
            _some_hour(drawn, run),
            drawn.randint(1, 3),
            meter=drawn.choice(run.meters),
            customer_id=drawn.choice(["c1", "c2"]),
            written_at=at(drawn.randrange(3), 1),
        )
        for _ in range(drawn.randrange(8))
    ]


def _some_rejects(drawn: random.Random, run: Run) -> list[dict[str, Any]]:
    reasons = ["invalid_value", "too_late", "total_out_of_range", "refused"]
    return [
        reject_row(
            run.run_id,
            drawn.choice(reasons),
            _some_hour(drawn, run) + drawn.random(),
            meter=drawn.choice(run.meters),
        )
        for _ in range(drawn.randrange(3))
    ]


def _defined(
    runs: list[Run], usage: list[dict[str, Any]], rejects: list[dict[str, Any]]
) -> list[tuple[Any, ...]]:
    """The definition, word by word: slow and plain."""
    shown = [run for run in runs if run.mode == "streaming" or run.status == "succeeded"]
    latest: dict[tuple[str, str, int], dict[str, tuple[int, int]]] = defaultdict(dict)
    for row in usage:
        rows = latest[row["run_id"], row["meter"], row["window_start"].hour]
        revision = row["event_count"], row["written_at"].hour
        rows[row["customer_id"]] = max(revision, rows.get(row["customer_id"], revision))
    refused = {
        (row["run_id"], row["meter"], row["event_time"].hour)
        for row in rejects
        if row["reason"] not in {"total_out_of_range", "refused"}
    }

    def covers(run: Run, meter: str, hour: int) -> bool:
        if run.range_start is None and run.range_end is None:
            return (run.run_id, meter, hour) in {*latest, *refused}
        after = run.range_start is None or run.range_start <= at(hour)
        before = run.range_end is None or at(hour + 1) <= run.range_end
        return after and before and meter in run.meters

    def holder(meter: str, hour: int) -> str | None:
        batch = [run for run in shown if run.mode == "batch" and covers(run, meter, hour)]
        streams = {
            run: sum(count for count, _ in latest[run.run_id, meter, hour].values())
            for run in shown
            if run.mode == "streaming" and (run.run_id, meter, hour) in latest
        }
        order = sorted(batch, key=lambda run: (run.started_at, run.run_id)) or sorted(
            # a run that goes on is later than one that ended
            streams,
            key=lambda run: (streams[run], run.started_at, run.finished_at is None, run.run_id),
        )
        return order[-1].run_id if order else None

    return [
        (run_id, meter, hour, customer, *revision)
        for (run_id, meter, hour), rows in list(latest.items())
        if run_id == holder(meter, hour)
        for customer, revision in rows.items()
    ]
