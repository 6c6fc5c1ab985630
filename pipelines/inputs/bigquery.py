"""The table `events` of a dataset as input: read as an earlier output in a folder is.

Events are those of batch runs that succeeded and of all streaming runs, at one moment.
"""

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from google.api_core.exceptions import ClientError
from google.cloud import bigquery

from pipelines.bigquery.client import SERVICE_ERRORS, ask, connected
from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.inputs.bigquery_rows import DAYS, Reading, Snapshot, spool
from pipelines.inputs.block import Block, InputReadError
from pipelines.inputs.event_files import EVENT_COLUMNS, Amount, Needed, read_events
from pipelines.inputs.find import InputErrors
from pipelines.problems import JobFailedError, UserError

_NAME = "events"
_KINDS = {"event_time": "TIMESTAMP", "received_at": "TIMESTAMP"}  # the others are STRING
_EPOCH = date(1970, 1, 1)
_SHOWN = "(SELECT run_id FROM {runs} WHERE mode = 'streaming' OR status = 'succeeded')"


@dataclass(frozen=True)
class _Run:
    """A run whose events count: its id, and the digest of its catalog."""

    run_id: str
    digest: str | None


def find_table(text: str) -> tuple[str, int]:
    """The events that are named as bigquery://project.dataset.events, and their bytes as stored.

    Raises InputErrors.
    """
    try:
        dataset = _dataset(text)
        with connected(dataset) as client:
            tables = [_table(client, dataset, name) for name in (_NAME, "runs")]
    except (UserError, JobFailedError) as error:
        raise InputErrors(getattr(error, "problems", [str(error)])) from None
    problems = [f"{text}: {problem}" for problem in _amiss(tables[0])]
    if problems:
        raise InputErrors(problems)
    return f"{PREFIX}{dataset}.{_NAME}", tables[0].num_bytes or 0


def fix_table(path: str, needed: Needed | None = None) -> Reading:
    """What a run reads of a dataset that begins now: the events of this moment.

    However often and wherever they are read then, they are the same. Raises InputReadError.
    """
    with _asked(path) as (client, dataset):
        runs, moment = _runs(client, dataset)
        wanted = _known_to_be_enough(client, dataset, runs, needed)
        days = tuple(_days_beside(client, dataset, wanted)) if wanted else None
        snapshot = Snapshot(dataset, _NAME, moment, frozenset(run.run_id for run in runs))
        return Reading(snapshot, wanted, days)


def read_table(path: str, block_bytes: int, reading: Reading) -> Iterator[Block]:
    """Events of a dataset; see `read_events`.

    The columns that are needed are put into Parquet files first, in a temporary folder: it takes
    about as much room as the payloads take compressed. Raises InputReadError.
    """
    with tempfile.TemporaryDirectory(prefix="meterbeam-") as folder:
        with _told(path):
            files = spool(reading, Path(folder))
        yield from read_events(path, files, block_bytes, reading.needed)


def amount(path: str, needed: Needed | None) -> Amount:
    """How much there is to read: the bytes are those that the service says a query would read."""
    with _asked(path) as (client, dataset):
        runs, _ = _runs(client, dataset)
        wanted = _known_to_be_enough(client, dataset, runs, needed)
        range_sql, ends = _range(wanted)
        ((events,),) = _query(client, dataset, _COUNT.replace("{range}", range_sql), ends)
        size = _dry_run(client, dataset, _READ.replace("{range}", range_sql), ends)
        if size or not events:
            return Amount(events, size, "of the windows, as a dry run of the service says")
        sql = _PAYLOADS.replace("{range}", range_sql)
        ((size,),) = _query(client, dataset, sql, ends)
        return Amount(events, size or 0, "of payloads: the service gives no estimate")


def clock_arrivals(path: str, sources_with_recorded_arrival: Collection[str]) -> bool:
    """Whether there are events that arrived by the clock of a batch run, when it began."""
    recorded = list(sources_with_recorded_arrival)
    given = [bigquery.ArrayQueryParameter("recorded", "STRING", recorded)]
    with _asked(path) as (client, dataset):
        return bool(_query(client, dataset, _CLOCKED, given))


def sources(path: str) -> set[str]:
    """The names of the sources that the events are of."""
    with _asked(path) as (client, dataset):
        return {name for (name,) in _query(client, dataset, _SOURCES)}


def is_live(path: str) -> bool:
    """Whether a stream may be writing into the dataset."""
    with _asked(path) as (client, dataset):
        return bool(_query(client, dataset, _LIVE))


_SOURCES = f"SELECT DISTINCT source FROM {{events}} WHERE run_id IN {_SHOWN}"  # noqa: S608 - ours
_SOURCES_OF = "SELECT DISTINCT source FROM {events} WHERE run_id IN UNNEST(@runs)"
_LIVE = (
    "SELECT run_id FROM {runs} WHERE mode = 'streaming' GROUP BY run_id"
    " HAVING COUNT(finished_at) = 0"
)
_CLOCKED = f"""
SELECT 1 FROM {{events}}
WHERE run_id IN {_SHOWN} AND source NOT IN UNNEST(@recorded)
  AND received_at IN (SELECT started_at FROM {{runs}} WHERE mode = 'batch')
LIMIT 1
"""  # noqa: S608 - names of ours
# what is in a range, and what has a key of that
_WITH_KEYS = f"""
run_id IN {_SHOWN} AND event_key IN (
  SELECT event_key FROM {{events}} WHERE run_id IN {_SHOWN} AND {{range}}
)
"""  # noqa: S608 - names of ours
_COUNT = f"""
SELECT COUNT(*) FROM (
  SELECT DISTINCT source, origin, event_key, event_time FROM {{events}} WHERE {_WITH_KEYS}
)
"""  # noqa: S608 - names of ours
_DAYS = f"""
SELECT DISTINCT DATE(event_time) FROM {{events}} WHERE NOT ({{range}}) AND {_WITH_KEYS}
LIMIT {DAYS + 1}
"""  # noqa: S608 - names of ours
_READ = f"SELECT run_id, {', '.join(EVENT_COLUMNS)} FROM {{events}} WHERE {{range}}"  # noqa: S608 - ours
_PAYLOADS = f"SELECT SUM(BYTE_LENGTH(payload)) FROM {{events}} WHERE {_WITH_KEYS}"  # noqa: S608 - ours


def _dataset(text: str) -> Dataset:
    """The dataset whose events are named. Raises UserError."""
    name, _, table = text.rpartition(".")
    if table != _NAME or "." not in name:
        raise UserError(f"{text}: events are named as bigquery://project.dataset.events")
    return Dataset.of(name)


def _table(client: bigquery.Client, dataset: Dataset, name: str) -> bigquery.Table:
    try:
        return client.get_table(f"{dataset}.{name}")
    except ClientError as error:
        raise UserError(
            f"{PREFIX}{dataset}.{name}: {error.message}\nname the events of a dataset that runs"
            " write into; they make its tables, as does `meterbeam tables`"
        ) from None


def _amiss(table: bigquery.Table) -> Iterator[str]:
    found = {field.name.casefold(): field.field_type for field in table.schema}
    for name in ("run_id", *EVENT_COLUMNS):
        kind, wanted = found.get(name), _KINDS.get(name, "STRING")
        if kind is None:
            yield f"has no column {name}; name a table that runs wrote"
        elif kind != wanted:
            yield f"has a column {name} of type {kind}, where {wanted} is wanted"


@contextmanager
def _asked(path: str) -> Iterator[tuple[bigquery.Client, Dataset]]:
    """A client for the dataset of an input; what goes wrong becomes an InputReadError."""
    dataset = _dataset(path)
    with _told(path), connected(dataset) as client:
        yield client, dataset


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except (UserError, JobFailedError, *SERVICE_ERRORS) as error:
        raise InputReadError(f"{path} cannot be read: {error}") from error


def _runs(client: bigquery.Client, dataset: Dataset) -> tuple[list[_Run], datetime]:
    """The runs that count, and the service's time then: so long all of their events are there."""
    rows = _query(
        client,
        dataset,
        "SELECT run_id, MAX(catalog_digest), COUNT(DISTINCT catalog_digest) FROM {runs}"
        " WHERE mode = 'streaming' OR status = 'succeeded' GROUP BY run_id",
    )
    ((moment,),) = _query(client, dataset, "SELECT CURRENT_TIMESTAMP()")
    return [_Run(run_id, digest if n == 1 else None) for run_id, digest, n in rows], moment


def _known_to_be_enough(
    client: bigquery.Client, dataset: Dataset, runs: list[_Run], needed: Needed | None
) -> Needed | None:
    others = [run.run_id for run in runs if needed and run.digest != needed.digest]
    if not needed or not others:
        return needed
    given = [bigquery.ArrayQueryParameter("runs", "STRING", others)]
    found = {name for (name,) in _query(client, dataset, _SOURCES_OF, given)}
    return needed if found <= needed.fixed else None


def _days_beside(client: bigquery.Client, dataset: Dataset, needed: Needed) -> list[int]:
    """The days (since the epoch) outside a range that have events with a key of one inside."""
    range_sql, ends = _range(needed)
    days = _query(client, dataset, _DAYS.replace("{range}", range_sql), ends)
    return sorted((day - _EPOCH).days for (day,) in days)


def _range(needed: Needed | None) -> tuple[str, list[Any]]:
    """A range of event times as a condition, and its parameters."""
    if needed is None:
        return "TRUE", []
    ends = {"start": (">=", needed.start_us), "end": ("<", needed.end_us)}
    given = {name: each for name, each in ends.items() if each[1] is not None}
    parts = [f"event_time {sign} TIMESTAMP_MICROS(@{name})" for name, (sign, _) in given.items()]
    return " AND ".join(parts) or "TRUE", [
        bigquery.ScalarQueryParameter(name, "INT64", at) for name, (_, at) in given.items()
    ]


def _dry_run(client: bigquery.Client, dataset: Dataset, sql: str, given: list[Any]) -> int:
    """The bytes that a query would read, if the service says."""
    config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False, query_parameters=given)
    return client.query(_named(sql, dataset), job_config=config).total_bytes_processed or 0


def _query(
    client: bigquery.Client, dataset: Dataset, sql: str, given: list[Any] | None = None
) -> list[tuple[Any, ...]]:
    config = bigquery.QueryJobConfig(query_parameters=given or [])
    rows = ask(client, _named(sql, dataset), config)
    return [row.values() for row in rows]


def _named(sql: str, dataset: Dataset) -> str:
    return sql.format(events=dataset.table(_NAME), runs=dataset.table("runs"))
