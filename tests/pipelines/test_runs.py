"""The registry of runs, and the checks of a run that is written and not visible yet."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from stored_rows import Store, at, event_row, ledger_row, new_store, reject_row, run_row, usage_row

from pipelines import warehouse
from pipelines.runs import (
    Run,
    RunIdError,
    check_run_id,
    clear_run,
    new_run_id,
    rejected,
    verify_ledger,
    windows_already_covered,
    write_failed,
)


def pending(store: Store, run_id: str) -> duckdb.DuckDBPyConnection:
    """The views as they are when the run is visible."""
    return warehouse.connect(store.out, pending=run_id)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path)


def test_run_ids_sort_by_time_and_differ() -> None:
    now = datetime(2026, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)
    ids = [new_run_id(now + timedelta(microseconds=later)) for later in (0, 1, 10**6)]
    assert ids == sorted(ids)
    assert ids[0].startswith("20260115T103000.123456Z-")
    assert new_run_id(now) != new_run_id(now)
    check_run_id(Path("none"), ids[0], "batch")


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", ".a", "-a", "_a", "a/b", "a b", "a\n", "é", "a" * 129]
)
def test_other_characters_are_no_run_id(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(RunIdError, match="letters, digits"):
        check_run_id(tmp_path, run_id, "batch")


@pytest.mark.parametrize(
    ("mode", "status", "again", "problem"),
    [
        ("batch", "succeeded", "batch", "has succeeded before"),
        ("batch", "failed", "batch", None),
        ("batch", "running", "batch", None),
        ("batch", "failed", "streaming", "that of a batch run"),
        ("streaming", "running", "batch", "that of a streaming run"),
        ("streaming", "succeeded", "streaming", None),
        ("streaming", "failed", "streaming", None),
    ],
)
def test_a_run_id_can_be_taken_again_by_the_same_mode_until_batch_has_succeeded(
    store: Store, mode: str, status: str, again: str, problem: str | None
) -> None:
    store.run(run_row("r", mode, "running"), run_row("r", mode, status))
    if problem is None:
        check_run_id(store.out, "r", again)
        return
    with pytest.raises(RunIdError, match=problem):
        check_run_id(store.out, "r", again)


def test_clearing_a_run_removes_its_rows_and_no_others(store: Store) -> None:
    store.run(run_row("a"), run_row("a.b"))
    for run_id in ("a", "a.b"):
        store.add("events", event_row(run_id, "1"))
        store.add("usage", usage_row(run_id, 1))
    clear_run(store.out, "a")
    clear_run(store.out, "none")
    for table in ("runs", "events", "usage"):
        assert store.query(f"SELECT run_id FROM {table}") == [("a.b",)]  # noqa: S608 -- our own names


def test_a_run_is_read_as_it_was_written(store: Store) -> None:
    store.run(run_row("r", range_start=at(1), meters=("a", "b"), rates_digest="d"))
    columns = "mode, meters, catalog_digest, rates_digest, range_end IS NULL, EPOCH_US(range_start)"
    assert store.query(f"SELECT {columns} FROM runs") == [  # noqa: S608 -- our own names
        ("batch", '["a", "b"]', "c", "d", True, int(at(1).timestamp()) * 10**6)
    ]


def test_a_run_is_checked_before_it_shows(store: Store) -> None:
    store.run(run_row("r", status="running"), run_row("other", status="running"))
    store.add(
        "ledger",
        ledger_row("r", "received", 3),
        ledger_row("r", "accepted", 2),
        ledger_row("r", "rejected", 1, reason="not_json"),
        ledger_row("r", "matched", 2, meter="calls"),
        ledger_row("r", "metered", 2, meter="calls"),
        ledger_row("other", "received", 3),
    )
    store.add("usage", usage_row("r", 1, 2), usage_row("other", 1))
    assert verify_ledger(pending(store, "r"), "r") == []
    assert store.query("SELECT COUNT(*) FROM ledger_balance") == [(0,)]
    assert verify_ledger(pending(store, "other"), "other") == [
        "3 records were received, but 0 accepted, 0 duplicates and 0 rejected",
        "meter calls: 0 events metered, but 1 in usage",
    ]
    assert verify_ledger(pending(store, "none"), "none") == ["run none is not in runs"]
    store.add("ledger", ledger_row("r", "rejected", 1, meter="calls", reason="too_late"))
    assert verify_ledger(pending(store, "r"), "r") == [
        "meter calls: 2 events matched, but 2 metered and 1 rejected"
    ]


def test_a_record_that_two_meters_rejected_is_one_reject(store: Store) -> None:
    store.run(run_row("r", status="running"))
    assert rejected(pending(store, "r"), "r") == (0, 0)
    store.add("ledger", ledger_row("r", "received", 3))
    store.add("ledger", ledger_row("r", "received", 4, period_start=at(1)))
    store.add("ledger", ledger_row("r", "matched", 4, meter="calls"))
    store.add(
        "rejects",
        reject_row("r", "invalid_value", 1),
        reject_row("r", "missing_value", 1, meter="tokens"),
        reject_row("r", "not_json", 2, meter=None, event_key=None, event_time=None),
        reject_row("r", "total_out_of_range", 3),
        reject_row("r", "refused", 4, meter=None),
    )
    assert rejected(pending(store, "r"), "r") == (7, 2)


def test_covered_windows_are_found_with_the_run_that_has_them(store: Store) -> None:
    run = run_row("new", status="running", started_at=at(0, 5))
    store.run(run, run_row("old"), run_row("failed", status="failed"))
    store.run(run_row("ranged", range_start=at(3), range_end=at(5), meters=("calls", "tokens")))
    store.run(run_row("s", "streaming", "failed"))
    store.add("usage", *(usage_row("new", hour) for hour in range(8)))
    store.add("usage", usage_row("new", 4, meter="other"), usage_row("old", 9))
    store.add("rejects", reject_row("new", "invalid_value", 8.5))
    store.add("usage", usage_row("old", 0), usage_row("failed", 1), usage_row("old", 8))
    store.add("rejects", reject_row("old", "invalid_value", 2.5), reject_row("s", "too_late", 7))
    store.add("usage", usage_row("s", 4), usage_row("s", 6))
    found = windows_already_covered(pending(store, "new"), "new")
    assert len(found) == 6
    assert [(int(window.start_us // 3.6e9) % 24, window.run_id) for window in found[:9]] == [
        (0, "old"),
        (2, "old"),
        (3, "ranged"),
        (4, "ranged"),
        (6, "s"),
        (8, "old"),
    ]
    assert str(found[0]) == (
        "calls, 2026-01-15T00:00:00Z to 2026-01-15T01:00:00Z: covered by batch run old"
    )
    assert str(found[4]).endswith(": counted by streaming run s")


def test_all_covered_windows_are_counted_and_the_first_are_named(store: Store) -> None:
    run = run_row("new", status="running", started_at=at(0, 5))
    store.run(run, run_row("old"))
    assert not windows_already_covered(pending(store, "new"), "new")
    for run_id in ("new", "old"):
        store.add("usage", *(usage_row(run_id, hour) for hour in range(23)))
    found = windows_already_covered(pending(store, "new"), "new")
    assert len(found) == 23
    assert len(found[:100]) == 20


def test_a_failure_that_cannot_be_noted_hides_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "runs").write_text("no folder")
    now = datetime.now(UTC)
    run = Run("r", "batch", "failed", None, None, (), now, now, "digest", None)
    write_failed(tmp_path, run)
    assert "the failure of run r could not be noted" in caplog.text
