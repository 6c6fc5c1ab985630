"""Batch runs into BigQuery whose graph runs on other machines, on Dataflow for one.

Their files never come here. Rows go to the tables from where they are made, as those of a stream
do, and are in no view: the last step of the graph checks all that must hold of a run, then writes
that it succeeded, which shows all of it at once. So a launch may return when the job is on its way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineState
from google.cloud import bigquery

from pipelines import runs
from pipelines.bigquery import finished, registry
from pipelines.bigquery.client import connected
from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.bigquery.tables import make_tables
from pipelines.bigquery.views import write_views
from pipelines.bigquery.write_stream import WriteBigQuery
from pipelines.metering import build
from pipelines.problems import JobFailedError, UserError
from pipelines.run import begun, failure, job_of, overlap, wait_for_streams
from pipelines.settings import Settings
from pipelines.stream_output import too_many
from pipelines.summary import Summary
from pipelines.views import shapes
from transforms.spill import IN_MEMORY

_HERE = ("fnapi", "direct", "bundlebaseddirect", "switchingdirect", "prism")
_ANYWHERE = ("gs://", PREFIX)


def runs_far(options: PipelineOptions) -> bool:
    """Whether the graph of a batch run leaves this machine, as far as its options tell."""
    runner = (options.view_as(StandardOptions).runner or _HERE[0]).rpartition(".")[2].lower()
    there = options.view_as(PortableOptions).job_endpoint is not None
    return there or runner.removesuffix("runner") not in _HERE


def is_launch(options: PipelineOptions) -> bool:
    """Whether a job is only to be made, for a template's launcher to submit."""
    return options.view_as(GoogleCloudOptions).template_location is not None


def run_far(dataset: Dataset, asked: Sequence[Settings], options: PipelineOptions) -> list[Summary]:
    """Runs one graph for all these runs and tells what they did, or nothing if it was launched.

    Raises UserError before anything is written, and JobFailedError, after which nothing of what
    failed is visible.
    """
    _check_inputs(asked, options)
    with connected(dataset) as client:
        make_tables(client, dataset)
        records = [_record(client, dataset, each) for each in asked]
        write_views(client, dataset, shapes(asked[0].catalog.meters))
        for record in records:
            registry.write_run(client, dataset, record)
    try:
        wait_for_streams(asked[0])
        _run_graph(dataset, list(zip(asked, records, strict=True)), options)
    except BaseException as error:
        for record in records:
            registry.write_failed_anew(dataset, _ended(record, "failed"))
        raise failure(records[0], error) from error
    if is_launch(options):
        return []
    with connected(dataset) as client:
        done = [_ended(record, "succeeded") for record in records]
        return [finished.summarize(client, dataset, record) for record in done]


def launch_nothing(options: PipelineOptions) -> None:
    """Makes a job that does nothing: a launch without a job is a failed one."""
    pipeline = beam.Pipeline(options=options)
    pipeline | "Nothing to do" >> beam.Create([], reshuffle=False)
    pipeline.run()


def _check_inputs(asked: Sequence[Settings], options: PipelineOptions) -> None:
    """On Dataflow nothing of this machine can be read; another engine may share its files."""
    runner = options.view_as(StandardOptions).runner or ""
    if "dataflow" not in runner.lower():
        return
    paths = {file.path for each in asked for file in each.inputs}
    local = sorted(path for path in paths if not path.startswith(_ANYWHERE))
    if local:
        raise UserError(
            [f"--input {path}: Dataflow reads gs:// and bigquery:// only" for path in local]
        )


def _record(client: bigquery.Client, dataset: Dataset, settings: Settings) -> runs.Run:
    """What a run says of itself; of an earlier attempt nothing is left."""
    run_id = settings.asked.run_id or runs.new_run_id(datetime.now(UTC))
    runs.check_legal(run_id)
    earlier = registry.statuses(client, dataset, run_id)
    runs.check_statuses(run_id, "batch", earlier)
    if earlier:
        registry.clear_run(client, dataset, run_id)
    return begun(settings, run_id)


def _ended(record: runs.Run, status: str) -> runs.Run:
    return replace(record, status=status, finished_at=datetime.now(UTC))


def _run_graph(
    dataset: Dataset, runs_asked: Sequence[tuple[Settings, runs.Run]], options: PipelineOptions
) -> None:
    pipeline = beam.Pipeline(options=options)
    add_runs(pipeline, dataset, runs_asked)
    result = pipeline.run()
    if is_launch(options):
        return
    state = result.wait_until_finish()
    if state not in (PipelineState.DONE, None):  # None: a runner that does not say
        raise JobFailedError(f"run {runs_asked[0][1].run_id} ended as {state}")


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
        show = _Show(self.dataset, record, settings.max_rejects, settings.takes_place)
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


@dataclass
class _Show(beam.DoFn):
    """Checks a run whose rows are all written, and writes that it succeeded, or failed and why."""

    dataset: Dataset
    record: runs.Run
    max_rejects: Decimal | None
    takes_place: bool

    def process(self, rows: int) -> Iterator[int]:
        with connected(self.dataset) as client:
            said = registry.statuses(client, self.dataset, self.record.run_id)
            if ("batch", "succeeded") not in said:  # a worker may have been lost just behind it
                try:
                    self._check(client)
                except JobFailedError:
                    registry.write_failed(client, self.dataset, self.record)
                    raise
                registry.write_run(client, self.dataset, _ended(self.record, "succeeded"))
        yield rows

    def _check(self, client: bigquery.Client) -> None:
        run, dataset = self.record, self.dataset
        problems = finished.imbalances(client, dataset, run.run_id, pending=True)
        received, rejects, refused = finished.rejected(client, dataset, run.run_id, pending=True)
        if problems:
            why = f"; rows refused: {refused:,}, which are in rejects with the answers"
            raise JobFailedError(
                f"the ledger does not balance: {'; '.join(problems)}{why if refused else ''}"
            )
        if self.max_rejects is not None and rejects > self.max_rejects * received:
            where = f"{PREFIX}{dataset}.rejects"
            raise JobFailedError(too_many(run, received, rejects, self.max_rejects, where))
        if not self.takes_place:
            covered = registry.windows_already_covered(client, dataset, run.run_id)
            if covered:
                raise overlap(run, covered)
