"""The runs of a dataset: what they say of themselves, and what one not yet shown would cover."""

import json
import logging
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery

from pipelines.bigquery.client import SERVICE_ERRORS, ask, connected
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.load import load_table
from pipelines.bigquery.views import with_pending
from pipelines.covered import COVERED, CoveredWindows, named_windows
from pipelines.problems import JobFailedError, UserError
from pipelines.runs import Begun, Run
from transforms.tables import RUNS, TABLES

_LOG = logging.getLogger(__name__)
_FILLED = tuple(table for table in TABLES if table != "runs")
_BUFFER = "streaming buffer"  # in the service's words against changes of rows that are new


class Known(NamedTuple):
    """What a run says of itself; meters as JSON."""

    mode: str
    status: str
    catalog_digest: str
    meters: str
    started_at: datetime


def statuses(client: bigquery.Client, dataset: Dataset, run_id: str) -> list[tuple[str, str]]:
    """Mode and status of a run, as often as it said them."""
    return [(each.mode, each.status) for each in known(client, dataset, run_id)]


def known(client: bigquery.Client, dataset: Dataset, run_id: str) -> list[Known]:
    """What a run says of itself, as often as it said it."""
    names = ", ".join(Known._fields)
    sql = f"SELECT {names} FROM {dataset.table('runs')} WHERE run_id = @run"  # noqa: S608 - names of ours
    return [Known(*row) for row in ask(client, sql, with_values(run=run_id))]


def is_latest(client: bigquery.Client, dataset: Dataset, run: Run) -> bool:
    """Whether no later attempt at a run has begun."""
    sql = f"SELECT MAX(started_at) FROM {dataset.table('runs')} WHERE run_id = @run"  # noqa: S608 - names of ours
    ((latest,),) = (tuple(row) for row in ask(client, sql, with_values(run=run.run_id)))
    return bool(latest == run.started_at)


def is_empty(client: bigquery.Client, dataset: Dataset, run_id: str) -> bool:
    """Whether no table has a row of a run, but for `runs`."""
    rows = " UNION ALL ".join(
        f"(SELECT 1 FROM {dataset.table(table)} WHERE run_id = @run LIMIT 1)"  # noqa: S608 - names of ours
        for table in _FILLED
    )
    return not list(ask(client, rows, with_values(run=run_id)))


def begin_run(
    client: bigquery.Client, dataset: Dataset, run: Run, earlier: Iterable[Known]
) -> None:
    """Write that an attempt at a run begins, and remove what those before it (`earlier`) left.

    Raises JobFailedError, after which nothing of this attempt is there, where another began
    meanwhile: of two that begin at once, the one that writes later sees the other, or both do.
    """
    write_run(client, dataset, run)
    before = {each.started_at for each in earlier}
    try:
        _check_alone(client, dataset, run, before)
        if before:
            clear_run(client, dataset, run.run_id, but=run)
    except BaseException:
        forget(client, dataset, run)
        raise


def _check_alone(
    client: bigquery.Client, dataset: Dataset, run: Run, before: set[datetime]
) -> None:
    others = {each.started_at for each in known(client, dataset, run.run_id)} - before
    if others != {run.started_at}:
        raise JobFailedError(
            f"run {run.run_id}: another command begins it at this moment, so this one does not; see"
            " what becomes of that, or take another run id"
        )


def forget(client: bigquery.Client, dataset: Dataset, run: Run) -> None:
    """Remove what an attempt at a run said of itself; where that fails, it stays there."""
    sql = f"DELETE FROM {dataset.table('runs')} WHERE run_id = @run AND started_at = @at"  # noqa: S608 - names of ours
    try:
        ask(client, sql, with_values(run=run.run_id, at=run.started_at))
    except SERVICE_ERRORS as error:
        _LOG.warning("an attempt at run %s stays in runs: %s", run.run_id, error)


def clear_run(
    client: bigquery.Client, dataset: Dataset, run_id: str, *, but: Run | None = None
) -> None:
    """Remove every row of a run, its rows in `runs` last: cut short, it can be done again.

    What an attempt (`but`) said of itself stays. Raises JobFailedError where the service keeps rows
    that were written a moment ago.
    """
    given = with_values(run=run_id, but=but.started_at if but else None)
    try:
        for table in _FILLED:
            ask(client, f"DELETE FROM {dataset.table(table)} WHERE run_id = @run", given)  # noqa: S608 - names of ours
        own = "run_id = @run AND (@but IS NULL OR started_at <> @but)"
        ask(client, f"DELETE FROM {dataset.table('runs')} WHERE {own}", given)  # noqa: S608 - names of ours
    except BadRequest as error:
        if _BUFFER not in error.message:
            raise
        raise JobFailedError(
            f"run {run_id}: the rows of an earlier attempt cannot be removed yet: {error.message}\n"
            "they are in no view; take another run id, or begin this one again in half an hour"
        ) from error


def begun(client: bigquery.Client, dataset: Dataset, run_id: str) -> Begun | None:
    """What is known of a stream that goes on; None for one that is new."""
    sql = f"SELECT started_at, status FROM {dataset.table('runs')} WHERE run_id = @run"  # noqa: S608 - names of ours
    rows = [tuple(row) for row in ask(client, sql, with_values(run=run_id))]
    if not rows:
        return None
    return Begun(min(at for at, _ in rows), any(status == "succeeded" for _, status in rows))


def forget_end(client: bigquery.Client, dataset: Dataset, run_id: str) -> None:
    """Remove what a run said when it ended: it runs again."""
    sql = f"DELETE FROM {dataset.table('runs')} WHERE run_id = @run AND status <> 'running'"  # noqa: S608 - names of ours
    ask(client, sql, with_values(run=run_id))


def write_run(client: bigquery.Client, dataset: Dataset, run: Run) -> None:
    """Write the status of a run: the rows of a batch run that succeeded are shown from now on."""
    row = {**asdict(run), "meters": json.dumps(run.meters)}
    with tempfile.TemporaryDirectory(prefix="meterbeam-") as folder:
        table = pa.Table.from_pylist([row], schema=RUNS)
        pq.write_table(table, Path(folder) / "row.parquet")
        load_table(client, dataset, "runs", run, Path(folder))


def write_failed(client: bigquery.Client, dataset: Dataset, run: Run) -> None:
    """Write that a run failed; where even that cannot be written, it stays one that is running."""
    try:
        write_run(client, dataset, replace(run, status="failed", finished_at=datetime.now(UTC)))
    except (JobFailedError, *SERVICE_ERRORS) as error:
        _LOG.warning("the failure of run %s could not be noted: %s", run.run_id, error)


def write_failed_anew(dataset: Dataset, run: Run) -> None:
    """The same over a connection of its own."""
    try:
        with connected(dataset) as client:
            write_run(client, dataset, run)
    except (JobFailedError, UserError) as error:
        _LOG.warning("the failure of run %s could not be noted: %s", run.run_id, error)


def windows_already_covered(
    client: bigquery.Client, dataset: Dataset, run_id: str
) -> CoveredWindows:
    """As in pipelines/runs.py, for a run whose rows are loaded and which has not succeeded yet."""
    sql = with_pending(COVERED, dataset, run_id)
    rows = [tuple(row) for row in ask(client, sql, with_values(run=run_id))]
    return named_windows(rows)


def with_values(**given: str | datetime | None) -> bigquery.QueryJobConfig:
    """Values of a statement's parameters: texts, and moments, of which there may be none."""
    return bigquery.QueryJobConfig(
        query_parameters=[
            bigquery.ScalarQueryParameter(
                name, "STRING" if isinstance(value, str) else "TIMESTAMP", value
            )
            for name, value in given.items()
        ]
    )
