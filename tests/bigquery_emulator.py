"""The BigQuery emulator, and what a test does with it."""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import grpc
import pyarrow as pa
from bigquery_process import Service, bigquery_process, said_in
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, BigQueryWriteClient, types
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
    BigQueryReadGrpcTransport,
)
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import (
    BigQueryWriteGrpcTransport,
)

PROJECT = "meterbeam-test"


@dataclass(frozen=True)
class Emulator:
    """An emulator, and a client of it."""

    service: Service
    client: bigquery.Client

    @property
    def gcs(self) -> Path:
        """The folder that is its gs://, with one folder a bucket."""
        return self.service.gcs

    def dataset(self) -> str:
        """The name of a new dataset of PROJECT."""
        name = f"test_{secrets.token_hex(4)}"
        self.client.create_dataset(name)
        return name

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows that a statement gives, in their order; none if it gives none."""
        return [dict(row) for row in self.client.query(sql).result()]

    def append(self, table: str, batches: Iterable[tuple[int, pa.RecordBatch]]) -> list[int]:
        """Append at offsets of a new COMMITTED stream; gives gRPC's code for each, 0 if well.

        After a batch that is not well the stream may end.
        """
        with grpc.insecure_channel(self.service.grpc) as channel:
            client = BigQueryWriteClient(transport=BigQueryWriteGrpcTransport(channel=channel))
            committed = types.WriteStream(type_=types.WriteStream.Type.COMMITTED)
            stream = client.create_write_stream(parent=_path(table), write_stream=committed).name
            requests = (_request(stream, offset, batch) for offset, batch in batches)
            return [answer.error.code for answer in client.append_rows(requests)]

    def read(self, table: str) -> pa.Table:
        """A table as the Storage Read API gives it."""
        with grpc.insecure_channel(self.service.grpc) as channel:
            client = BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
            session = client.create_read_session(
                parent=f"projects/{PROJECT}",
                read_session=types.ReadSession(table=_path(table), data_format="ARROW"),
                max_stream_count=1,
            )
            schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
            batches = [
                pa.ipc.read_record_batch(
                    pa.py_buffer(part.arrow_record_batch.serialized_record_batch), schema
                )
                for stream in session.streams
                for part in client.read_rows(stream.name)
            ]
        return pa.Table.from_batches(batches, schema)

    def requests(self) -> list[str]:
        """The requests answered until now: `POST /bigquery/v2/…`, and gRPC methods by name."""
        return [
            f"{said['method']} {said['path']}" if "path" in said else said["method"]
            for said in said_in(self.service.log)
            if said.get("event") in {"http.request", "grpc.request"}
        ]


@contextmanager
def emulating_bigquery() -> Iterator[Emulator]:
    """An emulator that this process, and those it starts, take for the service.

    google-cloud-bigquery looks at BIGQUERY_EMULATOR_HOST by itself; for Storage, a channel to
    BIGQUERY_STORAGE_EMULATOR_HOST has to be made. See `bigquery_process`.
    """
    with bigquery_process() as service:
        variables = {
            "BIGQUERY_EMULATOR_HOST": service.rest,
            "BIGQUERY_STORAGE_EMULATOR_HOST": service.grpc,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
        }
        with patch.dict(os.environ, variables):
            client = bigquery.Client(PROJECT, credentials=AnonymousCredentials())
            try:
                yield Emulator(service, client)
            finally:
                client.close()


def _path(table: str) -> str:
    dataset, _, name = table.partition(".")
    return f"projects/{PROJECT}/datasets/{dataset}/tables/{name}"


def _request(stream: str, offset: int, batch: pa.RecordBatch) -> types.AppendRowsRequest:
    schema = types.ArrowSchema(serialized_schema=batch.schema.serialize().to_pybytes())
    rows = types.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes())
    arrow = types.AppendRowsRequest.ArrowData(writer_schema=schema, rows=rows)
    return types.AppendRowsRequest(write_stream=stream, offset=offset, arrow_rows=arrow)
