"""A desk to read subscriptions at: on Prism, with steps and sinks in the process of the test."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from pipelines.inputs import Block
from pipelines.inputs.arrivals import Arrivals
from pipelines.metering import Job, build
from pipelines.read_pubsub import ReadPubSub, close_subscriptions, progress
from pipelines.stopping import STOP
from pipelines.write_live import WriteLive
from rates import RateBook
from transforms.catalog import Source
from transforms.catalog_file import load_catalog
from transforms.flow import FLOW
from transforms.live import Live
from transforms.run import Run
from transforms.scope import Scope
from transforms.sources import NATIVE
from transforms.spill import IN_MEMORY

LONG_S = 60.0
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
BLOCKS: list[tuple[int, Block]] = []
CAME, FIRED, HOLD = threading.Condition(), threading.Event(), threading.Event()


class Keep(beam.DoFn):
    """Keeps blocks, with their stamps (µs), where the test sees them: in this process.

    Each is through at once, unless the test sets `HOLD`.
    """

    def process(self, block: Block, at: Any = beam.DoFn.TimestampParam) -> Iterator[tuple]:
        with CAME:
            BLOCKS.append((at.micros, block))
            CAME.notify_all()
        if not HOLD.is_set():
            FLOW.through(at.micros // 1000)
        yield 0, at.micros


class Later(beam.DoFn):
    """Waits until the watermark is two seconds behind an element."""

    TIMER = TimerSpec("later", TimeDomain.WATERMARK)

    def process(self, kv: tuple[int, int], timer: Any = beam.DoFn.TimerParam(TIMER)) -> None:
        timer.set(Timestamp(micros=kv[1] + 2_000_000))

    @on_timer(TIMER)
    def fire(self) -> None:
        FIRED.set()


class Version:
    """Rates that never change."""

    def current(self) -> str:
        return "r1"


def source(
    address: str, kind: Source = NATIVE, batch_rows: int = 100, rates: Version | None = None
) -> ReadPubSub:
    return ReadPubSub(address, batch_rows, 1000, Arrivals(kind, 0), rates)


def records() -> list[bytes]:
    """All that was given out, in its order."""
    return [line for _, block in BLOCKS for line in block.data.splitlines()]


def stamps_us() -> list[int]:
    return [stamp for stamp, _ in BLOCKS]


def await_records(count: int) -> None:
    with CAME:
        assert CAME.wait_for(lambda: len(records()) >= count, LONG_S), f"only {len(records())}"


def held() -> int:
    """How many messages are not acknowledged."""
    now = progress()
    return now.held if now else 0


def await_progress(*, held: int, again: int) -> None:
    beat, end = threading.Event(), time.monotonic() + LONG_S
    while (now := progress()) is None or (now.held, now.again) != (held, again):
        beat.wait(0.01)
        assert time.monotonic() < end, now


def payloads(count: int) -> list[bytes]:
    return [b'{"n":%d}' % i for i in range(count)]


def recorded(at: datetime) -> bytes:
    return json.dumps({"received_at": at.isoformat()}).encode()


def begin(options: PipelineOptions, read: ReadPubSub) -> Any:
    """A job that keeps what a subscription has."""
    for each in (FIRED, HOLD):
        each.clear()
    BLOCKS.clear()
    pipeline = beam.Pipeline(options=options)
    kept = pipeline | read | beam.ParDo(Keep()).with_output_types(tuple[int, int])
    kept | beam.ParDo(Later())
    return pipeline.run()


@contextmanager
def stopping(result: Any, *, all_safe: bool = False) -> Iterator[None]:
    """Around what a test does with a job, which is asked to stop at the end."""
    try:
        yield
    finally:
        STOP.set()
        try:
            assert result.wait_until_finish(LONG_S * 1000) == "DONE"
        finally:
            close_subscriptions(all_safe=all_safe)
            STOP.clear()


@contextmanager
def running(
    options: PipelineOptions, read: ReadPubSub, *, all_safe: bool = False
) -> Iterator[None]:
    """A job that reads a subscription, and is asked to stop at the end."""
    with stopping(begin(options, read), all_safe=all_safe):
        yield


CATALOG = b"""
version: 1
meters:
  - {name: calls, event_type: call, aggregation: count}
"""
_RUN = Run("r", 0)


def call(number: int) -> bytes:
    """An event of now, as a message."""
    known = {"id": f"{number}", "event_type": "call", "customer_id": "c"}
    return json.dumps(known | {"timestamp": datetime.now(UTC).isoformat()}).encode()


def meter(options: PipelineOptions, read: beam.PTransform, out: Path) -> Any:
    """A job of the whole graph, from what is read to the open tables of run `r` in `out`."""
    job = Job(
        run=_RUN,
        catalog=load_catalog("catalog.yaml", CATALOG),
        book=RateBook.empty(),
        books=RateBook.empty(),
        scope=Scope(as_streamed=True),
        source="native",
        read=read,
        write=lambda table: WriteLive(str(out), _RUN.run_id, table),
        spill=IN_MEMORY,
        key_buckets=1,
        series_buckets=1,
        live=Live(),
    )
    pipeline = beam.Pipeline(options=options)
    build(pipeline, job)
    return pipeline.run()
