"""The SQL of the views, which is BigQuery's, as each engine wants it.

A view names what it reads in three layers: `stored.<table>` are the rows as written, `steps.<view>`
the results between, and the rest is what users read. In DuckDB these are schemas. A dataset of
BigQuery has none: there the rows as written are `<table>`, and what else would have that name, or
is a step, is `steps_<name>`.
"""

import os
from collections.abc import Collection

from sqlglot import exp, parse_one
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.generators.duckdb import DuckDBGenerator

from transforms.tables import TABLES

_STORED, _STEPS = "stored", "steps"


class _Local(DuckDB):
    """DuckDB's SQL where sqlglot's own would say something else than BigQuery."""

    class Generator(DuckDBGenerator):
        """Moments have a zone, and DIV is of all that is in its operands: not so in sqlglot's."""

        TRANSFORMS = {  # noqa: RUF012 - as sqlglot has it
            **DuckDBGenerator.TRANSFORMS,
            exp.UnixToTime: lambda self, e: self.func("MAKE_TIMESTAMPTZ", e.this),
            exp.Date: lambda self, e: f"CAST({self.sql(e, 'this')} AT TIME ZONE 'UTC' AS DATE)",
            exp.IntDiv: lambda self, e: (
                f"(({self.sql(e, 'this')}) // ({self.sql(e, 'expression')}))"
            ),
        }


def to_duckdb(sql: str) -> str:
    """The SQL for DuckDB. Times are TIMESTAMP WITH TIME ZONE, and dates of them are UTC's."""
    return parse_one(sql, read="bigquery").sql(_Local, pretty=True)


def for_bigquery(
    sql: str, dataset: str, views: Collection[str], within: Collection[str] = ()
) -> str:
    """The SQL for a dataset, `project.dataset`.

    `views` are those that users read, by name; other names without a layer are the SQL's own. Those
    that come with the SQL, by their names in the dataset, are `within`.
    """
    project, _, name = dataset.rpartition(".")
    tree = parse_one(sql, read="bigquery")
    for table in list(tree.find_all(exp.Table)):
        if table.db or table.name in views:
            target = bigquery_name(table.name, table.db)
            place = {} if target in within else {"db": name, "catalog": project}
            known = exp.table_(target, **place, quoted=True)
            table.replace(exp.alias_(known, table.alias or table.name, table=True))
    return _plain(tree).sql("bigquery", pretty=True)


def _plain(tree: exp.Expr) -> exp.Expr:
    """Without the digits that casts name: the service takes them for columns only.

    An emulator, which the client library's own variable names, cuts off digits without them.
    """
    if not os.environ.get("BIGQUERY_EMULATOR_HOST"):
        for digits in list(tree.find_all(exp.DataTypeParam)):
            digits.pop()
    return tree


def read_by(sql: str, views: Collection[str]) -> set[str]:
    """The names of the `views`, and of steps as `steps/<name>`, that some SQL reads."""
    found = set()
    for table in parse_one(sql, read="bigquery").find_all(exp.Table):
        name = f"{_STEPS}/{table.name}" if table.db == _STEPS else table.name
        if table.db != _STORED and name in views:
            found.add(name)
    return found


def bigquery_name(name: str, layer: str = "") -> str:
    """What a table or view is called in a dataset."""
    if layer == _STORED and name in TABLES:
        return name
    is_step = layer in {_STORED, _STEPS} or name in TABLES
    return f"{_STEPS}_{name}" if is_step else name


def bigquery_text(words: str) -> str:
    """Write a text as a literal of BigQuery's SQL."""
    return exp.Literal.string(words).sql("bigquery")
