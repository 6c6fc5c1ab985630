"""One streaming run on other machines: checked and begun from here, and waited for if asked to.

Its tables are in BigQuery, where any worker writes them; nothing of it is kept on this machine. So
it is the engine that lets it go on: what a worker held is built up again from the engine's state.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from pipelines import runs, stream_state
from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.bigquery.registry import Known
from pipelines.bigquery.stream import DatasetTables
from pipelines.bigquery.write_stream import WriteBigQuery
from pipelines.far_engine import FarEngine
from pipelines.far_job import FarJob, JobGoesOnError
from pipelines.inputs.subscription import check_subscription
from pipelines.job_terms import check_terms, label, terms_of
from pipelines.metering import Job, build
from pipelines.notices import notify
from pipelines.problems import JobFailedError, UserError
from pipelines.read_far import far_source
from pipelines.settings import Settings
from pipelines.stream_settings import Stream
from pipelines.summary import Summary
from transforms.live import Live
from transforms.run import Run
from transforms.spill import IN_MEMORY
from transforms.timestamps import DAY, micros_of
from transforms.whereabouts import command_is_at

_KEYS_PER_SERIES = 4  # a batch has fewer series than events, and each costs its bucket a request


def run_elsewhere(
    settings: Settings, options: PipelineOptions, *, quiet: bool = False
) -> Summary | None:
    """Runs the graph of a stream on the engine that the options name.

    None where the command is not to wait for its end, or where another job took its place. Raises
    UserError before anything is written, and JobFailedError.
    """
    engine = FarEngine.of(options)
    stream, dataset = _check_settings(settings, engine)
    run_id = _run_id(settings, engine)
    command_is_at(run_id)
    terms = terms_of(settings, stream)
    if engine.is_dataflow:
        label(engine.options, terms)
    tables = DatasetTables(dataset, settings)
    check_subscription(stream.subscription or "")
    pipeline = engine.pipeline()
    earlier = _check_run(settings, engine, tables, run_id)
    if engine.updates:
        check_terms(engine.options, terms)
    started_at = min(each.started_at for each in earlier) if engine.updates else None
    record = stream_state.begun(settings, run_id, started_at)
    build(pipeline, _job(settings, stream, engine, record, dataset))
    tables.prepare(run_id)
    if engine.updates:
        tables.write_run(record)
    else:
        tables.begin_run(record, earlier)
    job = None
    try:
        job = engine.begin(pipeline)
        if engine.is_left_alone or not quiet:
            _tell(job, record, dataset)
        return None if engine.is_left_alone else _finish(job, tables, record, quiet=quiet)
    except JobGoesOnError:  # it may count yet
        raise
    except BaseException as error:
        is_over = job is None or isinstance(error, JobFailedError)
        if is_over and not engine.updates:  # the job whose place it was to take goes on
            tables.write_failed(stream_state.ended(record, "failed"))
        raise


def _check_settings(settings: Settings, engine: FarEngine) -> tuple[Stream, Dataset]:
    stream, problems = settings.stream, []
    if stream is None:
        raise ValueError("settings of a batch run")
    if settings.dataset is None:
        problems.append(
            f"--output {settings.asked.output}: a folder is of this machine, and the stream runs"
            f" on others (--runner {engine.name}): name {PREFIX}project.dataset"
        )
    if stream.subscription is None:
        problems.append(
            "--input tail: is read on this machine only; a stream on others"
            f" (--runner {engine.name}) reads pubsub://project/subscription"
        )
    if settings.asked.stream.rates_refresh is not None:
        problems.append(
            f"--rates-refresh: on other machines (--runner {engine.name}) the rates of the launch"
            " hold for as long as the job does; on Dataflow, launch it with --update to bring new"
            " ones"
        )
    if engine.is_dataflow and settings.asked.stream.batch_ms is not None:
        problems.append("--batch-ms: Dataflow decides what it brings together; leave it out")
    if problems or settings.dataset is None:
        raise UserError(problems)
    return stream, settings.dataset


def _run_id(settings: Settings, engine: FarEngine) -> str:
    given = settings.asked.run_id
    if given is None and engine.updates:
        raise UserError("--update: name the run whose job is to be taken the place of: --run-id")
    run_id = given or runs.new_run_id(datetime.now(UTC))
    runs.check_legal(run_id)
    return run_id


def _check_run(
    settings: Settings, engine: FarEngine, tables: DatasetTables, run_id: str
) -> list[Known]:
    """What a run says of itself: it has one job, and those that take its place and its state."""
    known = tables.known(run_id)
    if engine.updates:
        _check_place(settings, run_id, known)
    elif known and not (_have_failed(known) and tables.is_empty(run_id)):
        raise UserError(
            f"--run-id {run_id}: that stream was begun before, and a new job knows nothing of what"
            " it has counted. Launch it with --update to take the place of its job on Dataflow,"
            " or begin another run, and meter windows that both share with a batch run"
        )
    return known


def _check_place(settings: Settings, run_id: str, known: Sequence[Known]) -> None:
    if not known or any(each.status == "succeeded" for each in known):
        why = "that stream has ended" if known else f"there is no such run in {settings.dataset}"
        raise UserError(f"--update --run-id {run_id}: {why}; leave --update out to begin one")
    meters = json.dumps([meter.name for meter in settings.meters])
    if any(
        (each.catalog_digest, each.meters) != (settings.catalog.digest, meters) for each in known
    ):
        raise UserError(
            f"--run-id {run_id}: that stream was begun with another catalog or other meters, and"
            " what it has counted would not fit; go on with the same, or begin another run"
        )


def _have_failed(known: Sequence[Known]) -> bool:
    """Whether all attempts at a run have."""
    failed = {each.started_at for each in known if each.status == "failed"}
    return failed.issuperset(each.started_at for each in known)


def _tell(job: FarJob, record: runs.Run, dataset: Dataset) -> None:
    notify(f"run {record.run_id} begins {job.about}; its rows come to {PREFIX}{dataset}")
    if job.way_out:
        notify(f"to end it so that all it has read is counted: {job.way_out}")


def _finish(job: FarJob, tables: DatasetTables, record: runs.Run, *, quiet: bool) -> Summary | None:
    state = job.wait(lambda text: None if quiet else notify(text))
    if state == PipelineState.UPDATED:
        notify(f"another job has taken the place of job {job.name}; run {record.run_id} goes on")
        return None
    done = stream_state.ended(record, "succeeded")
    summary = tables.finished(done)
    tables.write_run(done)
    return summary


def _job(
    settings: Settings, stream: Stream, engine: FarEngine, record: runs.Run, dataset: Dataset
) -> Job:
    catalog = settings.catalog
    return Job(
        run=Run(record.run_id, micros_of(record.started_at)),
        catalog=catalog,
        book=settings.book,
        books=settings.book,
        scope=settings.scope,
        source=settings.source.name,
        read=far_source(engine, settings, stream),
        write=lambda table: _Write(dataset, table, record.run_id),
        spill=IN_MEMORY,
        key_buckets=stream.buckets,
        series_buckets=max(stream.buckets // _KEYS_PER_SERIES, 1),
        live=Live(stream.early_us, max(catalog.dedup_horizon_us, DAY)),
    )


@dataclass
class _Write(beam.PTransform):
    """Rows of a table into the dataset; rejects when they are settled.

    Where work is repeated, events may come in another order, and another of two be the first. What
    was rejected in an attempt that came to nothing is not to be seen.
    """

    dataset: Dataset
    table: str
    run_id: str

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Wires the sink, behind a shuffle where it has to be."""
        if self.table == "rejects":
            pcoll = pcoll | "Settle" >> beam.Reshuffle()
        return pcoll | "Append" >> WriteBigQuery(self.dataset, self.table, self.run_id)
