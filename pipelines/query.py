"""SQL over the tables and views of an output, printed as table, CSV or JSON.

Amounts keep their digits from file to text: nothing on the way is a float that was not one in SQL.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import pyarrow as pa

from pipelines import query_folder
from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.query_error import QueryError
from pipelines.query_text import csv_lines, json_lines, table_text

__all__ = ["Form", "QueryError", "run_query"]

Form = Literal["table", "csv", "json"]
_TABLE_ROWS = 200


def run_query(
    out: Path | str, sql: str, form: Form = "table", write: Callable[[str], object] | None = None
) -> None:
    """Run one query and hand its rows to `write` as text, by default to standard output.

    `csv` and `json` give every row; `table` gives the first 200 and says how many more there are.
    `out` is a folder, which is only read, or `bigquery://project.dataset`.

    Raises:
        UserError: where `out` is not the output of a run, or no dataset that can be reached.
        QueryError: for anything but one query, and for what the engine finds wrong with it.
        JobFailedError: where BigQuery could not answer.

    """
    send = sys.stdout.write if write is None else write
    with _answered(str(out), sql) as (names, batches):
        for text in _texts(_different(names), batches, form) if names else ():
            send(text)


def _answered(
    out: str, sql: str
) -> AbstractContextManager[tuple[list[str], Iterator[pa.RecordBatch]]]:
    if not out.startswith(PREFIX):
        return query_folder.answered(Path(out), sql)
    from pipelines import query_bigquery  # noqa: PLC0415 - imports Google's clients

    return query_bigquery.answered(Dataset.of(out), sql)


def _different(given: Sequence[str]) -> list[str]:
    """Name the columns so that no two share a name: a JSON object has each but once."""
    names: list[str] = []
    for name in given:
        free, number = name, 2
        while free in names:
            free, number = f"{name}_{number}", number + 1
        names.append(free)
    return names


def _texts(names: list[str], batches: Iterator[pa.RecordBatch], form: Form) -> Iterator[str]:
    if form == "csv":
        return csv_lines(names, batches)
    if form == "json":
        return json_lines(names, batches)
    return table_text(names, batches, _TABLE_ROWS)
