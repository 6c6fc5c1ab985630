"""A live run's tables: what readers see while rows come in, and at the end."""

import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from live_rows import counts, events, live_store, names, raw, usage, wait_for
from stored_rows import Store

from pipelines import warehouse
from pipelines.compaction import FAN_IN
from pipelines.live_files import LiveTableError
from pipelines.live_queue import QUEUE_BYTES
from pipelines.live_tables import LiveTables, opened
from transforms.tables import TABLES

PAUSES_S = {"usage": 0.001, "events": 0.001}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return live_store(tmp_path / "out")


def test_rows_are_there_and_typed_as_the_table_is_after_the_end(store: Store) -> None:
    with LiveTables(store.out, "r", PAUSES_S, grace_s=0) as tables:
        for number in range(200):
            tables.put("usage", usage(number), 0)
            tables.put("events", events(number), 0)
            if number % 10 == 0:
                wait_for(tables, "usage", number + 1)
    assert counts(store) == [(200, 200)]
    assert tables.written == {"usage": 200, "events": 200}
    for table in PAUSES_S:
        (name,) = names(store, table)
        written = pq.read_table(store.out / table / "r" / name)
        assert written.schema.equals(TABLES[table], check_metadata=False)
        assert written.num_rows == 200
        assert tables.files(table) == 1
    expected = pa.Table.from_batches([usage(number) for number in range(200)])
    (name,) = names(store, "usage")
    merged = pq.read_table(store.out / "usage" / "r" / name).sort_by("event_count")
    assert merged.equals(expected)


def test_a_run_without_rows_leaves_no_file(store: Store) -> None:
    with LiveTables(store.out, "r", PAUSES_S) as tables:
        tables.put("usage", usage(0).slice(0, 0), 0)
    assert [names(store, table) for table in PAUSES_S] == [[], []]


def test_rows_that_come_in_within_the_pause_share_a_file(store: Store) -> None:
    with LiveTables(store.out, "r", {"usage": 3600.0}) as tables:
        tables.put("usage", usage(0), 0)
        wait_for(tables, "usage", 1)
        for number in range(1, 100):
            tables.put("usage", usage(number), 0)
        assert tables.files("usage") == 1
    assert counts(store) == [(100, 0)]


def test_readers_beside_it_see_every_row_written_none_twice_and_no_error(store: Store) -> None:
    put, most_files = 0, 0
    problems, done, asked = [], threading.Event(), threading.Semaphore(0)

    def read() -> None:
        with warehouse.connect(store.out) as connection:
            seen = 0
            while not done.is_set():
                least = max(seen, tables.written["usage"])
                try:
                    rows = connection.execute("SELECT event_count FROM usage").fetchall()
                except duckdb.Error as error:
                    problems.append(str(error))
                    return
                seen = len(rows)
                if not least <= seen <= put or len(set(rows)) != seen:
                    problems.append(f"{seen} rows of {least} to {put}")
                asked.release()

    with LiveTables(store.out, "r", {"usage": 0.001}) as tables:
        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        links = 0
        while links < 5 or not asked.acquire(blocking=False):
            put += 1
            tables.put("usage", usage(put), 0)
            wait_for(tables, "usage", put)
            most_files = max(most_files, tables.files("usage"))
            if put % 50 == 0:
                links = sum(path.is_symlink() for path in (store.out / "usage" / "r").iterdir())
            if problems:
                break
        tables.close()  # readers go on meanwhile
        done.set()
        for reader in readers:
            reader.join()
    assert problems == []
    assert FAN_IN < most_files <= 600
    assert counts(store) == [(put, 0)]


def test_putting_waits_while_too_much_is_not_written(store: Store) -> None:
    batch = events(0, payload="x" * (16 << 20))
    size = batch.get_total_buffer_size()
    with LiveTables(store.out, "r", {"events": 0.1}, grace_s=0) as tables:
        for number in range(20):
            tables.put("events", batch, 0)
            waiting = number + 1 - tables.written["events"]
            assert (waiting - 1) * size <= QUEUE_BYTES
    assert raw(store, "events") == 20


def test_a_folder_that_cannot_be_made_is_said_at_the_start(store: Store) -> None:
    (store.out / "usage" / "r").write_text("")
    with pytest.raises(LiveTableError, match="usage/r cannot be written"):
        LiveTables(store.out, "r", PAUSES_S).__enter__()
    with pytest.raises(LiveTableError, match="no open tables"):
        opened(store.out, "r")


def test_rows_of_other_columns_are_refused_before_they_are_queued(store: Store) -> None:
    with LiveTables(store.out, "r", PAUSES_S) as tables, pytest.raises(ValueError, match="columns"):
        tables.put("usage", events(1), 0)


def test_the_open_tables_are_found_by_folder_and_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.out.parent)
    with LiveTables(store.out, "r", PAUSES_S) as tables:
        assert opened(store.out.name, "r") is tables
        with pytest.raises(LiveTableError, match="open already"):
            LiveTables(store.out, "r", PAUSES_S).__enter__()
        assert opened(str(store.out), "r") is tables
    with pytest.raises(LiveTableError, match="run r has no open tables"):
        opened(store.out, "r")
    with pytest.raises(LiveTableError, match="closed"):
        tables.put("usage", usage(0), 0)
