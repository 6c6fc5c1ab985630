"""Writes rows of the tables by hand, as runs of any kind would have written them."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import warehouse
from pipelines.runs import Run, write_run
from pipelines.views import MeterShape
from transforms.tables import TABLES

HOUR = timedelta(hours=1)
DAY = datetime(2026, 1, 15, tzinfo=UTC)


def at(hour: float, day: int = 0) -> datetime:
    """A time of the example day, or of one some days later."""
    return DAY + timedelta(days=day, hours=hour)


def run_row(run_id: str, mode: str = "batch", status: str = "succeeded", **changes: Any) -> Run:
    """A run that began a day after the example day, and finished at once."""
    started = changes.pop("started_at", at(0, 1))
    columns = {
        "range_start": None,
        "range_end": None,
        "meters": ("calls",),
        "finished_at": None if status == "running" else started,
        "catalog_digest": "c",
        "rates_digest": None,
    }
    return Run(run_id=run_id, mode=mode, status=status, started_at=started, **columns | changes)


def usage_row(run_id: str, hour: float, events: int = 1, **changes: Any) -> dict[str, Any]:
    """A row of meter `calls` for an hour's window: the quantity is the count, a unit costs 2."""
    start = changes.pop("window_start", at(hour))
    length = changes.pop("length", HOUR)
    row = {
        "run_id": run_id,
        "meter": "calls",
        "customer_id": "c1",
        "dimensions": '{"region":"eu"}',
        "window_start": start,
        "window_end": start + length,
        "closes_at": start + length + timedelta(days=1),
        "quantity": Decimal(events),
        "event_count": events,
        "rate_label": "list",
        "rate_effective_from": at(0, -15),
        "unit_price": Decimal(2),
        "per": Decimal(1),
        "currency": "USD",
        "cost": Decimal(2 * events),
        "pane": "batch",
        "written_at": at(0, 1),
    }
    return row | changes


UNRATED = dict.fromkeys(
    ("rate_label", "rate_effective_from", "unit_price", "per", "currency", "cost")
)


def event_row(run_id: str, key: str, **changes: Any) -> dict[str, Any]:
    """An event of the example day's first hour that arrived at once."""
    row = {
        "run_id": run_id,
        "source": "native",
        "origin": f"/in/a.ndjson:{key}",
        "event_key": key,
        "event_type": "call",
        "customer_id": "c1",
        "event_time": at(0),
        "received_at": at(0),
        "payload": "{}",
    }
    return row | changes


def reject_row(run_id: str, reason: str, hour: float, **changes: Any) -> dict[str, Any]:
    """A reject of meter `calls` that arrived two days after the example day."""
    row = {
        "run_id": run_id,
        "origin": f"/in/a.ndjson:{hour}",
        "reason": reason,
        "meter": "calls",
        "event_key": f"key {hour}",
        "customer_id": "c1",
        "event_time": at(hour),
        "received_at": at(0, 2),
    }
    return row | changes


def ledger_row(run_id: str, outcome: str, events: int, **changes: Any) -> dict[str, Any]:
    """A count of the example day's first hour."""
    row = {"run_id": run_id, "period_start": at(0), "outcome": outcome, "events": events}
    return row | changes


@dataclass
class Store:
    """A warehouse to write rows to, and to query."""

    out: Path
    _connection: duckdb.DuckDBPyConnection | None = None

    def run(self, *runs: Run) -> None:
        for run in runs:
            write_run(self.out, run)

    def add(self, table: str, *rows: dict[str, Any]) -> None:
        """Write the rows as one file for each of their runs."""
        for run_id in dict.fromkeys(row["run_id"] for row in rows):
            own = [row for row in rows if row["run_id"] == run_id]
            folder = self.out / table / run_id
            folder.mkdir(parents=True, exist_ok=True)
            written = pa.Table.from_pylist(own, schema=TABLES[table])
            pq.write_table(written, folder / f"{uuid.uuid4().hex}.parquet")

    def write_views(self, meters: dict[str, list[str]]) -> None:
        """By the dimensions of the meters."""
        self.write_shapes({name: MeterShape(tuple(each)) for name, each in meters.items()})

    def write_shapes(self, meters: dict[str, MeterShape]) -> None:
        warehouse.write_views(self.out, meters)
        self._connection = None

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Give the rows; SQL asks for times as text."""
        if self._connection is None:
            self._connection = warehouse.connect(self.out)
        return self._connection.execute(sql).fetchall()


def new_store(out: Path) -> Store:
    """An empty warehouse."""
    warehouse.prepare(out)
    return Store(out)
