"""One streaming run on this machine: from settings until its input ends or it is asked to stop.

The engine's state lives in the memory of a process, so what a crash takes is built up again from
the journal: see pipelines/stream_state.py and docs/time.md.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import run_lock, runs, stream_state
from pipelines.engine import is_local, run_graph
from pipelines.live_files import remove_torn
from pipelines.live_sources import LiveSource, live_source
from pipelines.live_tables import LiveTables
from pipelines.live_view import LiveView
from pipelines.metering import Job, build
from pipelines.notices import notify
from pipelines.prism import get_prism
from pipelines.problems import JobFailedError, UserError
from pipelines.rate_versions import KeptBooks, RateVersions
from pipelines.run import check_finished, failure
from pipelines.settings import Settings
from pipelines.signals import stopped_by_signals
from pipelines.stream_progress import Observer
from pipelines.summary import Summary, summarize
from pipelines.write_live import WriteLive
from transforms.live import Live
from transforms.run import Run
from transforms.spill import IN_MEMORY
from transforms.timestamps import DAY, micros_of

# each bucket that a micro-batch touches costs the engine a few milliseconds
_KEY_BUCKETS, _SERIES_BUCKETS = 1, 1
# how long rows wait at most for others, so that a file has more than a few
_PAUSES_S = {"usage": 0.02, "events": 0.5, "rejects": 0.5, "ledger": 0.5}


def run_stream(settings: Settings, options: PipelineOptions, *, quiet: bool = False) -> Summary:
    """Runs the graph over what comes, until the input ends or a signal asks to stop.

    Raises UserError before anything is written, and JobFailedError, after which a run with the same
    run id goes on where this one was.
    """
    if not is_local(options):
        raise UserError("--runner: with --output FOLDER a stream runs on this machine, on Prism")
    prism = get_prism(options)
    run_id = settings.asked.run_id or runs.new_run_id(datetime.now(UTC))
    kept = stream_state.folder_of(settings.output, run_id) / "rates"
    dimensions = {m.name: tuple(name for name, _ in m.dimensions) for m in settings.catalog.meters}
    refresh_us = settings.stream.refresh_us if settings.stream else 0
    tolerance_us = settings.catalog.future_tolerance_us
    rates = RateVersions(kept, settings.asked.rates, dimensions, refresh_us, tolerance_us)
    source = live_source(settings, run_id, rates)
    books = KeptBooks(kept, dimensions)
    source.check(again=stream_state.exists(settings.output, run_id))
    stream_state.check(settings, run_id)
    with run_lock.held(settings.output, run_id), stopped_by_signals():
        rates.begin()
        remove_torn(settings.output, run_id)
        whole = stream_state.is_whole(settings.output, run_id)
        goes_on = stream_state.exists(settings.output, run_id)
        record = stream_state.begin(settings, run_id)
        if not quiet:
            notify(f"run {run_id} {'goes on' if goes_on else 'begins'}")
        ran = False
        try:
            with _opened(settings, run_id, source, quiet=quiet):
                graph = _graph(settings, record, source.read, books)
                run_graph(graph, options, Observer(), prism)
            ran = True
            return _finish(settings, record, whole=whole or not source.abandoned)
        except BaseException as error:
            runs.write_failed(settings.output, stream_state.ended(record, "failed"))
            if isinstance(error, UserError):
                raise
            told = failure(record, error)
            raise told if ran else JobFailedError(f"{told}\n{source.way_on}") from error


@contextmanager
def _opened(settings: Settings, run_id: str, source: LiveSource, *, quiet: bool) -> Iterator[None]:
    """Around the graph: the source, the tables and the view of a stream."""
    with ExitStack() as stack:
        stack.enter_context(source.opened())
        tables = stack.enter_context(LiveTables(settings.output, run_id, _PAUSES_S))
        source.joined_with(tables)
        stack.enter_context(LiveView(quiet=quiet))
        yield


def _finish(settings: Settings, record: runs.Run, *, whole: bool) -> Summary:
    if not whole:
        raise JobFailedError(
            f"run {record.run_id} was stopped while it built up again what a crash had taken, so"
            " its tables lack some of what was read; go on with the same --run-id"
        )
    done = stream_state.ended(record, "succeeded")
    check_finished(settings, record)
    summary = summarize(settings.output, done)
    runs.write_run(settings.output, done)
    return summary


def _graph(
    settings: Settings, record: runs.Run, read: beam.PTransform, books: KeptBooks
) -> Callable[[beam.Pipeline], None]:
    catalog, stream = settings.catalog, settings.stream
    early_us = stream.early_us if stream else 0
    job = Job(
        run=Run(record.run_id, micros_of(record.started_at)),
        catalog=catalog,
        book=settings.book,
        books=books,
        scope=settings.scope,
        source=settings.source.name,
        read=read,
        write=lambda table: WriteLive(str(settings.output), record.run_id, table),
        spill=IN_MEMORY,
        key_buckets=_KEY_BUCKETS,
        series_buckets=_SERIES_BUCKETS,
        live=Live(early_us, max(catalog.dedup_horizon_us, DAY)),
    )
    return lambda pipeline: build(pipeline, job)
