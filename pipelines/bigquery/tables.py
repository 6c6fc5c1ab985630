"""The tables of a dataset: how they are made, and how one that is there is brought up to date."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from pipelines.bigquery.client import ask
from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.problems import UserError
from transforms.tables import TABLES

_TYPES = {
    pa.string(): "STRING",
    pa.int64(): "INT64",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP",
    pa.decimal128(38, 18): "BIGNUMERIC(38, 18)",
}
# names that the service, or an emulator of it, gives back for the same types
_SAME = {"INTEGER": "INT64", "NUMERIC": "BIGNUMERIC", "DECIMAL": "BIGNUMERIC"}

_AWAY = "move it out of the way, or name another dataset"


@dataclass(frozen=True)
class Layout:
    """How a table is stored: a partition for each day of a column, sorted by others within."""

    about: str
    day_of: str | None
    sorted_by: tuple[str, ...] = ()


LAYOUTS = {
    "events": Layout(
        "Every valid event received, duplicates and conflicts too, as it came.",
        "event_time",
        ("customer_id", "event_type", "event_key"),
    ),
    "usage": Layout(
        "Quantities and costs for each meter, customer, dimensions, window and rate, in revisions;"
        " usage_current has those that hold.",
        "window_start",
        ("meter", "customer_id", "run_id"),
    ),
    "rejects": Layout(
        "What was refused, and why.",
        "received_at",
        ("reason", "meter", "customer_id"),
    ),
    "ledger": Layout(
        "How many events each run received, and what became of them.",
        "period_start",
        ("run_id", "meter"),
    ),
    "runs": Layout("Every run with its status; rows of batch runs show once it succeeded.", None),
}

COLUMNS = {
    "run_id": "The run that wrote the row.",
    "source": "The catalog's name for the kind of record, by which its payload is read.",
    "origin": "Where the record came from: path and byte offset, or the id of its message.",
    "event_key": "By which duplicates are found: 32 hex digits.",
    "event_id": "The id that the record gives itself.",
    "event_type": "What kind of event it is.",
    "customer_id": "Whose usage it is.",
    "event_time": "When it happened, in UTC.",
    "received_at": "When it arrived, in UTC.",
    "payload": "The record, byte for byte; of a reject only where events has none.",
    "meter": "A meter of the catalog.",
    "dimensions": "A JSON object of texts or null, keys sorted.",
    "window_start": "When the window begins, in UTC.",
    "window_end": "When the window ends, exclusive.",
    "closes_at": "Until when events of the window are taken in by a stream, by their arrival.",
    "quantity": "What was used, exactly.",
    "event_count": "How many events the quantity is of; it only grows from revision to revision.",
    "unit": "Of the quantity.",
    "rate_label": "The rate that holds; null where none does.",
    "rate_effective_from": "Since when the rate holds.",
    "unit_price": "The price of `per` units.",
    "per": "How many units the price is for.",
    "currency": "Of the price and the cost.",
    "cost": "quantity / per * unit_price, exactly; null without a rate, or where it does not fit.",
    "pane": "What wrote it: batch, or the early, on_time or late pane of a stream.",
    "written_at": "When the row was made.",
    "reason": "Why: one of a closed set, see the docs.",
    "detail": "Why, in words.",
    "period_start": "The hour of arrival.",
    "outcome": "received, accepted, duplicate, rejected; of a meter matched, metered, rejected.",
    "events": "How many events.",
    "mode": "batch or streaming.",
    "status": "running, succeeded or failed.",
    "range_start": "From when on a batch run covers events; null is from the beginning.",
    "range_end": "Until when, exclusive; null is to the end.",
    "meters": "A JSON array of the meters it ran for.",
    "started_at": "When it began.",
    "finished_at": "When it ended.",
    "catalog_digest": "Of the catalog file.",
    "rates_digest": "Of the rates.",
}


def tables_sql(dataset: Dataset) -> Iterator[str]:
    """Statements that make the tables that are missing."""
    for table, schema in TABLES.items():
        layout = LAYOUTS[table]
        columns = ",\n".join(
            f"  {_column(name, kind)}"
            for name, kind in zip(schema.names, schema.types, strict=True)
        )
        day = f"\nPARTITION BY DATE({layout.day_of})" if layout.day_of else ""
        order = f"\nCLUSTER BY {', '.join(layout.sorted_by)}" if layout.sorted_by else ""
        yield (
            f"CREATE TABLE IF NOT EXISTS {dataset.table(table)} (\n{columns}\n)"
            f"{day}{order}\nOPTIONS (description = {_text(layout.about)})"
        )


def make_tables(client: bigquery.Client, dataset: Dataset) -> list[str]:
    """Makes the tables that are missing, and adds columns to those that lack some.

    Gives what was done, in words. Raises UserError, before anything is done, for a table that
    would not take the rows: one with columns of other types, say.
    """
    lacking: dict[str, list[str] | None] = {}
    problems: list[str] = []
    for table in TABLES:
        try:
            known = client.get_table(f"{dataset}.{table}")
        except NotFound:
            lacking[table] = None
            continue
        problems += [f"{PREFIX}{dataset}: table {table} {each}" for each in _amiss(table, known)]
        found = {field.name.casefold() for field in known.schema}
        lacking[table] = [name for name in TABLES[table].names if name not in found]
    if problems:
        raise UserError(problems)
    done = []
    statements = dict(zip(TABLES, tables_sql(dataset), strict=True))
    for table, columns in lacking.items():
        if columns is None:
            ask(client, statements[table])
            done.append(f"made table {table}")
            continue
        for name in columns:
            added = f"ADD COLUMN IF NOT EXISTS {_column(name, TABLES[table].field(name).type)}"
            ask(client, f"ALTER TABLE {dataset.table(table)} {added}")
            done.append(f"added column {name} to table {table}")
    return done


def _amiss(table: str, known: bigquery.Table) -> Iterator[str]:
    """Why a table that is there would not take the rows."""
    if known.table_type != "TABLE":
        yield f"is a {known.table_type.lower().replace('_', ' ')}; {_AWAY}"
        return
    own = {column.name: _plain(_TYPES[column.type]) for column in TABLES[table]}
    for field in known.schema:
        wanted = own.get(field.name.casefold())  # the service does not tell cases apart
        if wanted is None:
            if field.mode == "REQUIRED":
                yield f"wants a value in its column {field.name}, which is not of this product"
        elif _plain(field.field_type) != wanted or field.mode == "REPEATED":
            kind = f"{field.mode} {field.field_type}".removeprefix("NULLABLE ")
            yield f"has a column {field.name} of type {kind}, where {wanted} is wanted; {_AWAY}"
        elif field.mode == "REQUIRED":  # a load would have to change it
            loose = f"ALTER TABLE {known.table_id} ALTER COLUMN {field.name} DROP NOT NULL"
            yield f"has a column {field.name} that is REQUIRED; make it nullable: {loose}"


def _column(name: str, kind: pa.DataType) -> str:
    return f"{name} {_TYPES[kind]} OPTIONS (description = {_text(COLUMNS[name])})"


def _plain(kind: str) -> str:
    name = kind.partition("(")[0]
    return _SAME.get(name, name)


def _text(words: str) -> str:
    return "'" + words.replace("\\", "\\\\").replace("'", "\\'") + "'"
