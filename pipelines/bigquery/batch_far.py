"""Batch runs into BigQuery whose graph runs on other machines, on Dataflow for one.

Their files never come here. Rows go to the tables from where they are made, as those of a stream
do, and are in no view: the last step of the graph checks all that must hold of a run, then writes
that it succeeded, which shows all of it at once. So a launch may return when the job is on its way.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions
from apache_beam.runners.runner import PipelineState
from google.cloud import bigquery

from pipelines import runs
from pipelines.beam_options import engine_of, is_launch
from pipelines.bigquery import finished, registry
from pipelines.bigquery.client import SERVICE_ERRORS, connected
from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.bigquery.show_run import ShowRun, ended
from pipelines.bigquery.tables import make_tables
from pipelines.bigquery.views import write_views
from pipelines.bigquery.write_stream import WriteBigQuery
from pipelines.far_engine import JobGoesOnError, check_image, pipeline_of, words_of
from pipelines.metering import build
from pipelines.problems import JobFailedError, UserError
from pipelines.run import begun, failure, job_of, wait_for_streams
from pipelines.settings import Settings
from pipelines.summary import Summary
from pipelines.views import shapes
from transforms.spill import IN_MEMORY

_LOG = logging.getLogger(__name__)
_HERE = ("fnapi", "direct", "bundlebaseddirect", "switchingdirect", "prism")
_ANYWHERE = ("gs://", PREFIX)


def runs_far(options: PipelineOptions) -> bool:
    """Whether the graph of a batch run leaves this machine, as far as its options tell."""
    there = options.view_as(PortableOptions).job_endpoint is not None
    return there or engine_of(options, _HERE[0]) not in _HERE


def run_far(dataset: Dataset, asked: Sequence[Settings], options: PipelineOptions) -> list[Summary]:
    """Runs one graph for all these runs and tells what they did, or nothing if it was launched.

    Raises UserError before anything is written, and JobFailedError, after which nothing of what
    failed is visible.
    """
    _check_inputs(asked, options)
    pipeline = pipeline_of(options)
    with connected(dataset) as client:
        make_tables(client, dataset)
        records = _records(client, dataset, asked)
        write_views(client, dataset, shapes(asked[0].catalog.meters))
        for record in records:
            registry.write_run(client, dataset, record)
    both = list(zip(asked, records, strict=True))
    try:
        wait_for_streams(asked[0])
        add_runs(pipeline, dataset, both)
        _run_graph(pipeline, records[0].run_id, options)
    except JobGoesOnError:
        raise
    except BaseException as error:
        raise _given_up(dataset, [ShowRun.of(dataset, *each) for each in both], error) from error
    if is_launch(options):
        return []
    with connected(dataset) as client:
        done = [ended(record, "succeeded") for record in records]
        return [finished.summarize(client, dataset, record) for record in done]


def launch_nothing(options: PipelineOptions) -> None:
    """Makes a job that does nothing: a launch without a job is a failed one."""
    pipeline = beam.Pipeline(options=options)
    pipeline | "Nothing to do" >> beam.Create([], reshuffle=False)
    pipeline.run()


def _check_inputs(asked: Sequence[Settings], options: PipelineOptions) -> None:
    """On Dataflow nothing of this machine can be read; another engine may share its files."""
    if engine_of(options) != "dataflow":
        return
    paths = {file.path for each in asked for file in each.inputs}
    local = sorted(path for path in paths if not path.startswith(_ANYWHERE))
    if local:
        raise UserError(
            [f"--input {path}: Dataflow reads gs:// and bigquery:// only" for path in local]
        )
    check_image(options)


def _records(
    client: bigquery.Client, dataset: Dataset, asked: Sequence[Settings]
) -> list[runs.Run]:
    """What runs say of themselves; of earlier attempts at them nothing is left."""
    ids = [each.asked.run_id or runs.new_run_id(datetime.now(UTC)) for each in asked]
    said = {run_id: registry.statuses(client, dataset, run_id) for run_id in ids}
    for run_id in ids:
        runs.check_legal(run_id)
        runs.check_statuses(run_id, "batch", said[run_id])
    for run_id in ids:
        if said[run_id]:
            registry.clear_run(client, dataset, run_id)
    return [begun(each, run_id) for each, run_id in zip(asked, ids, strict=True)]


def _run_graph(pipeline: beam.Pipeline, run_id: str, options: PipelineOptions) -> None:
    result = pipeline.run()
    if is_launch(options):
        return
    try:
        state = result.wait_until_finish()
    except KeyboardInterrupt:
        try:
            result.cancel()
        except Exception as error:  # each runner's client fails in kinds of its own
            raise JobGoesOnError(
                f"run {run_id}: its job goes on, as it could not be cancelled: {words_of(error)}"
            ) from error
        raise
    if state not in (PipelineState.DONE, None):  # None: a runner that does not say
        raise JobFailedError(f"run {run_id} ended as {state}")


def _given_up(dataset: Dataset, shows: Sequence[ShowRun], error: BaseException) -> JobFailedError:
    """Notes which runs failed; what the first of them failed by, as far as it is known here."""
    first = shows[0].record
    told = failure(first, error)
    if isinstance(error, Exception) and not isinstance(error, JobFailedError):
        told = JobFailedError(f"run {first.run_id} failed: {words_of(error)}")
    try:
        with connected(dataset) as client:
            reasons = [show.give_up(client) for show in shows]
    except (JobFailedError, UserError, *SERVICE_ERRORS) as unknown:
        _LOG.warning("the failure of run %s could not be noted: %s", first.run_id, unknown)
        return told
    return next(filter(None, reasons), told)


def add_runs(
    pipeline: beam.Pipeline, dataset: Dataset, runs_asked: Sequence[tuple[Settings, runs.Run]]
) -> None:
    """Adds the graphs of runs to a pipeline, which go on beside each other."""
    for number, (settings, record) in enumerate(runs_asked, start=1):
        pipeline | f"Run {number}" >> _FarRun(dataset, settings, record)


@dataclass
class _FarRun(beam.PTransform):
    """The graph of a run, and behind it what shows it; gives out how many rows were written."""

    dataset: Dataset
    settings: Settings
    record: runs.Run

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        """Wires them. Until every row is written nothing comes to the last step."""
        written: list[beam.PCollection] = []
        settings, record = self.settings, self.record

        def write(table: str) -> beam.PTransform:
            return _Noted(WriteBigQuery(self.dataset, table, record.run_id), written)

        build(pbegin, job_of(settings, record, IN_MEMORY, write))
        show = ShowRun.of(self.dataset, settings, record)
        rows = written | "Written" >> beam.Flatten()
        return rows | "All rows" >> beam.CombineGlobally(sum) | "Show" >> beam.ParDo(show)


class _Noted(beam.PTransform):
    """A transform whose output is noted when it is wired."""

    def __init__(self, inner: beam.PTransform, noted: list[beam.PCollection]) -> None:
        super().__init__()
        self._inner, self._noted = inner, noted

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """The inner one's."""
        given = pcoll | self._inner
        self._noted.append(given)
        return given
