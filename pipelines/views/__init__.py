"""The views over a run's tables: a file of BigQuery's SQL for each view, in three layers.

`stored.<table>` are the rows as written, `steps/*.sql` the results between, in the schema `steps`,
and the rest are the tables and views that users read. See pipelines/views/dialects.py. In a view
`{<name> <word>}` stands for `shared/<name>.sql` about that word, which is `{of}` there.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Self

from pipelines.views.duckdb_sql import for_duckdb
from transforms.catalog import Meter
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
    "steps/daily_usage",
    "cost_by_day",
    "cost_by_customer",
    "usage_by_day",
    "usage_by_week",
    "usage_by_month",
    "top_customers",
    "cost_change",
    "cost_forecast",
    "unrated_usage",
    "rejects_by_day",
    "ingest_delay",
)
# what a run is checked by before it shows
_CHECKS = VIEWS[: VIEWS.index("steps/ranked")]
TAKEN = {"current", "by_day", "by_week", "by_month"}  # meters of these names get no usage_<meter>
_OF_CATALOG = re.compile(r"\bdimension_(?:names|value)\b")
_NO_TEXT = "CAST(NULL AS STRING)"
_SHARED = re.compile(r"\{(\w+) (\w+)\}")


@dataclass(frozen=True)
class MeterShape:
    """What the views know of a meter: its dimensions, and where known its window in µs and more."""

    dimensions: tuple[str, ...]
    window_us: int | None = None
    aggregation: str | None = None

    @classmethod
    def stored(cls, row: Mapping[str, Any]) -> Self:
        """From a row of `stored.meters`, which an earlier version may have made with less."""
        dimensions = tuple(json.loads(row["dimensions"]))
        return cls(dimensions, row.get("window_us"), row.get("aggregation"))

    def after(self, earlier: Self | None) -> Self:
        """The same meter in a later catalog: its earlier dimensions stay."""
        if earlier is None:
            return self
        dimensions = tuple(sorted({*earlier.dimensions, *self.dimensions}))
        window_us = self.window_us or earlier.window_us
        return replace(
            self,
            dimensions=dimensions,
            window_us=window_us,
            aggregation=self.aggregation or earlier.aggregation,
        )


def shapes(meters: Iterable[Meter]) -> dict[str, MeterShape]:
    """What views know of the meters of a catalog."""
    return {
        meter.name: MeterShape(
            tuple(name for name, _ in meter.dimensions), meter.window_us, meter.aggregation
        )
        for meter in meters
    }


def views_sql(
    out: Path, meters: Mapping[str, MeterShape], pending: str | None = None
) -> Iterator[str]:
    """Give the statements that make all views over the folder `out`, in their order.

    Where the rows of the run `pending` show as if it had succeeded, it is to check that run: only
    the views for that are made.
    """
    # DuckDB looks through a view to the last file when it makes a view of it. So those that many
    # others read are made last, with something of the same columns in their place till then.
    for table in TABLES:
        yield _view(f"stored.{table}", _reading(out / table, "_columns.parquet"))
    yield _view("stored.meters", _meters_sql(meters))
    for name in VIEWS if pending is None else _CHECKS:
        sql = "SELECT * FROM stored.usage" if name == "usage_current" else view_sql(name)
        shown = ""
        if name == "steps/shown_runs" and pending is not None:
            shown = f"\n  OR run_id = {quoted(pending)}"
        yield _view(name.replace("/", "."), for_duckdb(sql) + shown)
    if pending is None:
        sql = for_duckdb(view_sql("cost_by_dimension"))
        yield _view("cost_by_dimension", with_dimensions(sql, meters, quoted, _dimension))
        for meter, shape in meters.items():
            if meter not in TAKEN:
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
    text = resources.files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return _SHARED.sub(lambda shared: _about(shared[2], view_sql(f"shared/{shared[1]}")), text)


def _about(word: str, sql: str) -> str:
    return sql.strip().replace("{of}", word)


def _meters_sql(meters: Mapping[str, MeterShape]) -> str:
    """Give the known meters as constants, from which the next run reads them back."""
    rows = [("NULL",) * 4]  # never shown: it is there for a warehouse without meters
    for meter, shape in meters.items():
        window = "NULL" if shape.window_us is None else str(shape.window_us)
        aggregation = "NULL" if shape.aggregation is None else quoted(shape.aggregation)
        rows.append((quoted(meter), quoted(json.dumps(shape.dimensions)), window, aggregation))
    values = ", ".join(f"({', '.join(row)})" for row in rows)
    columns = (
        "CAST(meter AS VARCHAR) AS meter, CAST(dimensions AS VARCHAR) AS dimensions,"
        " CAST(window_us AS BIGINT) AS window_us, CAST(aggregation AS VARCHAR) AS aggregation"
    )
    return (
        f"SELECT {columns} FROM (VALUES {values})"  # noqa: S608 -- every value is quoted above
        " AS known (meter, dimensions, window_us, aggregation) WHERE meter IS NOT NULL"
    )


def _usage_of_meter(meter: str, dimensions: Sequence[str]) -> str:
    taken = set(USAGE.names)
    columns = []
    for dimension in dimensions:
        name = free_name(dimension, taken)
        identifier = '"' + name.replace('"', '""') + '"'
        value = f"json_extract_string(dimensions, {quoted(_pointer(dimension))})"
        columns.append(f"{value} AS {identifier},")
    # the meter first: its name has no brace, where that of a dimension may
    template = view_sql("usage_of_meter").replace("{meter}", quoted(meter))
    return template.replace("{dimensions}", "\n  ".join(columns))


def _pointer(dimension: str) -> str:
    return "/" + dimension.replace("~", "~0").replace("/", "~1")


def _dimension(name: str) -> str:
    return f"json_extract_string(dimensions, {quoted(_pointer(name))})"


def with_dimensions(
    sql: str,
    meters: Mapping[str, MeterShape],
    text: Callable[[str], str],
    value: Callable[[str], str],
) -> str:
    """Fill in what `cost_by_dimension` reads of the catalog, in the SQL of an engine.

    `text` gives a literal of that SQL, and `value` the SQL of a dimension's value, by its name.
    """
    names = ["SELECT CAST(NULL AS STRING) AS meter, CAST(NULL AS STRING) AS dimension"]
    names += [
        f"SELECT {text(meter)}, {text(dimension)}"
        for meter, shape in meters.items()
        for dimension in shape.dimensions
    ]
    every = sorted({each for shape in meters.values() for each in shape.dimensions})
    cases = [f"WHEN {text(each)} THEN {value(each)}" for each in every]
    known = {
        "dimension_names": f"({' UNION ALL '.join(names)}) AS dimension_names",
        "dimension_value": f"CASE named.dimension {' '.join(cases)} END" if cases else _NO_TEXT,
    }
    return _OF_CATALOG.sub(lambda found: known[found[0]], sql)


def free_name(name: str, taken: set[str]) -> str:
    """Give the name, with a number behind it where another differs from it in case only."""
    free, number = name, 2
    while free.casefold() in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free.casefold())
    return free
