"""Rows to append to tables of BigQuery, and what is there afterwards."""

from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import MetricsFilter
from bigquery_emulator import Emulator
from stored_rows import event_row

import transforms.arrow_coder  # noqa: F401 - registers the coder for record batches
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.write_stream import WriteBigQuery
from transforms.tables import TABLES


def batch(table: str, *rows: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(rows), schema=TABLES[table])


def events(*keys: str) -> pa.RecordBatch:
    return batch("events", *(event_row("r", key) for key in keys))


def stored(emulator: Emulator, dataset: Dataset, table: str) -> list[dict[str, Any]]:
    return emulator.query(f"SELECT * FROM {dataset.table(table)}")  # noqa: S608 - ours


def keys(emulator: Emulator, dataset: Dataset) -> list[str]:
    return sorted(row["event_key"] for row in stored(emulator, dataset, "events"))


def written(dataset: Dataset, table: str, *batches: pa.RecordBatch) -> dict[str, int]:
    """Writes by a pipeline; gives its counters."""
    with beam.Pipeline("FnApiRunner") as pipeline:
        rows = pipeline | beam.Create(batches, reshuffle=False)
        rows | WriteBigQuery(dataset, table, "r")
    found = pipeline.result.metrics().query(MetricsFilter().with_namespace("meterbeam"))
    return {each.key.metric.name: each.committed for each in found["counters"]}
