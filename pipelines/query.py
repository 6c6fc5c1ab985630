"""SQL over the tables and views of an output, read only, printed as table, CSV or JSON.

Amounts keep their digits from file to text: nothing on the way is a float that was not one in SQL.
"""

import difflib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa

from pipelines import warehouse
from pipelines.problems import UserError
from pipelines.query_text import csv_lines, json_lines, table_text

Form = Literal["table", "csv", "json"]
_TABLE_ROWS = 200


class QueryError(UserError):
    """SQL that cannot be run here; the text is DuckDB's, with the names it could have meant."""


def run_query(
    out: Path | str, sql: str, form: Form = "table", write: Callable[[str], object] | None = None
) -> None:
    """Run one query and hand its rows to `write` as text, by default to standard output.

    `csv` and `json` give every row; `table` gives the first 200 and says how many more there are.

    Raises:
        WarehouseError: where `out` is not the output of a run.
        QueryError: for anything but one query, and for what DuckDB finds wrong with it.

    """
    send = sys.stdout.write if write is None else write
    with warehouse.connect(Path(out)) as connection:
        try:
            names, batches = _start(connection, sql)
            for text in _texts(names, batches, form):
                send(text)
        except (duckdb.Error, pa.ArrowException) as error:
            raise QueryError(_explained(connection, error)) from error


def _start(
    connection: duckdb.DuckDBPyConnection, sql: str
) -> tuple[list[str], Iterator[pa.RecordBatch]]:
    statements = connection.extract_statements(sql)
    if not statements:
        raise QueryError("there is no query: give SQL, such as SELECT * FROM usage_current")
    if len(statements) != 1:
        raise QueryError(f"one query at a time: this is {len(statements)} statements")
    if statements[0].type != duckdb.StatementType.SELECT:
        kind = str(statements[0].type).rpartition(".")[2]
        raise QueryError(f"only a query can be run here (SELECT, WITH, FROM …); this is {kind}")
    reader = connection.sql(statements[0].query).to_arrow_reader()
    return _different(reader.schema), iter(reader)


def _different(schema: pa.Schema) -> list[str]:
    """Name the columns so that no two share a name: a JSON object has each but once."""
    names: list[str] = []
    for name in schema.names:
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


def _explained(connection: duckdb.DuckDBPyConnection, error: Exception) -> str:
    """Give DuckDB's message; for an unknown table with our names in place of its own guess."""
    text = str(error).strip()
    if not isinstance(error, duckdb.CatalogException) or "Table with name" not in text:
        return text
    lines = [line for line in text.splitlines() if not line.startswith("Did you mean")]
    views = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
    asked = text.partition("Table with name ")[2].split(" ")[0]
    near = difflib.get_close_matches(asked, views, n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return "\n".join([*lines, "", f"{hint}The tables and views are: {', '.join(views)}."])
