"""A query over an output that is a dataset: the SQL is BigQuery's, and BigQuery runs it.

What may be done is what the user may do there: nothing here keeps SQL from writing.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from google.api_core.exceptions import BadRequest, Forbidden, GoogleAPICallError, NotFound
from google.cloud import bigquery
from google.cloud.bigquery.table import RowIterator

from pipelines.bigquery.client import connected
from pipelines.bigquery.dataset import Dataset
from pipelines.query_error import QueryError, named_tables

_TYPES = {
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "NUMERIC": pa.decimal256(76, 38),  # an emulator calls BIGNUMERIC so
    "BIGNUMERIC": pa.decimal256(76, 38),
    "BOOLEAN": pa.bool_(),
    "STRING": pa.string(),
    "JSON": pa.string(),
    "BYTES": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "DATETIME": pa.timestamp("us"),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "INTERVAL": pa.month_day_nano_interval(),
}
_NO_TABLE = re.compile(r"Table \S+[.:](\w+) was not found")


@contextmanager
def answered(dataset: Dataset, sql: str) -> Iterator[tuple[list[str], Iterator[pa.RecordBatch]]]:
    """The names of the columns, and the rows a page at a time.

    Names without a dataset are tables and views of this one.

    Raises:
        UserError: where there is no such dataset, or it may not be read.
        QueryError: for what BigQuery finds wrong with the SQL, or does not allow its user.
        JobFailedError: where BigQuery could not answer.

    """
    if not sql.strip():
        raise QueryError("there is no query: give SQL, such as SELECT * FROM usage_current")
    own = bigquery.DatasetReference(dataset.project, dataset.name)
    with connected(dataset) as client:
        try:
            asked = bigquery.QueryJobConfig(default_dataset=own)
            rows = client.query(sql, job_config=asked).result()
            yield [field.name for field in rows.schema], _batches(rows)
        except pa.ArrowException as error:  # a number that only BigQuery has
            raise QueryError(str(error)) from error
        except (BadRequest, Forbidden, NotFound) as error:
            raise QueryError(_explained(client, dataset, error)) from error


def _batches(rows: RowIterator) -> Iterator[pa.RecordBatch]:
    fields: Sequence[bigquery.SchemaField] = rows.schema
    for page in rows.pages:
        values = [row.values() for row in page]
        if values:
            columns = [
                _array(*each) for each in zip(fields, zip(*values, strict=True), strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, [field.name for field in fields])


def _array(field: bigquery.SchemaField, values: Sequence[Any]) -> pa.Array:
    if field.mode == "REPEATED":
        return pa.array(values)
    if field.field_type == "JSON":
        values = [None if value is None else json.dumps(value) for value in values]
    return pa.array(values, _TYPES.get(field.field_type))


def _explained(client: bigquery.Client, dataset: Dataset, error: GoogleAPICallError) -> str:
    """The service's message without the job's place; for an unknown table with our names."""
    said = str(error.errors[0]["message"] if error.errors else error.message)
    missing = _NO_TABLE.search(said)
    if not missing:
        return said
    there = sorted(table.table_id for table in client.list_tables(str(dataset)))
    shown = [name for name in there if not name.startswith("steps_")]
    return f"{said}\n\n{named_tables(missing[1], shown)}"
