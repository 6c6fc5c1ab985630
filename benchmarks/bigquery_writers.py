"""Ways to write the rows of a Parquet file to a table of BigQuery, ours and Beam's.

Each is a pipeline on the FnApiRunner that reads the file, and returns when the rows are in the
table.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.gcp.bigquery import RetryStrategy
from apache_beam.options.pipeline_options import PipelineOptions
from bigquery_emulated import BUCKET

import transforms.arrow_coder  # noqa: F401 - registers the coder for record batches
from pipelines.bigquery.client import connected
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.load import load_table
from pipelines.bigquery.sink import close_sink, sink_of
from pipelines.bigquery.write_stream import WriteBigQuery
from pipelines.parquet_sink import WriteParquet
from pipelines.runs import Run, new_run_id
from transforms.tables import TABLES

_KINDS = {pa.string(): "STRING", pa.int64(): "INTEGER", pa.timestamp("us", "UTC"): "TIMESTAMP"}
_ROWS = 500  # of a small request: as many as Beam's insertAll takes


@dataclass(frozen=True)
class Target:
    """A table, and the file whose rows it is to have."""

    dataset: Dataset
    table: str
    rows: Path


def by_loads(target: Target) -> None:
    """Staged Parquet, then load jobs: as a batch run of ours."""
    now = datetime.now(UTC)
    run = Run(new_run_id(now), "batch", "running", None, None, (), now, None, "", None)
    with tempfile.TemporaryDirectory() as folder:
        with _pipeline(target) as pipeline:
            _batches(pipeline, target) | WriteParquet(folder)
        with connected(target.dataset) as client:
            load_table(client, target.dataset, target.table, run, Path(folder))


def by_appends(target: Target) -> None:
    """Storage Write, Arrow batches: a request for each bundle, or 8 MiB of it."""
    with _pipeline(target) as pipeline:
        _batches(pipeline, target) | WriteBigQuery(target.dataset, target.table, "r")
    close_sink(target.dataset)


def by_small_appends(target: Target) -> None:
    """The same with a request for each 500 rows, one after the other."""

    def append(batch: pa.RecordBatch) -> None:
        if sink_of(target.dataset).append(target.table, batch):
            raise AssertionError("rows were refused")

    with _pipeline(target) as pipeline:
        _batches(pipeline, target, _ROWS) | beam.Map(append)
    close_sink(target.dataset)


def by_file_loads(target: Target) -> None:
    """Beam's FILE_LOADS: JSON files, then load jobs."""
    _beam(target, method="FILE_LOADS", custom_gcs_temp_location=BUCKET)


def by_insert_all(target: Target) -> None:
    """Beam's STREAMING_INSERTS: insertAll with 500 rows a request. What is refused stays away."""
    never = RetryStrategy.RETRY_NEVER
    _beam(target, method="STREAMING_INSERTS", insert_retry_strategy=never)


WRITERS: dict[str, Callable[[Target], None]] = {
    "ours, load jobs": by_loads,
    "Beam FILE_LOADS": by_file_loads,
    "ours, appends": by_appends,
    "ours, appends of 500": by_small_appends,
    "Beam STREAMING_INSERTS": by_insert_all,
}


def _beam(target: Target, **how: Any) -> None:
    with _pipeline(target) as pipeline:
        rows = pipeline | beam.io.ReadFromParquet(str(target.rows))
        rows | beam.io.WriteToBigQuery(
            f"{target.dataset.project}:{target.dataset.name}.{target.table}",
            schema={"fields": [_column(each) for each in TABLES[target.table]]},
            create_disposition="CREATE_NEVER",
            write_disposition="WRITE_APPEND",
            **how,
        )


def _column(column: pa.Field) -> dict[str, str]:
    kind = _KINDS.get(column.type, "BIGNUMERIC")
    return {"name": column.name, "type": kind, "mode": "NULLABLE"}


def _pipeline(target: Target) -> beam.Pipeline:
    options = PipelineOptions([f"--project={target.dataset.project}"])
    return beam.Pipeline("FnApiRunner", options=options)


def _batches(pipeline: beam.Pipeline, target: Target, rows: int = 1 << 16) -> beam.PCollection:
    schema = TABLES[target.table]

    def cut(table: pa.Table) -> Iterator[pa.RecordBatch]:
        yield from table.cast(schema).combine_chunks().to_batches(rows)

    tables = pipeline | beam.io.ReadFromParquetBatched(str(target.rows))
    return tables | beam.FlatMap(cut).with_output_types(pa.RecordBatch)
