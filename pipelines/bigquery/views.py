"""The views of a dataset, made of the same SQL as those of a local warehouse."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence

from google.api_core.exceptions import NotFound
from google.cloud import bigquery
from sqlglot import exp

from pipelines.bigquery.client import ask
from pipelines.bigquery.dataset import Dataset
from pipelines.views import TAKEN, VIEWS, MeterShape, free_name, view_sql, with_dimensions
from pipelines.views.dialects import bigquery_name, bigquery_text, for_bigquery, read_by
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
    known |= {meter: shape.after(known.get(meter)) for meter, shape in meters.items()}
    statements = list(views_sql(dataset, known))
    changed = [statement for statement in statements if statement not in there]
    if not changed:
        return
    for statement in changed if written else _quickly(dataset, changed):
        ask(client, statement)
    view = client.get_table(f"{dataset}.{_METERS}")
    view.description = _digest(statements)
    client.update_table(view, ["description"])


def _quickly(dataset: Dataset, statements: Sequence[str]) -> Iterator[str]:
    """The statements of a new dataset: what many views read comes last, till then without rows.

    A view that is made is looked through to the last table, which takes an emulator its time.
    """
    empty = _view(dataset, "usage_current", f"SELECT * FROM {dataset.table('usage')} WHERE FALSE")  # noqa: S608 - names of ours
    start = empty.partition("\n")[0]
    yield empty
    yield from (each for each in statements if not each.startswith(start))
    yield from (each for each in statements if each.startswith(start))


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
    rows = ask(client, f"SELECT * FROM {dataset.table(_METERS)}")  # noqa: S608 - names of ours
    return {row.meter: MeterShape.stored(dict(row)) for row in rows}, view.description


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
            shown = f" OR run_id = {bigquery_text(run_id)}" if name == "steps/shown_runs" else ""
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
    sql = for_bigquery(view_sql("cost_by_dimension"), str(dataset), VIEWS)
    filled = with_dimensions(sql, meters, bigquery_text, _dimension)
    yield _view(dataset, "cost_by_dimension", filled)
    for meter, shape in meters.items():
        if meter not in TAKEN:
            sql = for_bigquery(_usage_of_meter(meter, shape.dimensions), str(dataset), VIEWS)
            yield _view(dataset, f"usage_{meter}", sql)


def _view(dataset: Dataset, name: str, sql: str) -> str:
    return f"CREATE OR REPLACE VIEW {dataset.table(name)} AS\n{sql}"


def _meters(meters: Mapping[str, MeterShape]) -> str:
    none = "SELECT CAST(NULL AS STRING) AS meter, CAST(NULL AS STRING) AS dimensions,"
    rows = [f"{none} CAST(NULL AS INT64) AS window_us, CAST(NULL AS STRING) AS aggregation LIMIT 0"]
    for meter, shape in meters.items():
        window = "NULL" if shape.window_us is None else str(shape.window_us)
        aggregation = "NULL" if shape.aggregation is None else bigquery_text(shape.aggregation)
        dimensions = bigquery_text(json.dumps(shape.dimensions))
        rows.append(f"SELECT {bigquery_text(meter)}, {dimensions}, {window}, {aggregation}")
    return "\nUNION ALL\n".join(f"({row})" for row in rows)


def _usage_of_meter(meter: str, dimensions: Sequence[str]) -> str:
    taken, columns = set(USAGE.names), []
    for dimension in dimensions:
        name = exp.to_identifier(_column(dimension, taken), quoted=True).sql("bigquery")
        columns.append(f"{_dimension(dimension)} AS {name},")
    template = view_sql("usage_of_meter").replace("{meter}", bigquery_text(meter))
    return template.replace("{dimensions}", "\n  ".join(columns))


def _dimension(name: str) -> str:
    path = bigquery_text(f"$.{json.dumps(name, ensure_ascii=False)}")
    return f"JSON_VALUE(dimensions, {path})"


def _column(dimension: str, taken: set[str]) -> str:
    """A name that the service takes: letters, digits and _, no digit first, none of its own."""
    plain = re.sub(r"\W", "_", dimension)[:_LONGEST]
    own = not plain or plain[0].isdigit() or plain.casefold().startswith(_RESERVED)
    return free_name(f"dimension_{plain}" if own else plain, taken)
