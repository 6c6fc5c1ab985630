"""The rows of a question, from a folder or from a dataset.

Questions are BigQuery's SQL over the project's views, with values as parameters (`@name`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import duckdb
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from pipelines import warehouse
from pipelines.bigquery.client import ask, connected
from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.problems import UserError
from pipelines.views import VIEWS
from pipelines.views.dialects import for_bigquery
from pipelines.views.duckdb_sql import for_duckdb

_VIEWS = {*VIEWS, "cost_by_dimension"}  # made anew with each meter's dimensions

Row = Mapping[str, Any]
Value = str | int | date


class Rows(Protocol):
    """An output that can be asked."""

    def of(self, sql: str, **values: Value) -> list[Row]:
        """The rows that a question gives, each by its columns' names."""
        ...


class FolderRows:
    """The views of a folder."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def of(self, sql: str, **values: Value) -> list[Row]:
        """See Rows."""
        answer = self._connection.execute(for_duckdb(sql), values)
        names = [name for name, *_ in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


class DatasetRows:
    """The views of a dataset."""

    def __init__(self, client: bigquery.Client, dataset: Dataset) -> None:
        self._client, self._dataset = client, dataset

    def of(self, sql: str, **values: Value) -> list[Row]:
        """See Rows. Raises UserError where a view is missing."""
        config = bigquery.QueryJobConfig(query_parameters=list(map(_parameter, *_pairs(values))))
        asked = for_bigquery(sql, str(self._dataset), _VIEWS)
        try:
            return [dict(row) for row in ask(self._client, asked, config)]
        except NotFound as error:
            out = f"{PREFIX}{self._dataset}"
            raise UserError(
                f"{out}: {error.message}\nmake its views with `meterbeam tables --output {out}`"
            ) from None


@contextmanager
def opened(output: str) -> Iterator[Rows]:
    """An output as `--output` names it, to be asked and not changed.

    Raises UserError where there is none, and JobFailedError with what BigQuery says against it.
    """
    if output.startswith(PREFIX):
        dataset = Dataset.of(output)
        with connected(dataset) as client:
            yield DatasetRows(client, dataset)
    else:
        with warehouse.connect(Path(output).expanduser()) as connection:
            yield FolderRows(connection)


def _pairs(values: Mapping[str, Value]) -> tuple[list[str], list[Value]]:
    return list(values), list(values.values())


def _parameter(name: str, value: Value) -> bigquery.ScalarQueryParameter:
    kind = "STRING" if isinstance(value, str) else "INT64" if isinstance(value, int) else "DATE"
    return bigquery.ScalarQueryParameter(name, kind, value)
