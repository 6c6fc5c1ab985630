"""The views say the same of the same rows in a dataset and in a local warehouse, to the digit."""

import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from compared_rows import METERS, RUNS, Rows, tables
from google.cloud import bigquery
from stored_rows import Store, new_store

from pipelines.bigquery import views
from pipelines.bigquery.client import connected
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.tables import make_tables
from pipelines.bigquery.views import views_sql, write_views
from pipelines.views import VIEWS, MeterShape, view_sql
from pipelines.views.dialects import bigquery_name
from transforms.tables import TABLES, USAGE

DASHBOARDS = VIEWS[VIEWS.index("steps/daily_usage") :]  # which no other view reads
READ = [*(name for name in VIEWS if not name.startswith("steps/")), "cost_by_dimension"]


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = new_store(tmp_path_factory.mktemp("store"))
    store.run(*RUNS)
    for table, rows in tables().items():
        store.add(table, *rows)
    store.write_shapes(METERS)
    return store


@pytest.fixture(scope="module")
def dataset(service: Emulator) -> Dataset:
    made = Dataset(PROJECT, service.dataset())
    with connected(made) as client:
        make_tables(client, made)
        write_views(client, made, METERS)
    runs = [asdict(run) | {"meters": json.dumps(run.meters)} for run in RUNS]
    for table, rows in {**tables(), "runs": runs}.items():
        load(service, made, table, rows)
    return made


def load(service: Emulator, dataset: Dataset, table: str, rows: Rows) -> None:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), TABLES[table]), file)
    how = bigquery.LoadJobConfig(source_format="PARQUET")
    name = f"{dataset}.{table}"
    service.client.load_table_from_file(file, name, rewind=True, job_config=how).result()


def exact(value: object) -> object:
    """A moment by its microsecond, wherever its zone comes from; an amount with its zeros."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else repr(value)


def in_order(rows: Iterable[Iterable[Any]]) -> list[tuple[object, ...]]:
    return sorted((tuple(map(exact, row)) for row in rows), key=str)


def same(service: Emulator, dataset: Dataset, stored: Store, view: str, name: str) -> int:
    """Both give the same columns and rows, of which they say how many there are."""
    here = [column for column, *_ in stored.query(f"DESCRIBE {view}")]
    rows = service.query(f"SELECT * FROM {dataset.table(name)}")  # noqa: S608 - ours
    local = stored.query(f"SELECT * FROM {view}")  # noqa: S608 - ours
    assert in_order(row.values() for row in rows) == in_order(local)
    # BigQuery takes no dots and quotes in names of columns; the emulator no capitals
    assert not rows or list(rows[0]) == [re.sub(r"\W", "_", name).lower() for name in here]
    return len(rows)


@pytest.mark.parametrize("view", READ)
def test_a_view_gives_the_same_rows(
    service: Emulator, dataset: Dataset, stored: Store, view: str
) -> None:
    assert same(service, dataset, stored, view, bigquery_name(view))


@pytest.mark.parametrize("meter", METERS)
def test_the_view_of_a_meter_gives_the_same_rows(
    service: Emulator, dataset: Dataset, stored: Store, meter: str
) -> None:
    assert same(service, dataset, stored, f"usage_{meter}", f"usage_{meter}")


def test_dimensions_are_read_whatever_their_names(service: Emulator, dataset: Dataset) -> None:
    rows = service.query(f"SELECT * FROM {dataset.table('usage_odd')}")  # noqa: S608 - ours
    (row,) = [{k: v for k, v in row.items() if k not in USAGE.names} for row in rows if row["a_b"]]
    assert row == {"region": "EU", "a_b": "x", "d_e": None, "region_2": "e\\u", "say__c_": "it's"}


def test_dimensions_have_names_that_bigquery_takes_for_columns() -> None:
    names = ("a.b", "a-b", "1st", "_PARTITIONDATE", "größe", "cost", "`", "x" * 999)
    *_, sql = views_sql(Dataset("p", "d"), {"m": MeterShape(names)})
    columns = re.findall(r"AS `?([^`\s]+)`?,$", sql, re.MULTILINE)
    assert columns[:4] == ["a_b", "a_b_2", "dimension_1st", "dimension__PARTITIONDATE"]
    assert columns[4:] == ["größe", "cost_2", "_", "x" * 250]


def test_rows_of_batch_runs_that_did_not_succeed_show_nowhere(
    service: Emulator, dataset: Dataset
) -> None:
    for view in set(READ) - {"runs", "windows_to_backfill", "cost_by_dimension", *DASHBOARDS}:
        name = dataset.table(bigquery_name(view))
        rows = service.query(f"SELECT run_id FROM {name}")  # noqa: S608 - ours
        assert rows
        assert not {row["run_id"] for row in rows} & {"bad", "cut"}


def statements(service: Emulator) -> int:
    return sum(
        "POST" in each and each.endswith(("/queries", "/jobs")) for each in service.requests()
    )


def test_views_are_made_once_and_keep_the_meters_of_earlier_runs(
    service: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Dataset(PROJECT, service.dataset())

    def plain(name: str) -> str:  # the emulator takes its time for the real ones
        return view_sql(name) if name == "usage_of_meter" else "SELECT * FROM stored.usage"

    monkeypatch.setattr(views, "view_sql", plain)
    with connected(made) as client:
        make_tables(client, made)
        write_views(client, made, {"odd": METERS["odd"]})
        write_views(client, made, {"calls": MeterShape(("zone",))})
        write_views(client, made, {"calls": MeterShape(("team",))})
        asked = [statements(service)]
        write_views(client, made, {"calls": MeterShape(())})
        asked.append(statements(service))
        write_views(client, made, {"new": MeterShape(())})
        asked.append(statements(service))
        monkeypatch.setattr(views, "view_sql", lambda name: plain(name).replace("*", "*, 1 AS one"))
        write_views(client, made, {})
        asked.append(statements(service))
    grown = [after - before for before, after in pairwise(asked)]
    # the meters are read; then a view of the new one and that of all; then all views
    assert grown == [1, 1 + 2, 1 + len(VIEWS) + 5]
    names = {table.table_id for table in service.client.list_tables(str(made))}
    assert {"usage_odd", "usage_calls"} <= names
    columns = [field.name for field in service.client.get_table(f"{made}.usage_calls").schema]
    assert {"team", "zone"} <= set(columns)


def test_a_meter_called_current_leaves_usage_current_alone() -> None:
    sql = "\n".join(views_sql(Dataset("p", "d"), {"current": MeterShape(())}))
    assert sql.count("VIEW `p.d.usage_current` AS") == 1
