"""The runs of a dataset: what they say of themselves, and what one not yet shown would cover."""

import json
import logging
import tempfile
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
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


class Known(NamedTuple):
    """What a run says of itself; meters as JSON."""

    mode: str
    status: str
    catalog_digest: str
    meters: str


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
    """Whether a run has counted nothing."""
    sql = f"SELECT COUNT(*) FROM {dataset.table('ledger')} WHERE run_id = @run"  # noqa: S608 - names of ours
    ((rows,),) = (tuple(row) for row in ask(client, sql, with_values(run=run_id)))
    return not rows


def clear_run(client: bigquery.Client, dataset: Dataset, run_id: str) -> None:
    """Remove every row of a run, its rows in `runs` last: cut short, it can be done again."""
    for table in sorted(TABLES, key=lambda table: table == "runs"):
        sql = f"DELETE FROM {dataset.table(table)} WHERE run_id = @run"  # noqa: S608 - names of ours
        ask(client, sql, with_values(run=run_id))


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


def with_values(**given: str) -> bigquery.QueryJobConfig:
    """Values of a statement's parameters."""
    return bigquery.QueryJobConfig(
        query_parameters=[
            bigquery.ScalarQueryParameter(name, "STRING", value) for name, value in given.items()
        ]
    )
