"""Runs into a dataset, and what it says afterwards."""

from typing import Any

from bigquery_emulator import Emulator
from click.testing import Result

from pipelines.bigquery.dataset import Dataset
from pipelines.views.dialects import bigquery_name
from runs_desk import Desk
from transforms.tables import TABLES

COMPARED = ("usage_current", "ledger_balance", "rejects", "events_current")
_OWN = {"run_id", "written_at", "received_at"}  # of a run: its name, and its clock


def emptied(service: Emulator, dataset: Dataset) -> Dataset:
    """The dataset without rows."""
    for table in service.client.list_tables(str(dataset)):
        if table.table_id in TABLES:
            service.query(f"DELETE FROM {dataset.table(table.table_id)} WHERE TRUE")  # noqa: S608 - ours
    return dataset


def run(desk: Desk, dataset: Dataset, *args: object, fails: int = 0) -> Result:
    done = desk.run(*args, "--output", f"bigquery://{dataset}", fails=fails)
    assert "Traceback" not in done.output
    return done


def ask(service: Emulator, dataset: Dataset, name: str, where: str = "TRUE") -> list[Any]:
    known = dataset.table(bigquery_name(name))
    return service.query(f"SELECT * FROM {known} WHERE {where}")  # noqa: S608 - ours


def stored(service: Emulator, dataset: Dataset, table: str) -> int:
    """How many rows a table has, shown or not."""
    return len(service.query(f"SELECT run_id FROM {dataset.table(table)}"))  # noqa: S608 - ours


def tokens(service: Emulator, dataset: Dataset) -> dict[int, int]:
    rows = ask(service, dataset, "usage_current", "meter = 'tokens'")
    return {row["window_start"].hour: int(row["quantity"]) for row in rows}


def statuses(service: Emulator, dataset: Dataset) -> dict[str, str]:
    return {row["run_id"]: row["status"] for row in ask(service, dataset, "runs")}


def said(row: dict[str, Any]) -> str:
    return str({k: str(v) for k, v in sorted(row.items()) if k not in _OWN}).replace("UTC", "")


def same(service: Emulator, dataset: Dataset, desk: Desk) -> None:
    for view in COMPARED:
        columns = [name for (name, *_) in desk.ask(f"DESCRIBE {view}")]
        local = [dict(zip(columns, row, strict=True)) for row in desk.ask(f"SELECT * FROM {view}")]  # noqa: S608 - ours
        rows = ask(service, dataset, view)
        assert rows
        assert sorted(map(said, rows)) == sorted(map(said, local)), view
