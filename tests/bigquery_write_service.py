"""BigQuery's Storage Write API for tests, as far as it is documented, before the emulator's tables.

The emulator takes no Arrow amounts of more than nine decimals; the service takes decimals of 256
bits for BIGNUMERIC. So rows are checked and decoded here, and put into the emulator's tables by
load jobs. What goes wrong with such a service now and then goes wrong here when a test says so.
"""

import io
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core.exceptions import NotFound
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types
from google.rpc import code_pb2, status_pb2

Fault = Literal["lost", "ended", "unavailable", "aborted", "internal"]
_REQUEST_BYTES = 10_000_000
_WIRE = {"STRING": pa.string(), "INTEGER": pa.int64(), "TIMESTAMP": pa.timestamp("us", "UTC")}
_STORED_AMOUNT = pa.decimal128(38, 18)
_METHOD = "/google.cloud.bigquery.storage.v1.BigQueryWrite/AppendRows"


@dataclass
class WriteService(grpc.GenericRpcHandler):
    """The service. `faults` has, by table, what goes wrong with the next requests.

    lost: the rows are written, and the connection breaks before the answer; ended: it ends in good
    order behind it. `refuses` gives what
    there is to say against a row of a table; no row of a request that has such a one is written.
    gone: columns, by table, that are dropped: of those the emulator goes on to tell. A table's gate
    lets one of its requests through for each permit. By table, requests: how many came, rows: how
    many were written, connections: how many there were.
    """

    client: bigquery.Client
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    refuses: Callable[[str, dict[str, Any]], str | None] = lambda _table, _row: None
    gone: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    gates: dict[str, threading.Semaphore] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    connections: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def service(self, handler_call_details: Any) -> Any:
        """Answers AppendRows alone."""
        if handler_call_details.method != _METHOD:
            return None
        return grpc.stream_stream_rpc_method_handler(
            self._append,
            request_deserializer=types.AppendRowsRequest.deserialize,
            response_serializer=types.AppendRowsResponse.serialize,
        )

    def _append(
        self, requests: Iterator[types.AppendRowsRequest], context: Any
    ) -> Iterator[types.AppendRowsResponse]:
        stream, schema = "", None
        for request in requests:
            if request.write_stream:
                stream = request.write_stream
                routed = ("x-goog-request-params", f"write_stream={stream}")
                assert routed in context.invocation_metadata()
                self.connections[_table(stream)] += 1
            if request.arrow_rows.writer_schema.serialized_schema:
                schema = pa.ipc.read_schema(
                    pa.py_buffer(request.arrow_rows.writer_schema.serialized_schema)
                )
            assert stream.endswith("/streams/_default")
            assert schema is not None
            table = _table(stream)
            self.requests[table] += 1
            if table in self.gates:
                self.gates[table].acquire()
            fault = self.faults[table].popleft() if self.faults[table] else None
            if fault == "unavailable":
                context.abort(grpc.StatusCode.UNAVAILABLE, "made to be away")
            if fault in {"aborted", "internal"}:
                code = code_pb2.ABORTED if fault == "aborted" else code_pb2.INTERNAL
                yield _no(stream, code, "made to fail")
                continue
            answer = self._answer(stream, schema, request)
            if fault == "lost":
                context.abort(grpc.StatusCode.UNAVAILABLE, "made to lose the answer")
            yield answer
            if fault == "ended":
                return

    def _answer(
        self, stream: str, schema: pa.Schema, request: types.AppendRowsRequest
    ) -> types.AppendRowsResponse:
        if types.AppendRowsRequest.pb(request).ByteSize() > _REQUEST_BYTES:
            return _no(stream, code_pb2.INVALID_ARGUMENT, "the request is too large")
        if "offset" in request:
            return _no(stream, code_pb2.INVALID_ARGUMENT, "_default takes no offset")
        name = ".".join(stream.split("/")[1:6:2])
        with self._lock:
            try:
                table = self.client.get_table(name)
            except NotFound:
                return _no(stream, code_pb2.NOT_FOUND, f"Requested entity was not found: {name}")
            there = [each for each in table.schema if each.name not in self.gone[table.table_id]]
            said = _against(schema, there)
            if said:
                return _no(stream, code_pb2.INVALID_ARGUMENT, f"{said} Entity: {stream}")
            data = pa.py_buffer(request.arrow_rows.rows.serialized_record_batch)
            rows = pa.ipc.read_record_batch(data, schema)
            rows.validate(full=True)
            refused = self._refused(_table(stream), rows)
            if refused:
                said = "Errors found while processing rows. See row_errors. Entity: " + stream
                return _no(stream, code_pb2.INVALID_ARGUMENT, said, refused)
            self._store(table, rows)
            self.rows[_table(stream)] += rows.num_rows
        return types.AppendRowsResponse(append_result={}, write_stream=stream)

    def _refused(self, table: str, rows: pa.RecordBatch) -> list[types.RowError]:
        code = types.RowError.RowErrorCode.FIELDS_ERROR
        said = [self.refuses(table, row) for row in rows.to_pylist()]
        return [
            types.RowError(index=at, code=code, message=text)
            for at, text in enumerate(said)
            if text
        ]

    def _store(self, table: bigquery.Table, rows: pa.RecordBatch) -> None:
        columns = []
        for column in table.schema:  # the emulator matches them by position
            at = rows.schema.get_field_index(column.name)
            kind = _STORED_AMOUNT if "NUMERIC" in column.field_type else _WIRE[column.field_type]
            found = pa.nulls(rows.num_rows, kind) if at < 0 else rows.column(at).cast(kind)
            columns.append(found)
        file = io.BytesIO()
        pq.write_table(pa.table(columns, [column.name for column in table.schema]), file)
        file.seek(0)
        config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
        self.client.load_table_from_file(file, table.reference, job_config=config).result()


@contextmanager
def write_service(client: bigquery.Client) -> Iterator[tuple[str, WriteService]]:
    """The address of such a service, on this machine, and the service."""
    service = WriteService(client)
    with ThreadPoolExecutor(16) as pool:
        server = grpc.server(pool, options=[("grpc.max_receive_message_length", -1)])
        server.add_generic_rpc_handlers([service])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}", service
        finally:
            for gate in service.gates.values():
                gate.release(1000)
            server.stop(None).wait()


def _table(stream: str) -> str:
    return stream.split("/")[5]


def _against(schema: pa.Schema, columns: list[bigquery.SchemaField]) -> str | None:
    """What there is to say against the schema of rows: columns too many, or of another type."""
    known = {column.name: column for column in columns}
    extra = [name for name in schema.names if name not in known]
    if extra:
        return f"Input schema has more fields than BigQuery schema, extra fields: '{extra[0]}'."
    for each in schema:
        kind = known[each.name].field_type
        right = pa.types.is_decimal256(each.type) if "NUMERIC" in kind else each.type == _WIRE[kind]
        if not right:
            return f"Field {each.name} of type {each.type} cannot be written to {kind}."
    return None


def _no(
    stream: str, code: int, said: str, rows: list[types.RowError] | None = None
) -> types.AppendRowsResponse:
    error = status_pb2.Status(code=code, message=said)
    return types.AppendRowsResponse(error=error, row_errors=rows or [], write_stream=stream)
