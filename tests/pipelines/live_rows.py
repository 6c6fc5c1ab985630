"""Rows that a live run writes, and what is there of them."""

import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from stored_rows import Store, event_row, new_store, reject_row, run_row, usage_row

from pipelines.live_files import listed_files
from pipelines.live_tables import LiveTables
from transforms.tables import EVENTS, REJECTS, TABLES, USAGE


def live_store(out: Path) -> Store:
    """A warehouse with a streaming run `r` that goes on."""
    store = new_store(out)
    store.run(run_row("r", "streaming", "running"))
    store.write_views({"calls": ["region"]})
    return store


def usage(number: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([usage_row("r", 1, number + 1)], schema=USAGE)


def events(*keys: int, payload: str = "{}") -> pa.RecordBatch:
    rows = [event_row("r", f"{key}", payload=payload) for key in keys]
    return pa.RecordBatch.from_pylist(rows, schema=EVENTS)


def rejects(count: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([reject_row("r", "not_json", 1)] * count, schema=REJECTS)


def counts(store: Store) -> list[tuple[Any, ...]]:
    return store.query("SELECT (SELECT COUNT(*) FROM usage), (SELECT COUNT(*) FROM events)")


def raw(store: Store, table: str) -> int:
    """The rows in all files, also those that the views give once."""
    return int(store.query(f"SELECT COUNT(*) FROM stored.{table}")[0][0])  # noqa: S608


def names(store: Store, table: str) -> list[str]:
    """What is in the table's folder of the run, with shelves and links to hidden ones."""
    return sorted(path.name for path in (store.out / table / "r").iterdir())


def found(folder: Path) -> set[Path]:
    """The files that the views would read, and so should everybody."""
    with duckdb.connect() as connection:
        rows = connection.execute("FROM glob(?)", [f"{folder}/**/[!.]*.parquet"]).fetchall()
    paths = [Path(path) for (path,) in rows]
    assert listed_files(folder) == sorted(paths)
    return set(paths)


def wait_for(tables: LiveTables, table: str, rows: int) -> None:
    """Wait until so many rows are in files, or one could not be written."""
    while tables.written[table] < rows:
        tables.put(table, pa.RecordBatch.from_pylist([], schema=TABLES[table]), 0)
        time.sleep(0.001)
