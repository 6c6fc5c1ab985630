"""A query over an output that is a folder: DuckDB's SQL, and nothing but a SELECT."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines import warehouse
from pipelines.query_error import QueryError, named_tables


@contextmanager
def answered(out: Path, sql: str) -> Iterator[tuple[list[str], Iterator[pa.RecordBatch]]]:
    """The names of the columns, and the rows as they come.

    Raises:
        WarehouseError: where `out` is not the output of a run.
        QueryError: for anything but one query, and for what DuckDB finds wrong with it.

    """
    with warehouse.connect(out) as connection:
        try:
            reader = _reader(connection, sql)
            yield reader.schema.names, iter(reader)
        except (duckdb.Error, pa.ArrowException) as error:
            raise QueryError(_explained(connection, error)) from error


def _reader(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.RecordBatchReader:
    statements = connection.extract_statements(sql)
    if not statements:
        raise QueryError("there is no query: give SQL, such as SELECT * FROM usage_current")
    if len(statements) != 1:
        raise QueryError(f"one query at a time: this is {len(statements)} statements")
    if statements[0].type != duckdb.StatementType.SELECT:
        kind = str(statements[0].type).rpartition(".")[2]
        raise QueryError(f"only a query can be run here (SELECT, WITH, FROM …); this is {kind}")
    return connection.sql(statements[0].query).to_arrow_reader()


def _explained(connection: duckdb.DuckDBPyConnection, error: Exception) -> str:
    """Give DuckDB's message; for an unknown table with our names in place of its own guess."""
    text = str(error).strip()
    if not isinstance(error, duckdb.CatalogException) or "Table with name" not in text:
        return text
    lines = [line for line in text.splitlines() if not line.startswith("Did you mean")]
    views = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
    asked = text.partition("Table with name ")[2].split(" ")[0]
    return "\n".join([*lines, "", named_tables(asked, views)])
