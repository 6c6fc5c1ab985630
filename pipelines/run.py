"""One batch run: from settings to a finished row in `runs`, or a failed one and the reason why."""

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import apache_beam as beam
import duckdb
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.runner import PipelineState

from pipelines import run_lock, runs, warehouse
from pipelines.beam_options import engine_of
from pipelines.covered import overlap
from pipelines.inputs import InputReadError, at_one_moment, is_live
from pipelines.metering import Job, build
from pipelines.no_sampler import without_sampler
from pipelines.parquet_sink import WriteParquet
from pipelines.problems import JobFailedError, UserError
from pipelines.progress import Progress
from pipelines.read import ReadFiles
from pipelines.settings import Settings
from pipelines.summary import Summary, summarize
from pipelines.views import shapes
from transforms.kernel import THREADS
from transforms.run import Run
from transforms.spill import IN_MEMORY, Spill
from transforms.timestamps import micros_of, moment_of
from transforms.told_errors import words
from transforms.whereabouts import command_is_at

# what a bucket may hold of the input; a kernel thread holds the readings of one bucket
_KEY_BUCKET_BYTES = 64 << 20
_SERIES_BUCKET_BYTES = 256 << 20
_FEWEST, _MOST = 8, 4096
_SMALL_BYTES = 8 << 20  # of input, for which more pieces cost more than they gain
_METERS = 6  # that each have the fewest pieces; where there are more of them, each has less
# how long a stream takes at most, and then some, until events that it counted can be read
_EVENTS_WAIT_S = 2.0
_ON_THIS_MACHINE = ("FnApiRunner", "DirectRunner", "BundleBasedDirectRunner")


def run_batch(settings: Settings, options: PipelineOptions, *, quiet: bool = False) -> Summary:
    """Runs the graph over files.

    Raises UserError before anything is written, JobFailedError after which nothing of the run is
    visible and a rerun with the same run id starts clean.
    """
    if engine_of(options) == "dataflow":
        raise UserError(
            f"--output {settings.asked.output}: a folder is of this machine, and Dataflow's workers"
            " are not; name bigquery://project.dataset"
        )
    run_id = settings.asked.run_id or runs.new_run_id(datetime.now(UTC))
    runs.check_run_id(settings.output, run_id, "batch")
    command_is_at(run_id)
    with run_lock.held(settings.output, run_id):
        record = _begin(settings, run_id)
        try:
            views = warehouse.views_written(settings.output, shapes(settings.catalog.meters))
            with Progress(quiet=quiet), views:
                wait_for_streams(settings)
                _run_graph(settings, record, options)
            return _finish(settings, record)
        except BaseException as error:
            runs.write_failed(settings.output, _ended(record, "failed"))
            raise failure(record, error) from error


def _finish(settings: Settings, record: runs.Run) -> Summary:
    """Shows the run, if all holds that must. Others wait: of two runs, one sees the other."""
    done = _ended(record, "succeeded")
    out = settings.output
    with warehouse.held(out), warehouse.connect(out, pending=record.run_id) as pending:
        check_finished(pending, settings, record)
        if not settings.takes_place:
            _check_overlap(pending, out, record)
        summary = summarize(pending, done)
        runs.write_run(out, done)
    return summary


def failure(record: runs.Run, error: BaseException) -> JobFailedError:
    """What ended a run, as its user is told."""
    if isinstance(error, JobFailedError):
        return error
    if not isinstance(error, Exception):  # Ctrl-C
        return JobFailedError(f"run {record.run_id} was interrupted")
    logging.getLogger(__name__).debug("run %s failed", record.run_id, exc_info=error)
    return JobFailedError(f"run {record.run_id} failed: {_cause(error)}")


def _begin(settings: Settings, run_id: str) -> runs.Run:
    out = settings.output
    runs.check_run_id(out, run_id, "batch")
    record = begun(settings, run_id)
    warehouse.prepare(out)
    runs.clear_run(out, run_id)
    runs.write_run(out, record)
    return record


def begun(settings: Settings, run_id: str) -> runs.Run:
    """What a run says of itself when it begins, now."""
    scope = settings.scope
    return runs.Run(
        run_id=run_id,
        mode="batch",
        status="running",
        range_start=_time(scope.start_us),
        range_end=_time(scope.end_us),
        meters=tuple(meter.name for meter in settings.meters),
        started_at=datetime.now(UTC),
        finished_at=None,
        catalog_digest=settings.catalog.digest,
        rates_digest=settings.book.digest,
    )


def _time(at_us: int | None) -> datetime | None:
    return None if at_us is None else moment_of(at_us)


def _ended(record: runs.Run, status: str) -> runs.Run:
    return replace(record, status=status, finished_at=datetime.now(UTC))


def _run_graph(settings: Settings, record: runs.Run, options: PipelineOptions) -> None:
    out = settings.output
    with _spill(out, record.run_id, options) as spill, without_sampler():
        pipeline = beam.Pipeline(options=options)
        write = partial(_files, settings.output, record.run_id)
        build(pipeline, job_of(settings, record, spill, write))
        state = pipeline.run().wait_until_finish()
    if state not in (PipelineState.DONE, None):  # None: a runner that does not say
        raise JobFailedError(f"run {record.run_id} ended as {state}")


def wait_for_streams(settings: Settings) -> None:
    """Let streams write the events of what they have counted before this run began.

    A stream shows usage at once and its events a moment later. What it counts from now on is listed
    by `windows_to_backfill`; what it counted before has to be among the events that are read.
    """
    if any(file.holds_events and is_live(file.path) for file in settings.inputs):
        time.sleep(_EVENTS_WAIT_S)


def _files(out: Path, run_id: str, table: str) -> WriteParquet:
    return WriteParquet(str(out / table / run_id))


def job_of(
    settings: Settings, record: runs.Run, spill: Spill, write: Callable[[str], beam.PTransform]
) -> Job:
    """The graph of a run; `write` gives what takes the rows of a table."""
    size = sum(file.size for file in settings.inputs)
    fewest = _FEWEST if size > _SMALL_BYTES else THREADS
    fewest_of_series = min(max(_METERS * fewest // len(settings.catalog.meters), 1), fewest)
    return Job(
        run=Run(record.run_id, micros_of(record.started_at)),
        catalog=settings.catalog,
        book=settings.book,
        books=settings.book,
        scope=settings.scope,
        source=settings.source.name,
        read=ReadFiles(at_one_moment(settings.pieces), settings.asked.block_bytes),
        write=write,
        spill=spill,
        key_buckets=_buckets(size, _KEY_BUCKET_BYTES, fewest),
        series_buckets=_buckets(size, _SERIES_BUCKET_BYTES, fewest_of_series),
    )


@contextmanager
def _spill(out: Path, run_id: str, options: PipelineOptions) -> Iterator[Spill]:
    """A folder for shuffled pieces, while the graph runs, if it runs on this machine."""
    if options.view_as(StandardOptions).runner not in _ON_THIS_MACHINE:
        yield IN_MEMORY
        return
    folder = out / f".shuffle-{run_id}"
    shutil.rmtree(folder, ignore_errors=True)  # of a run of this id that was killed
    folder.mkdir()
    try:
        yield Spill(str(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _buckets(size: int, each: int, fewest: int) -> int:
    return min(max(size // each, fewest), _MOST)


def check_finished(
    pending: duckdb.DuckDBPyConnection, settings: Settings, record: runs.Run
) -> None:
    """What must hold of any run in the end: its ledger, and few enough rejects."""
    problems = runs.verify_ledger(pending, record.run_id)
    if problems:
        raise JobFailedError("the ledger does not balance: " + "; ".join(problems))
    if settings.max_rejects is not None:
        counts = runs.rejected(pending, record.run_id)
        _check_rejects(settings.output, record, counts, settings.max_rejects)


def _check_rejects(out: Path, record: runs.Run, counts: tuple[int, int], most: Decimal) -> None:
    received, rejected = counts
    if rejected > most * received:
        raise JobFailedError(
            f"run {record.run_id}: {rejected:,} rejects of {received:,} records received are more"
            f" than --max-rejects {most * 100:f}%; they are in the files of {out / 'rejects'}"
        )


def _check_overlap(pending: duckdb.DuckDBPyConnection, out: Path, record: runs.Run) -> None:
    covered = runs.windows_already_covered(pending, record.run_id)
    if covered:
        raise overlap(record.run_id, covered, str(out))


def _cause(error: BaseException) -> str:
    """What went wrong first, without Beam's way there, and without what a record says."""
    while error.__cause__ is not None and not isinstance(error, InputReadError):
        error = error.__cause__
    if isinstance(error, InputReadError):
        return str(error)
    return words(error)
