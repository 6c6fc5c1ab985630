"""The BigQuery emulator that other tests use: what they rely on, and where it is not BigQuery.

A test of a gap fails when a newer emulator closes it: then what other tests leave out because of
it can be tested too.
"""

import io
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import bigquery_process
import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from emulator_process import NoEmulatorError
from google.api_core.exceptions import BadRequest, InternalServerError
from google.cloud import bigquery

AT = datetime(2026, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)
TIME = pa.timestamp("us", "UTC")
LOADED = pa.schema(
    {
        "id": pa.string(),
        "amount": pa.decimal128(38, 18),
        "at": TIME,
        "note": pa.string(),
        "revision": pa.int64(),
    }
)
ROWS = [
    {"id": i, "amount": Decimal(amount), "at": AT, "note": note, "revision": revision}
    for i, amount, note, revision in [
        ("a", "12345678901234567890.123456789012345678", None, 1),
        ("a", "-0.000000000000000001", "x", 2),
        ("b", "99999999999999999999.999999999999999999", "", 1),
    ]
]
APPENDED = pa.schema(
    {"id": pa.string(), "amount": pa.decimal128(38, 9), "at": TIME, "n": pa.int64()}
)


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


@pytest.fixture
def table(service: Emulator) -> str:
    """A table with an amount, of a dataset of its own."""
    name = f"{service.dataset()}.usage"
    service.query(
        f"CREATE TABLE {name} (id STRING NOT NULL, amount BIGNUMERIC(38,18), `at` TIMESTAMP,"
        " note STRING, revision INT64) PARTITION BY DATE(`at`) CLUSTER BY id"
    )
    return name


@pytest.fixture
def log(service: Emulator) -> str:
    """A table that takes appends, of a dataset of its own."""
    name = f"{service.dataset()}.log"
    service.query(f"CREATE TABLE {name} (id STRING, amount NUMERIC(38,9), `at` TIMESTAMP, n INT64)")
    return name


def _upload(service: Emulator, table: str, rows: pa.Table, job: str | None = None) -> Any:
    file = io.BytesIO()
    pq.write_table(rows, file)
    how = bigquery.LoadJobConfig(source_format="PARQUET")
    return service.client.load_table_from_file(
        file, table, rewind=True, job_id=job, job_config=how
    ).result(retry=None)


def _load(service: Emulator, table: str, address: str, job: str | None = None) -> Any:
    how = bigquery.LoadJobConfig(source_format="PARQUET")
    return service.client.load_table_from_uri(
        address, table, job_id=job, job_config=how, retry=None
    ).result(retry=None)


def _stored(service: Emulator, name: str, rows: pa.Table) -> str:
    folder = service.gcs / name
    folder.mkdir()
    pq.write_table(rows, folder / "rows.parquet")
    return f"gs://{name}/rows.parquet"


def _rows(service: Emulator, table: str, order: str = "id, revision") -> list[dict[str, Any]]:
    return service.query(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608 - our table


def test_it_is_there_within_the_block_and_gone_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "before")
    monkeypatch.delenv("BIGQUERY_STORAGE_EMULATOR_HOST", raising=False)
    with emulating_bigquery() as emulator:
        assert os.environ["BIGQUERY_EMULATOR_HOST"] == emulator.service.rest
        assert os.environ["GOOGLE_CLOUD_PROJECT"] == PROJECT
        addresses = [emulator.service.rest.removeprefix("http://"), emulator.service.grpc]
        ends = [(host, int(port)) for host, _, port in (a.partition(":") for a in addresses)]
        for end in ends:
            assert end[0] == "127.0.0.1"
            socket.create_connection(end).close()
        folder = emulator.gcs.parent
        emulator.dataset()
        assert f"POST /bigquery/v2/projects/{PROJECT}/datasets" in emulator.requests()
    assert os.environ["BIGQUERY_EMULATOR_HOST"] == "before"
    assert "BIGQUERY_STORAGE_EMULATOR_HOST" not in os.environ
    assert not folder.exists()
    for end in ends:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(end)


def test_where_it_cannot_be_installed_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "requirements.txt"
    wrong.write_text("./nowhere\n")
    monkeypatch.setattr(bigquery_process, "_REQUIREMENTS", wrong)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    with pytest.raises(NoEmulatorError, match=r"comes from PyPI once(.|\n)*nowhere"):
        emulating_bigquery().__enter__()
    assert list((tmp_path / "caches" / "meterbeam").iterdir()) == []


def test_every_digit_of_a_parquet_load_comes_back(service: Emulator, table: str) -> None:
    rows = pa.Table.from_pylist(ROWS, LOADED)
    _upload(service, table, rows)
    assert _rows(service, table) == ROWS
    _load(service, table, _stored(service, "digits", rows))
    assert _rows(service, table) == [row for row in ROWS for _ in range(2)]


def test_a_view_with_qualify_shows_the_last_revisions(service: Emulator, table: str) -> None:
    _upload(service, table, pa.Table.from_pylist(ROWS, LOADED))
    service.query(
        f"CREATE OR REPLACE VIEW {table}_current AS SELECT * FROM {table} WHERE TRUE"  # noqa: S608
        " QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY revision DESC) = 1"
    )
    assert _rows(service, f"{table}_current") == ROWS[1:]


def test_an_append_at_an_offset_counts_once(service: Emulator, log: str) -> None:
    rows = [
        {"id": "a", "amount": Decimal("1.000000001"), "at": AT, "n": 1},
        {
            "id": None,
            "amount": Decimal("-12345678901234567890123456789.123456789"),
            "at": AT,
            "n": 2,
        },
    ]
    batch = pa.RecordBatch.from_pylist(rows, APPENDED)
    exists, beyond = grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.OUT_OF_RANGE
    assert service.append(log, [(0, batch), (2, batch)]) == [0, 0]
    assert _rows(service, log, "n") == [row for row in rows for _ in range(2)]
    assert service.append(log, [(0, batch), (0, batch)]) == [0, exists.value[0]]
    assert service.append(log, [(7, batch)]) == [beyond.value[0]]
    assert len(_rows(service, log, "n")) == 6


def test_storage_read_gives_every_digit(service: Emulator, table: str) -> None:
    rows = pa.Table.from_pylist(ROWS, LOADED)
    _upload(service, table, rows)
    assert service.read(table).equals(rows)


def test_gap_a_job_id_used_twice_runs_twice(service: Emulator, table: str) -> None:
    """BigQuery answers 409, and the job is there to be fetched, also that of an upload."""
    rows = pa.Table.from_pylist(ROWS, LOADED)
    address = _stored(service, "twice", rows)
    jobs = [_load(service, table, address, "one-job") for _ in range(2)]
    assert [job.job_id for job in jobs] == ["one-job", "one-job"]
    assert len(_rows(service, table)) == 6
    assert jobs[1].output_rows == 6  # all rows of the table, where BigQuery says 3
    assert _upload(service, table, rows, "upload").job_id != "upload"


def test_gap_bignumeric_is_taken_for_numeric(service: Emulator, table: str) -> None:
    """BigQuery says BIGNUMERIC, takes appends of 18 places, and makes such a table by REST."""
    made = service.client.get_table(table)
    assert made.schema[1].field_type == "NUMERIC"
    assert service.append(table, [(0, pa.RecordBatch.from_pylist(ROWS, LOADED))]) == [
        grpc.StatusCode.INVALID_ARGUMENT.value[0]
    ]
    amount = bigquery.SchemaField("amount", "BIGNUMERIC", precision=38, scale=18)
    with pytest.raises(InternalServerError):
        service.client.create_table(
            bigquery.Table(f"{PROJECT}.{table}_by_rest", [amount]), retry=None
        )


def test_gap_columns_are_loaded_by_place(service: Emulator, table: str) -> None:
    """BigQuery goes by name, and gives null to columns that a file does not have."""
    rows = pa.Table.from_pylist(ROWS, LOADED)
    _upload(service, table, rows.select(["note", "amount", "at", "id", "revision"]).slice(1))
    assert [(row["id"], row["note"]) for row in _rows(service, table)] == [("", "b"), ("x", "a")]
    with pytest.raises(BadRequest, match="5 columns but 2 values"):
        _upload(service, table, rows.select(["id", "amount"]))


def test_gap_partitions_are_not_kept(service: Emulator, table: str) -> None:
    """BigQuery tells them of a table made by DDL, and loads into one by `table$partition`."""
    made = service.client.get_table(table)
    assert (made.time_partitioning, made.clustering_fields) == (None, None)
    with pytest.raises(BadRequest, match="Invalid table id"):
        _upload(service, f"{table}$20260115", pa.Table.from_pylist(ROWS, LOADED))


def test_gap_numeric_without_a_precision_loses_digits(service: Emulator) -> None:
    """BigQuery keeps 9 places of a NUMERIC."""
    bare = service.query("SELECT CAST('1.123456789' AS NUMERIC) AS amount")
    assert bare == [{"amount": Decimal("1.123")}]
