"""A batch run whose tables are in BigQuery.

It runs into a folder of its own, where all that must hold of a run is checked, then loads the files
of that folder. Its rows are in no view until its row in `runs` says that it succeeded, and that is
loaded last: so all of a run is shown at once, or nothing.
"""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from google.cloud import bigquery

from pipelines import runs, warehouse
from pipelines.bigquery import registry, staging
from pipelines.bigquery.batch_far import run_far, runs_far
from pipelines.bigquery.client import SERVICE_ERRORS, connected
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.load import load_table, wait_for_earlier
from pipelines.bigquery.staging import Bucket
from pipelines.bigquery.tables import make_tables
from pipelines.bigquery.views import write_views
from pipelines.covered import overlap
from pipelines.problems import JobFailedError
from pipelines.run import failure, run_batch
from pipelines.settings import Settings
from pipelines.summary import Summary
from pipelines.views import shapes
from transforms.whereabouts import command_is_at

_LOG = logging.getLogger(__name__)
_LOADED = ("events", "usage", "rejects", "ledger")


def run_into(
    dataset: Dataset, settings: Settings, options: PipelineOptions, *, quiet: bool = False
) -> Summary | None:
    """Runs the graph over files and loads what it writes; gives nothing of a job that is launched.

    Raises UserError before anything is written, and JobFailedError, after which nothing of the run
    is visible and a rerun with the same run id starts clean.
    """
    if runs_far(options):
        return next(iter(run_far(dataset, [settings], options)), None)
    run_id = settings.asked.run_id or runs.new_run_id(datetime.now(UTC))
    runs.check_legal(run_id)
    command_is_at(run_id)
    temp = options.view_as(GoogleCloudOptions).temp_location
    staging.check(dataset, temp)
    with connected(dataset) as client:
        make_tables(client, dataset)
        if settings.asked.run_id:
            wait_for_earlier(client, run_id)
        earlier = registry.known(client, dataset, run_id)
        runs.check_statuses(run_id, "batch", [(each.mode, each.status) for each in earlier])
        asked = replace(settings.asked, run_id=run_id)
        with staging.staged(dataset, run_id, temp) as (folder, bucket):
            staged = replace(settings, asked=asked, output=folder, max_rejects=None)
            summary = run_batch(staged, options, quiet=quiet)
            if settings.max_rejects is not None:
                _check_rejects(folder, summary, settings.max_rejects)
            write_views(client, dataset, shapes(settings.catalog.meters))
            running = replace(summary.run, status="running", finished_at=None)
            registry.begin_run(client, dataset, running, earlier)
            _load(client, dataset, settings, summary.run, folder, bucket=bucket)
            _clear(bucket)
    return summary


def _check_rejects(folder: Path, summary: Summary, most: Decimal) -> None:
    """The share of rejects, told without the files of a folder that will be gone."""
    run_id = summary.run.run_id
    with warehouse.connect(folder, pending=run_id) as pending:
        received, rejected = runs.rejected(pending, run_id)
    if rejected > most * received:
        named = ", ".join(
            f"{reason}{f' ({meter})' if meter else ''} {events:,}"
            for reason, meter, events in summary.rejects
        )
        raise JobFailedError(
            f"run {summary.run.run_id}: {rejected:,} rejects of {received:,} records received are"
            f" more than --max-rejects {most * 100:f}%: {named}; nothing was loaded"
        )


def _load(
    client: bigquery.Client,
    dataset: Dataset,
    settings: Settings,
    run: runs.Run,
    folder: Path,
    *,
    bucket: Bucket | None,
) -> None:
    try:
        for table in _LOADED:
            load_table(client, dataset, table, run, folder / table / run.run_id, bucket=bucket)
        if not settings.takes_place:
            _check_overlap(client, dataset, run)
    except BaseException as error:
        registry.write_failed(client, dataset, run)
        raise error if isinstance(error, SERVICE_ERRORS) else failure(run, error) from error
    registry.write_run(client, dataset, replace(run, finished_at=datetime.now(UTC)))


def _clear(bucket: Bucket | None) -> None:
    """Removes the files of a run that has succeeded, which it is even where they stay."""
    try:
        if bucket:
            bucket.clear()
    except SERVICE_ERRORS as error:
        _LOG.warning("temporary files stay in %s: %s", bucket, error)


def _check_overlap(client: bigquery.Client, dataset: Dataset, run: runs.Run) -> None:
    covered = registry.windows_already_covered(client, dataset, run.run_id)
    if covered:
        raise overlap(run.run_id, covered)
