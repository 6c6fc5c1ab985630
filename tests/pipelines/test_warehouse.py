"""The warehouse as files: any path, any reader, at any time; views only."""

import os
from pathlib import Path

import duckdb
import pytest
from stored_rows import at, event_row, new_store, run_row, usage_row

from pipelines import warehouse
from pipelines.views import MeterShape
from pipelines.warehouse import WarehouseError

VIEWS = {
    *("runs", "events", "rejects", "usage", "ledger"),
    *("usage_current", "events_current", "ledger_current", "ledger_balance"),
    *("cost_by_day", "cost_by_customer", "cost_by_dimension", "windows_to_backfill"),
    *("usage_by_day", "usage_by_week", "usage_by_month", "top_customers", "unrated_usage"),
    *("cost_change", "cost_forecast", "rejects_by_day", "ingest_delay"),
}


@pytest.mark.parametrize(
    "name",
    ["plain", 'it\'s "a" 50% of %s', "[a-z]*", "[a-z]*/what?/[b", "run=1/öü 東京"],
)
def test_any_folder_can_be_a_warehouse(tmp_path: Path, name: str) -> None:
    (tmp_path / "a" / "usage" / "other").mkdir(parents=True)  # what [a-z]* must not find
    store = new_store(tmp_path / name)
    store.run(run_row("r"))
    store.add("usage", usage_row("r", 1))
    store.write_views({"calls": ["region"]})
    assert store.query("SELECT meter, region FROM usage_calls") == [("calls", "eu")]
    with duckdb.connect() as connection:
        # by a copy, since DuckDB itself takes a ? in a database's path for options
        copy = tmp_path / "copy.duckdb"
        copy.write_bytes((store.out / "warehouse.duckdb").read_bytes())
        connection.execute(f"ATTACH '{copy}' AS w (READ_ONLY)")
        assert connection.execute("SELECT event_count FROM w.usage_current").fetchall() == [(1,)]


def test_an_empty_warehouse_has_every_view_and_no_rows(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.write_views({"calls": ["region"]})
    assert {name for (name,) in store.query("SHOW TABLES")} == {*VIEWS, "usage_calls"}
    for view in VIEWS:
        assert store.query(f"SELECT * FROM {view}") == []  # noqa: S608 -- our own names


def test_the_file_holds_views_only_and_needs_no_clock_or_zone_of_ours(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.run(run_row("r"))
    store.add("usage", usage_row("r", 23))
    warehouse.write_views(tmp_path, {})
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        assert connection.execute("SELECT COUNT(*) FROM duckdb_tables()").fetchall() == [(0,)]
        days = connection.execute("SELECT CAST(day AS VARCHAR) FROM cost_by_day").fetchall()
    assert days == [("2026-01-15",)]


def test_views_are_replaced_as_a_whole_and_only_when_they_change(tmp_path: Path) -> None:
    new_store(tmp_path)
    file = tmp_path / "warehouse.duckdb"
    warehouse.write_views(tmp_path, {"calls": MeterShape(("region",))})
    first = file.stat().st_ino
    with duckdb.connect(str(file)) as reader:  # one that even has it locked
        warehouse.write_views(tmp_path, {"calls": MeterShape(("region",))})
        assert file.stat().st_ino == first
        warehouse.write_views(tmp_path, {"tokens": MeterShape(())})
        assert file.stat().st_ino != first
        assert reader.execute("SELECT * FROM usage_calls").fetchall() == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_meters_of_earlier_runs_keep_their_views_and_dimensions(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.write_views({"calls": ["region"], "current": []})
    store.write_views({"calls": ["model"], "tokens": []})
    assert store.query("SELECT model, region FROM usage_calls") == []
    assert store.query("SELECT quantity FROM usage_tokens") == []
    # usage_current is not the view of a meter called current
    assert store.query("SELECT dimensions FROM usage_current") == []


def test_meters_that_only_rows_tell_of_have_views_too(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.run(run_row("s", "streaming", "running"))
    odd = '{"a.b/c~":"x","Model":null,"model":"m","say \\"hi\\"":"y","quantity*":"z"}'
    store.add("usage", usage_row("s", 1, dimensions=odd), usage_row("s", 2, dimensions="{}"))
    columns = '"a.b/c~", "Model", model_2, "say ""hi""", "quantity*"'
    sql = f"SELECT {columns} FROM usage_calls ORDER BY window_start"  # noqa: S608 -- our own names
    assert store.query(sql) == [("x", None, "m", "y", "z"), (None,) * 5]


def test_a_moved_output_works_where_it_is_now(tmp_path: Path) -> None:
    store = new_store(tmp_path / "a")
    store.run(run_row("r"))
    store.write_views({"calls": ["region"]})
    moved = store.out.rename(tmp_path / "b")
    with warehouse.connect(moved) as connection:
        assert connection.execute("SELECT run_id FROM runs").fetchall() == [("r",)]
    warehouse.write_views(moved, {})
    with duckdb.connect(str(moved / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT region FROM usage_calls").fetchall() == []


def test_a_spoilt_views_file_is_written_anew(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    (tmp_path / "warehouse.duckdb").write_bytes(b"no database")
    store.write_views({"calls": ["region"]})
    assert store.query("SELECT region FROM usage_calls") == []


def test_files_that_are_still_being_written_are_not_read(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.run(run_row("r"))
    store.add("usage", usage_row("r", 1))
    (tmp_path / "usage" / "r" / ".half.parquet").write_bytes(b"PAR1")
    assert store.query("SELECT COUNT(*) FROM usage") == [(1,)]


def test_the_connection_reaches_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    store = new_store(tmp_path / "out")
    for sql in (
        f"SELECT * FROM '{tmp_path}/secret.csv'",  # noqa: S608 -- what must fail
        f"SELECT * FROM '{tmp_path}/out/../secret.csv'",  # noqa: S608 -- what must fail
        f"ATTACH '{tmp_path}/other.duckdb'",
        "SET enable_external_access = true",
        "SET memory_limit = '1GB'",
    ):
        with pytest.raises(duckdb.Error):
            store.query(sql)


def test_counting_reads_neither_payloads_nor_amounts(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.run(run_row("r"))
    store.add("events", event_row("r", "1"))
    with warehouse.connect(tmp_path) as connection:
        for view, unread in (
            ("events", "payload"),
            ("events_current", "payload"),
            ("rejects", "payload"),
            ("usage_current", "cost"),
        ):
            plan = connection.execute(f"EXPLAIN SELECT COUNT(*) FROM {view}").fetchall()[0][1]  # noqa: S608 -- our own names
            assert "run_id" in plan
            assert unread not in plan


def test_what_is_no_warehouse_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "usage").mkdir(parents=True)
    for path, text in (
        (tmp_path / "none", "there is no such folder"),
        (tmp_path / "folder", "not the output of a run: it has no table events"),
        (tmp_path / "file", "is a file"),
    ):
        with pytest.raises(WarehouseError, match=text):
            warehouse.connect(path)
    for path, text in (
        (tmp_path / "file", "is a file"),
        (tmp_path / "file" / "out", "cannot be written"),
        (tmp_path / "back\\slash", "backslash"),
        (tmp_path / os.fsdecode(b"\xff"), "UTF-8"),
    ):
        with pytest.raises(WarehouseError, match=text):
            warehouse.prepare(path)


def test_the_length_of_a_meters_windows_places_what_has_no_usage_yet(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.run(run_row("s", "streaming", "running"))
    late = {"run_id": "s", "reason": "too_late", "meter": "calls", "event_key": "k"}
    times = {"event_time": at(10.5), "received_at": at(0, 2)}
    store.add("rejects", {**late, **times, "origin": "m"})
    sql = "SELECT CAST(window_end - window_start AS VARCHAR) FROM windows_to_backfill"
    assert store.query(sql) == [("1 day",)]
    store.write_shapes({"calls": MeterShape((), 3600 * 10**6)})
    assert store.query(sql) == [("01:00:00",)]
