"""The views over a run's tables: a file of BigQuery's SQL for each view, in three layers.

`stored.<table>` are the rows as written, `steps/*.sql` the results between, in the schema `steps`,
and the rest are the tables and views that users read. See pipelines/views/dialects.py.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pipelines.views.dialects import for_duckdb
from transforms.tables import TABLES, USAGE

# in the order of their needs: a view comes after those it reads
VIEWS = (
    "runs",
    "steps/shown_runs",
    "events",
    "rejects",
    "usage",
    "ledger",
    "ledger_current",
    "ledger_balance",
    "events_current",
    "steps/usage_windows",
    "steps/reject_windows",
    "steps/claims",
    "steps/ranked",
    "usage_current",
    "steps/late_events",
    "steps/after_batch",
    "windows_to_backfill",
    "cost_by_day",
    "cost_by_customer",
)


@dataclass(frozen=True)
class MeterShape:
    """What the views know of a meter: its dimensions, and its window in µs where it is known."""

    dimensions: tuple[str, ...]
    window_us: int | None = None


def views_sql(
    out: Path, meters: Mapping[str, MeterShape], pending: str | None = None
) -> Iterator[str]:
    """Give the statements that make all views over the folder `out`, in their order.

    The rows of the run `pending` show as if it had succeeded.
    """
    # DuckDB looks through a view to the last file when it makes a view of it. So those that many
    # others read are made last, with something of the same columns in their place till then.
    for table in TABLES:
        yield _view(f"stored.{table}", _reading(out / table, "_columns.parquet"))
    yield _view("stored.meters", _meters_sql(meters))
    for name in VIEWS:
        sql = "SELECT * FROM stored.usage" if name == "usage_current" else view_sql(name)
        if name == "steps/shown_runs" and pending is not None:
            sql += f"  OR run_id = {quoted(pending)}\n"
        yield _view(name.replace("/", "."), for_duckdb(sql))
    for meter, shape in meters.items():
        if meter != "current":  # usage_current is taken
            yield _view(f"usage_{meter}", _usage_of_meter(meter, shape.dimensions))
    yield _view("usage_current", for_duckdb(view_sql("usage_current")))
    yield from stored_sql(out)


def stored_sql(out: Path) -> Iterator[str]:
    """Give the statements that make `stored.<table>` over the Parquet files in the folder `out`."""
    for table in TABLES:
        # The empty file comes first and gives the columns, and comes again by the glob, which may
        # not find nothing. Names with a dot in front are of files still being written.
        sql = _reading(out / table, "_columns.parquet", "**/[!.]*.parquet")
        yield _view(f"stored.{table}", sql)


def _view(name: str, sql: str) -> str:
    return f"CREATE OR REPLACE VIEW {name} AS {sql}"


def _reading(folder: Path, *names: str) -> str:
    files = ", ".join(quoted(f"{glob_text(folder)}/{name}") for name in names)
    return f"SELECT * FROM read_parquet([{files}], hive_partitioning = false)"  # noqa: S608 -- the paths are quoted


def quoted(text: str) -> str:
    """Write a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def glob_text(path: Path) -> str:
    """Write a path so that a glob takes each of its characters for itself."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def view_sql(name: str) -> str:
    """Give the SQL of a view, a name of `VIEWS`, in BigQuery's dialect."""
    return resources.files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def _meters_sql(meters: Mapping[str, MeterShape]) -> str:
    """Give the known meters as constants, from which the next run reads them back."""
    rows = [("NULL", "NULL", "NULL")]  # never shown: it is there for a warehouse without meters
    for meter, shape in meters.items():
        window = "NULL" if shape.window_us is None else str(shape.window_us)
        rows.append((quoted(meter), quoted(json.dumps(shape.dimensions)), window))
    values = ", ".join(f"({', '.join(row)})" for row in rows)
    columns = (
        "CAST(meter AS VARCHAR) AS meter, CAST(dimensions AS VARCHAR) AS dimensions,"
        " CAST(window_us AS BIGINT) AS window_us"
    )
    return (
        f"SELECT {columns} FROM (VALUES {values}) AS known (meter, dimensions, window_us)"  # noqa: S608 -- every value is quoted above
        " WHERE meter IS NOT NULL"
    )


def _usage_of_meter(meter: str, dimensions: Sequence[str]) -> str:
    taken = set(USAGE.names)
    columns = []
    for dimension in dimensions:
        name = free_name(dimension, taken)
        pointer = "/" + dimension.replace("~", "~0").replace("/", "~1")
        identifier = '"' + name.replace('"', '""') + '"'
        columns.append(f"json_extract_string(dimensions, {quoted(pointer)}) AS {identifier},")
    # the meter first: its name has no brace, where that of a dimension may
    template = view_sql("usage_of_meter").replace("{meter}", quoted(meter))
    return template.replace("{dimensions}", "\n  ".join(columns))


def free_name(name: str, taken: set[str]) -> str:
    """Give the name, with a number behind it where another differs from it in case only."""
    free, number = name, 2
    while free.casefold() in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free.casefold())
    return free
