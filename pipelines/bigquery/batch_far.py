"""Batch runs into BigQuery whose graph runs on other machines, on Dataflow for one.

Their files never come here. Rows go to the tables from where they are made, as those of a stream
do, and are in no view: the last step of the graph checks all that must hold of a run, then writes
that it succeeded, which shows all of it at once. So a launch may return when the job is on its way.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions
from apache_beam.runners.runner import PipelineState
from google.cloud import bigquery

from pipelines import runs
from pipelines.beam_options import engine_of
from pipelines.bigquery import finished, registry
from pipelines.bigquery.client import SERVICE_ERRORS, connected
from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.bigquery.registry import Known
from pipelines.bigquery.show_run import ShowRun, ended
from pipelines.bigquery.tables import make_tables
from pipelines.bigquery.views import write_views
from pipelines.bigquery.write_stream import WriteBigQuery
from pipelines.far_engine import FarEngine
from pipelines.far_job import FarJob, JobGoesOnError, words_of
from pipelines.metering import build
from pipelines.notices import notify
from pipelines.problems import JobFailedError, UserError
from pipelines.run import begun, failure, job_of, wait_for_streams
from pipelines.settings import Settings
from pipelines.summary import Summary
from pipelines.views import shapes
from transforms.spill import IN_MEMORY
from transforms.whereabouts import command_is_at

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
    engine = FarEngine.of_batch(options)
    pipeline = engine.pipeline()
    with connected(dataset) as client:
        make_tables(client, dataset)
        earlier = _earlier(client, dataset, asked)
        records = [begun(each, run_id) for each, run_id in zip(asked, earlier, strict=True)]
        write_views(client, dataset, shapes(asked[0].catalog.meters))
        _begin_all(client, dataset, records, earlier)
    command_is_at(records[0].run_id if len(records) == 1 else None)
    both = list(zip(asked, records, strict=True))
    try:
        wait_for_streams(asked[0])
        add_runs(pipeline, dataset, both)
        job = engine.begin(pipeline)
        if not engine.is_left_alone:
            _wait(job, records[0].run_id)
    except JobGoesOnError:  # its last step may show what it does
        raise
    except BaseException as error:
        raise _given_up(dataset, [ShowRun.of(dataset, *each) for each in both], error) from error
    if engine.is_left_alone:
        _tell(job, records, dataset)
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


def _earlier(
    client: bigquery.Client, dataset: Dataset, asked: Sequence[Settings]
) -> dict[str, list[Known]]:
    """The ids of the runs, in their order, and what earlier attempts at each said of themselves."""
    earlier: dict[str, list[Known]] = {}
    for each in asked:
        run_id = each.asked.run_id or runs.new_run_id(datetime.now(UTC))
        runs.check_legal(run_id)
        earlier[run_id] = registry.known(client, dataset, run_id)
        said = [(attempt.mode, attempt.status) for attempt in earlier[run_id]]
        runs.check_statuses(run_id, "batch", said)
    return earlier


def _begin_all(
    client: bigquery.Client,
    dataset: Dataset,
    records: Sequence[runs.Run],
    earlier: Mapping[str, Sequence[Known]],
) -> None:
    """Notes that the runs begin: all of them or none."""
    noted: list[runs.Run] = []
    try:
        for record in records:
            registry.begin_run(client, dataset, record, earlier[record.run_id])
            noted.append(record)
    except BaseException:
        for record in noted:
            registry.forget(client, dataset, record)
        raise


def _wait(job: FarJob, run_id: str) -> None:
    state = job.wait_for_batch()
    if state not in (PipelineState.DONE, None):  # None: a runner that does not say
        raise JobFailedError(f"run {run_id} ended as {state}")


def _tell(job: FarJob, records: Sequence[runs.Run], dataset: Dataset) -> None:
    named = ", ".join(record.run_id for record in records)
    notify(
        f"run {named} begins {job.about}; when all of it holds, its last step shows it in"
        f" {PREFIX}{dataset}: until then its status in runs is `running`"
    )


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
