"""The emulator of the tests, and what lets Beam's own BigQuery client reach it.

Beam's `WriteToBigQuery` takes the emulator for the service in one of its two clients only, and
looks for credentials. Its `gs://` is the emulator's folder here: what it writes there costs it no
network.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

import pyarrow as pa
from apache_beam.internal.gcp import auth
from apache_beam.internal.http_client import get_new_http
from apache_beam.io.gcp import bigquery_tools
from apache_beam.io.gcp.gcsfilesystem import GCSFileSystem
from apache_beam.io.gcp.internal.clients.bigquery import BigqueryV2
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from bigquery_emulator import Emulator, emulating_bigquery
from bigquery_write_service import WriteService, write_service

BUCKET = "gs://bench"


class _Client(bigquery.Client):
    def __init__(self, *which: Any, **how: Any) -> None:
        super().__init__(*which, **{"credentials": AnonymousCredentials(), **how})


@contextmanager
def emulated() -> Iterator[tuple[Emulator, str]]:
    """The emulator, which Beam's own clients reach too, and the address of the write service."""
    with (
        emulating_bigquery() as emulator,
        _reached(emulator),
        patch.object(WriteService, "_refused", _none_refused),
        write_service(emulator.client) as (address, _),
    ):
        yield emulator, address


def _none_refused(*_: Any) -> list[types.RowError]:
    """No row is asked for: to make a Python object of each is what a test wants, and takes long."""
    return []


@contextmanager
def _reached(emulator: Emulator) -> Iterator[None]:
    def client(_: Any) -> BigqueryV2:
        return BigqueryV2(
            url=f"{emulator.service.rest}/bigquery/v2/",
            http=get_new_http(),
            get_credentials=False,
            response_encoding="utf8",
        )

    def place(path: str) -> Path:
        return emulator.gcs / path.removeprefix("gs://")

    def create(_: Any, path: str, *_how: Any, **_more: Any) -> IO[bytes]:
        place(path).parent.mkdir(parents=True, exist_ok=True)
        return place(path).open("wb")

    def exists(_: Any, path: str) -> bool:
        return place(path).exists()

    def delete(_: Any, paths: Sequence[str]) -> None:
        for path in paths:
            if place(path).is_dir():
                shutil.rmtree(place(path))
            else:
                place(path).unlink(missing_ok=True)

    with (
        patch.multiple(auth._Credentials, _credentials=None, _credentials_init=True),  # noqa: SLF001 - there is no other way
        patch.object(bigquery_tools.BigQueryWrapper, "_bigquery_client", staticmethod(client)),
        patch.object(bigquery_tools.gcp_bigquery, "Client", _Client),
        patch.object(GCSFileSystem, "create", create),
        patch.multiple(GCSFileSystem, exists=exists, delete=delete),
    ):
        yield


@contextmanager
def appended_to(address: str) -> Iterator[None]:
    """Appends go to this address."""
    with patch.dict(os.environ, {"BIGQUERY_STORAGE_EMULATOR_HOST": address}):
        yield


def sums(emulator: Emulator, table: str, schema: pa.Schema) -> list[str]:
    """What a table holds: rows, and of each column a sum, length or last time, to the digit."""
    asked = ", ".join(_sum(column) for column in schema)
    (row,) = emulator.query(f"SELECT COUNT(*) AS f, {asked} FROM {table}")
    return [str(value) for value in row.values()]


def _sum(column: pa.Field) -> str:
    if pa.types.is_timestamp(column.type):
        return f"MAX(UNIX_MICROS({column.name})) AS f_{column.name}"
    if pa.types.is_string(column.type):
        return f"SUM(LENGTH({column.name})) AS f_{column.name}"
    return f"SUM({column.name}) AS f_{column.name}"


def sums_of(rows: pa.Table) -> list[str]:
    """What a table that holds these rows has to say."""
    return [str(rows.num_rows), *(str(_sum_of(column)) for column in rows.columns)]


def _sum_of(column: pa.ChunkedArray) -> Any:
    if pa.types.is_timestamp(column.type):
        return pa.compute.max(column.cast(pa.int64())).as_py()
    if pa.types.is_string(column.type):
        return pa.compute.sum(pa.compute.utf8_length(column)).as_py()
    return pa.compute.sum(column).as_py()
