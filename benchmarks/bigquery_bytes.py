"""What a query of each view costs in BigQuery: the bytes of the columns that it reads.

    python benchmarks/bigquery_bytes.py --output OUT [--events 1000000]

OUT is the folder of a batch run, whose rows give the size of each column as BigQuery counts it: 8
bytes for INT64 and TIMESTAMP, 32 for BIGNUMERIC, 2 and the length in UTF-8 for STRING, 0 for null.
Sizes are scaled to `--events` events received. Each column counts once and whole, over all days: a
filter on the column of the partitions takes a share of it.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlglot import exp, parse_one
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.tables import _TYPES as TYPES
from pipelines.bigquery.views import with_pending
from pipelines.views import VIEWS
from pipelines.warehouse import connect
from transforms.tables import TABLES

Column = tuple[str, str]
_DATASET = Dataset("project", "dataset")
_FIXED = {"INT64": "8", "TIMESTAMP": "8", "BIGNUMERIC": "32"}


def columns_read(view: str) -> set[Column]:
    """The columns of stored tables, as (table, column), that a view reads through all others."""
    own = {
        table: {column.name: TYPES[column.type].partition("(")[0] for column in schema}
        for table, schema in TABLES.items()
    }
    own["steps_meters"] = {
        "meter": "STRING",
        "dimensions": "STRING",
        "window_us": "INT64",
        "aggregation": "STRING",
    }
    schema = {_DATASET.project: {_DATASET.name: own}}
    tree = parse_one(with_pending(f"SELECT * FROM main.{view}", _DATASET, "r"), read="bigquery")
    tree = pushdown_projections(qualify(tree, schema=schema, dialect="bigquery"))
    return {
        (source.name, column.name)
        for scope in traverse_scope(tree)
        for alias, source in scope.sources.items()
        if isinstance(source, exp.Table) and source.name in TABLES
        for column in scope.source_columns(alias)
    }


def column_sizes(out: Path) -> tuple[dict[Column, int], int]:
    """The bytes of each column of an output as BigQuery counts them, and the events received."""
    sizes = {}
    with connect(out) as connection:
        for table, schema in TABLES.items():
            sums = ", ".join(_bytes(column.name, TYPES[column.type]) for column in schema)
            found = connection.execute(f"SELECT {sums} FROM stored.{table}").fetchone()
            sizes |= {
                (table, name): int(size or 0)
                for name, size in zip(schema.names, found or (), strict=False)
            }
        received = connection.execute(
            "SELECT SUM(events) FROM ledger_current WHERE outcome = 'received' AND meter IS NULL"
        ).fetchone()
    return sizes, int(received[0]) if received and received[0] else 0


def _bytes(name: str, kind: str) -> str:
    fixed = _FIXED.get(kind.partition("(")[0])
    each = fixed or f'2 + octet_length("{name}"::BLOB)'
    return f'SUM(CASE WHEN "{name}" IS NULL THEN 0 ELSE {each} END)'


def _shown(sizes: dict[Column, int], columns: Iterable[Column], scale: float) -> str:
    return f"{sum(sizes[column] for column in columns) * scale / 1e6:,.1f}"


def main() -> None:
    """Print a table of tables, and one of views."""
    parser = argparse.ArgumentParser(description="Bytes that BigQuery reads for each view.")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--events", type=int, default=1_000_000)
    asked = parser.parse_args()
    sizes, received = column_sizes(asked.output)
    scale = asked.events / received
    stored = Table("table", "MB", "bytes an event")
    for table in TABLES:
        own = [column for column in sizes if column[0] == table]
        each = sum(sizes[column] for column in own) / received
        stored.add_row(table, _shown(sizes, own, scale), f"{each:,.1f}")
    read = Table("view", "MB", "columns", "of tables")
    for view in sorted(name for name in VIEWS if "/" not in name):
        columns = columns_read(view)
        tables = ", ".join(sorted({table for table, _ in columns}))
        read.add_row(view, _shown(sizes, columns, scale), str(len(columns)), tables)
    console = Console(width=110)
    console.print(f"{received:,} events received, scaled to {asked.events:,}", stored, read)


if __name__ == "__main__":
    main()
