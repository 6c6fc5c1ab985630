"""Events of a dataset, by the Storage Read API, put into Parquet files."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import grpc
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, types
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
    BigQueryReadGrpcTransport,
)

from pipelines.bigquery.dataset import Dataset
from pipelines.inputs.event_files import EVENT_COLUMNS, Needed
from transforms.tables import EVENTS
from transforms.timestamps import DAY, format_time
from transforms.totals import TOTALS

DAYS = 300
"""Beside a range so many days are read apart; where there are more, all are."""

_EMULATOR = "BIGQUERY_STORAGE_EMULATOR_HOST"  # host:port, without TLS
_ALONE = [("grpc.enable_http_proxy", 0)]  # an emulator is on this machine
_AT_ONCE = 4
_GROUP_BYTES = 16 << 20
_COLUMNS = pa.schema([EVENTS.field(name) for name in ("run_id", *EVENT_COLUMNS)])


@dataclass(frozen=True)
class Snapshot:
    """A table of events at a moment, and the runs whose events count."""

    dataset: Dataset
    table: str
    at: datetime
    run_ids: frozenset[str]


@dataclass(frozen=True)
class Reading:
    """What is to be read of a snapshot: all of it, or with `needed` its range.

    And some days (since the epoch) beside that, or all where there are too many.
    """

    snapshot: Snapshot
    needed: Needed | None
    days: tuple[int, ...] | None


def spool(reading: Reading, folder: Path) -> list[Path]:
    """Parquet files with the events of the runs that count, in a folder.

    Up to four streams are read at once, each into a file of its own. Holds 16 MiB and an answer of
    the service for each.
    """
    snapshot = reading.snapshot
    with _read_client() as client:
        session = client.create_read_session(
            parent=f"projects/{snapshot.dataset.project}",
            read_session=_wanted(snapshot, _restriction(reading.needed, reading.days)),
            max_stream_count=_AT_ONCE,
        )
        schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
        files = [folder / f"{number}.parquet" for number in range(len(session.streams))]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="bigquery") as pool:
            write = partial(_write, client, schema, pa.array(sorted(snapshot.run_ids), pa.string()))
            list(pool.map(write, (stream.name for stream in session.streams), files))
    return files


@contextmanager
def _read_client() -> Iterator[BigQueryReadClient]:
    emulator = os.environ.get(_EMULATOR)
    if emulator:
        with grpc.insecure_channel(emulator, options=_ALONE) as channel:
            yield BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
        return
    client = BigQueryReadClient()
    with closing(client.transport):
        yield client


def _wanted(snapshot: Snapshot, restriction: str) -> types.ReadSession:
    dataset = snapshot.dataset
    return types.ReadSession(
        table=f"projects/{dataset.project}/datasets/{dataset.name}/tables/{snapshot.table}",
        data_format=types.DataFormat.ARROW,
        table_modifiers=types.ReadSession.TableModifiers(snapshot_time=snapshot.at),
        read_options=types.ReadSession.TableReadOptions(
            selected_fields=_COLUMNS.names, row_restriction=restriction
        ),
    )


def _restriction(needed: Needed | None, days: Sequence[int] | None) -> str:
    """The range and the days as a condition of the service; empty for all."""
    if needed is None or days is None or len(days) > DAYS:
        return ""
    spans = [(day * DAY, (day + 1) * DAY) for day in days]
    own = _between(needed.start_us, needed.end_us)
    return " OR ".join([own, *(_between(*span) for span in spans)]) if own else ""


def _between(start_us: int | None, end_us: int | None) -> str:
    parts = [
        f"event_time {sign} TIMESTAMP '{format_time(at)}'"
        for sign, at in ((">=", start_us), ("<", end_us))
        if at is not None
    ]
    return f"({' AND '.join(parts)})" if parts else ""


def _write(
    client: BigQueryReadClient, schema: pa.Schema, run_ids: pa.Array, stream: str, path: Path
) -> None:
    with pq.ParquetWriter(path, _COLUMNS, compression="zstd", compression_level=1) as writer:
        held: list[pa.RecordBatch] = []
        for batch in _batches(client, schema, stream):
            own = batch.filter(pc.is_in(batch.column("run_id"), run_ids))
            held.append(own)
            if sum(each.nbytes for each in held) >= _GROUP_BYTES:
                writer.write_table(pa.Table.from_batches(held, _COLUMNS))
                held = []
        writer.write_table(pa.Table.from_batches(held, _COLUMNS))


def _batches(
    client: BigQueryReadClient, schema: pa.Schema, stream: str
) -> Iterator[pa.RecordBatch]:
    for part in client.read_rows(stream):
        serialized = pa.py_buffer(part.arrow_record_batch.serialized_record_batch)
        batch = pa.ipc.read_record_batch(serialized, schema).select(_COLUMNS.names).cast(_COLUMNS)
        TOTALS.add(fetched=batch.num_rows)
        yield batch
