"""The views of a dataset, made of the same SQL as those of a local warehouse."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence

from google.api_core.exceptions import NotFound
from google.cloud import bigquery
from sqlglot import exp

from pipelines.bigquery.dataset import Dataset
from pipelines.views import VIEWS, MeterShape, free_name, view_sql
from pipelines.views.dialects import bigquery_name, for_bigquery, read_by
from transforms.tables import USAGE

_LONGEST = 250  # of a column's name; the service takes 300 characters
_RESERVED = ("_table_", "_file_", "_partition", "_row_timestamp", "__root__", "_colidentifier")
_METERS = bigquery_name("meters", "stored")


def write_views(
    client: bigquery.Client, dataset: Dataset, meters: Mapping[str, MeterShape]
) -> None:
    """Makes the views that are missing, or change. Meters of earlier runs keep theirs."""
    known, written = _read_back(client, dataset)
    earlier = list(views_sql(dataset, known))
    there = frozenset(earlier if written == _digest(earlier) else ())
    for meter, shape in meters.items():
        before = known.get(meter, MeterShape(()))
        dimensions = tuple(sorted({*before.dimensions, *shape.dimensions}))
        known[meter] = MeterShape(dimensions, shape.window_us or before.window_us)
    statements = list(views_sql(dataset, known))
    changed = [statement for statement in statements if statement not in there]
    if not changed:
        return
    for statement in changed:
        client.query_and_wait(statement)
    view = client.get_table(f"{dataset}.{_METERS}")
    view.description = _digest(statements)
    client.update_table(view, ["description"])


def _digest(statements: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(statements).encode()).hexdigest()


def _read_back(
    client: bigquery.Client, dataset: Dataset
) -> tuple[dict[str, MeterShape], str | None]:
    """The meters, and the digest of the views, as they were written last."""
    try:
        view = client.get_table(f"{dataset}.{_METERS}")
    except NotFound:
        return {}, None
    rows = client.query_and_wait(f"SELECT * FROM {dataset.table(_METERS)}")  # noqa: S608 - names of ours
    known = {
        row.meter: MeterShape(tuple(json.loads(row.dimensions)), row.window_us) for row in rows
    }
    return known, view.description


def with_pending(sql: str, dataset: Dataset, run_id: str) -> str:
    """SQL that reads views, in which the rows of a run show as if it had succeeded."""
    needed, rest = set[str](), {sql}
    while rest:
        found = read_by(rest.pop(), VIEWS) - needed
        needed |= found
        rest |= {view_sql(name) for name in found}
    names = {name: bigquery_name(*reversed(name.rpartition("/")[::2])) for name in VIEWS}
    within = [names[name] for name in VIEWS if name in needed]
    parts = []
    for name in VIEWS:
        if name in needed:
            shown = f" OR run_id = {_text(run_id)}" if name == "steps/shown_runs" else ""
            own = for_bigquery(view_sql(name) + shown, str(dataset), VIEWS, within)
            parts.append(f"{names[name]} AS (\n{own}\n)")
    asked = for_bigquery(sql, str(dataset), VIEWS, within)
    return f"WITH {', '.join(parts)}\n{asked}"


def views_sql(dataset: Dataset, meters: Mapping[str, MeterShape]) -> Iterator[str]:
    """Statements that make all views, in their order; they replace those that are there."""
    yield _view(dataset, _METERS, _meters(meters))
    for name in VIEWS:
        layer, _, plain = name.rpartition("/")
        sql = for_bigquery(view_sql(name), str(dataset), VIEWS)
        yield _view(dataset, bigquery_name(plain, layer), sql)
    for meter, shape in meters.items():
        if meter != "current":  # usage_current is taken
            sql = for_bigquery(_usage_of_meter(meter, shape.dimensions), str(dataset), VIEWS)
            yield _view(dataset, f"usage_{meter}", sql)


def _view(dataset: Dataset, name: str, sql: str) -> str:
    return f"CREATE OR REPLACE VIEW {dataset.table(name)} AS\n{sql}"


def _meters(meters: Mapping[str, MeterShape]) -> str:
    none = "SELECT CAST(NULL AS STRING) AS meter, CAST(NULL AS STRING) AS dimensions,"
    rows = [f"{none} CAST(NULL AS INT64) AS window_us LIMIT 0"]
    for meter, shape in meters.items():
        window = "NULL" if shape.window_us is None else str(shape.window_us)
        rows.append(f"SELECT {_text(meter)}, {_text(json.dumps(shape.dimensions))}, {window}")
    return "\nUNION ALL\n".join(f"({row})" for row in rows)


def _usage_of_meter(meter: str, dimensions: Sequence[str]) -> str:
    taken, columns = set(USAGE.names), []
    for dimension in dimensions:
        name = exp.to_identifier(_column(dimension, taken), quoted=True).sql("bigquery")
        path = _text(f"$.{json.dumps(dimension, ensure_ascii=False)}")
        columns.append(f"JSON_VALUE(dimensions, {path}) AS {name},")
    template = view_sql("usage_of_meter").replace("{meter}", _text(meter))
    return template.replace("{dimensions}", "\n  ".join(columns))


def _column(dimension: str, taken: set[str]) -> str:
    """A name that the service takes: letters, digits and _, no digit first, none of its own."""
    plain = re.sub(r"\W", "_", dimension)[:_LONGEST]
    own = not plain or plain[0].isdigit() or plain.casefold().startswith(_RESERVED)
    return free_name(f"dimension_{plain}" if own else plain, taken)


def _text(words: str) -> str:
    return exp.Literal.string(words).sql("bigquery")
