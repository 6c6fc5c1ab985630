"""One streaming run, on this machine: from settings until its input ends or it is asked to stop.

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
from pipelines.live_sources import LiveSource, live_source
from pipelines.live_view import LiveView
from pipelines.metering import Job, build
from pipelines.notices import notify
from pipelines.prism import get_prism
from pipelines.problems import JobFailedError, UserError
from pipelines.rate_versions import KeptBooks, RateVersions
from pipelines.run import failure
from pipelines.settings import Settings
from pipelines.signals import stopped_by_signals
from pipelines.stream_output import FolderOutput, StreamOutput
from pipelines.stream_progress import Observer
from pipelines.summary import Summary
from transforms.live import Live
from transforms.run import Run
from transforms.spill import IN_MEMORY
from transforms.timestamps import DAY, micros_of
from transforms.whereabouts import command_is_at

# each bucket that a micro-batch touches costs the engine a few milliseconds
_KEY_BUCKETS, _SERIES_BUCKETS = 1, 1


def run_stream(
    settings: Settings, options: PipelineOptions, *, quiet: bool = False
) -> Summary | None:
    """Runs the graph over what comes, until the input ends or a signal asks to stop.

    On other machines where the options name an engine there: see `run_elsewhere`. Raises UserError
    before anything is written, and JobFailedError, after which a run with the same run id goes on
    where this one was.
    """
    if not is_local(options):
        from pipelines.run_elsewhere import run_elsewhere  # noqa: PLC0415 - Google's clients

        return run_elsewhere(settings, options, quiet=quiet)
    return _run_here(settings, options, quiet=quiet)


def _run_here(settings: Settings, options: PipelineOptions, *, quiet: bool) -> Summary:
    if settings.asked.stream.buckets is not None:
        raise UserError("--buckets: a stream on this machine has one")
    prism = get_prism(options)
    run_id = settings.asked.run_id or runs.new_run_id(datetime.now(UTC))
    runs.check_legal(run_id)
    command_is_at(run_id)
    output = _output(settings, options)
    kept = stream_state.folder_of(output.state, run_id) / "rates"
    dimensions = {m.name: tuple(name for name, _ in m.dimensions) for m in settings.catalog.meters}
    refresh_us = settings.stream.refresh_us if settings.stream else 0
    tolerance_us = settings.catalog.future_tolerance_us
    rates = RateVersions(kept, settings.asked.rates, dimensions, refresh_us, tolerance_us)
    source = live_source(settings, output.state, run_id, rates)
    books = KeptBooks(kept, dimensions)
    source.check(again=stream_state.exists(output.state, run_id))
    _check(settings, output, run_id)
    with run_lock.held(output.state, run_id), stopped_by_signals():
        rates.begin()
        goes_on = stream_state.exists(output.state, run_id)
        record, whole = _begin(settings, output, run_id)
        if not quiet:
            notify(f"run {run_id} {'goes on' if goes_on else 'begins'}{output.about_state}")
        ran = False
        try:
            with _opened(output, run_id, source, quiet=quiet):
                graph = _graph(settings, record, source.read, books, output)
                run_graph(graph, options, Observer(), prism)
            ran = True
            return _finish(output, record, whole=whole or not source.abandoned)
        except BaseException as error:
            output.write_failed(stream_state.ended(record, "failed"))
            if isinstance(error, UserError):
                raise
            told = failure(record, error)
            raise told if ran else JobFailedError(f"{told}\n{source.way_on}") from error


def _output(settings: Settings, options: PipelineOptions) -> StreamOutput:
    if settings.dataset is None:
        return FolderOutput(settings)
    from pipelines.bigquery.stream import DatasetOutput  # noqa: PLC0415 - imports Google's clients

    return DatasetOutput(settings.dataset, settings, options)


def _check(settings: Settings, output: StreamOutput, run_id: str) -> None:
    output.check(run_id, kept=stream_state.exists(output.state, run_id))
    stream_state.check(settings, output.state, run_id)


def _begin(settings: Settings, output: StreamOutput, run_id: str) -> tuple[runs.Run, bool]:
    """Shows the run, which is held, as running.

    Tells whether the tables have all that it has read so far: it is new, or ended well.
    """
    _check(settings, output, run_id)
    output.prepare(run_id)
    before = output.begun(run_id)
    stream_state.keep(settings, output.state, run_id)
    record = stream_state.begun(settings, run_id, before and before.started_at)
    output.write_run(record)
    return record, before is None or before.is_whole


@contextmanager
def _opened(
    output: StreamOutput, run_id: str, source: LiveSource, *, quiet: bool
) -> Iterator[None]:
    """Around the graph: the source, the tables and the view of a stream."""
    with ExitStack() as stack:
        stack.enter_context(source.opened())
        source.joined_with(stack.enter_context(output.opened(run_id)))
        stack.enter_context(LiveView(quiet=quiet))
        yield


def _finish(output: StreamOutput, record: runs.Run, *, whole: bool) -> Summary:
    if not whole:
        raise JobFailedError(
            f"run {record.run_id} was stopped while it built up again what a crash had taken, so"
            " its tables lack some of what was read; go on with the same --run-id"
        )
    done = stream_state.ended(record, "succeeded")
    summary = output.finished(done)
    output.write_run(done)
    return summary


def _graph(
    settings: Settings,
    record: runs.Run,
    read: beam.PTransform,
    books: KeptBooks,
    output: StreamOutput,
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
        write=lambda table: output.write(record.run_id, table),
        spill=IN_MEMORY,
        key_buckets=_KEY_BUCKETS,
        series_buckets=_SERIES_BUCKETS,
        live=Live(early_us, max(catalog.dedup_horizon_us, DAY)),
    )
    return lambda pipeline: build(pipeline, job)
