"""The source of messages, on the engine that streams run on, Prism, and the emulator of Pub/Sub."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from pipelines import read_pubsub
from pipelines.inputs import Block
from pipelines.inputs.arrivals import Arrivals
from pipelines.prism import find_prism
from pipelines.read_pubsub import ReadPubSub, close_subscriptions, progress
from pipelines.stopping import STOP
from pubsub_emulator import Emulator, emulating
from transforms.catalog import Source
from transforms.sources import NATIVE, RECORDED

LONG_S = 60.0
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
BLOCKS: list[tuple[int, Block]] = []
CAME, FIRED = threading.Condition(), threading.Event()


class Keep(beam.DoFn):
    """Keeps blocks, with their stamps (µs), where the test sees them: in this process."""

    def process(self, block: Block, at: Any = beam.DoFn.TimestampParam) -> Iterator[tuple]:
        with CAME:
            BLOCKS.append((at.micros, block))
            CAME.notify_all()
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


def source(address: str, kind: Source = NATIVE, batch_rows: int = 100) -> ReadPubSub:
    return ReadPubSub(address, batch_rows, 1000, Arrivals(kind, 0), Version())


def records() -> list[bytes]:
    """All that was given out, in its order."""
    return [line for _, block in BLOCKS for line in block.data.splitlines()]


def stamps_us() -> list[int]:
    return [stamp for stamp, _ in BLOCKS]


def await_records(count: int) -> None:
    with CAME:
        assert CAME.wait_for(lambda: len(records()) >= count, LONG_S), f"only {len(records())}"


def await_progress(*, held: int, again: int) -> None:
    beat, end = threading.Event(), time.monotonic() + LONG_S
    while (now := progress()) is None or (now.held, now.again) != (held, again):
        beat.wait(0.01)
        assert time.monotonic() < end, now


def payloads(count: int) -> list[bytes]:
    return [b'{"n":%d}' % i for i in range(count)]


def recorded(at: datetime) -> bytes:
    return json.dumps({"received_at": at.isoformat()}).encode()


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating() as running:
        yield running


@pytest.fixture(scope="module")
def options() -> PipelineOptions:
    found = find_prism(PipelineOptions([]))
    if found is None:
        pytest.fail("there is no Prism: run make prism, or name one in METERBEAM_PRISM")
    return PipelineOptions(
        [
            "--runner=PrismRunner",
            f"--prism_location={found}",
            "--prism_log_level=error",
            "--streaming",
            "--environment_type=LOOPBACK",
        ]
    )


def begin(options: PipelineOptions, read: ReadPubSub) -> Any:
    BLOCKS.clear()
    FIRED.clear()
    pipeline = beam.Pipeline(options=options)
    kept = pipeline | read | beam.ParDo(Keep()).with_output_types(tuple[int, int])
    kept | beam.ParDo(Later())
    return pipeline.run()


@contextmanager
def running(
    options: PipelineOptions, read: ReadPubSub, *, all_safe: bool = False
) -> Iterator[None]:
    """A job that reads a subscription, and is asked to stop at the end."""
    result = begin(options, read)
    try:
        yield
    finally:
        STOP.set()
        try:
            assert result.wait_until_finish(LONG_S * 1000) == "DONE"
        finally:
            close_subscriptions(all_safe=all_safe)
            STOP.clear()


def test_every_message_comes_out_once_and_is_acknowledged(
    service: Emulator, options: PipelineOptions
) -> None:
    address = service.subscribe("once")
    ids = service.publish(address, payloads(1000))
    with running(options, source(address)):
        await_records(1000)
        ids += service.publish(address, [b'{"n":"later"}'])
        await_records(1001)
    assert sorted(records()) == sorted([*payloads(1000), b'{"n":"later"}'])
    origins = [each for _, block in BLOCKS for each in block.origins.to_pylist()]  # type: ignore[union-attr]
    assert sorted(origins) == sorted(ids)
    # what was not would have been given back
    assert not service.pull(address)


def test_blocks_bring_the_clocks_the_rates_and_stamps_that_grow(
    service: Emulator, options: PipelineOptions
) -> None:
    address = service.subscribe("stamps")
    before_us = time.time_ns() // 1000 - 1000  # the emulator's clock has whole milliseconds
    service.publish(address, payloads(500))
    with running(options, source(address)):
        await_records(500)
    now_us = time.time_ns() // 1000
    for stamp_us, block in BLOCKS:
        assert (block.path, block.rates, block.archived) == (address, "r1", False)
        first_us = int(min(block.published))  # type: ignore[arg-type]
        assert before_us <= first_us <= (block.clock_us or 0) <= now_us
        assert stamp_us >= first_us
        assert stamp_us % 1000 == 0
        assert block.data.count(b"\n") <= 100
    assert stamps_us() == sorted(set(stamps_us()))


def test_what_is_delivered_again_before_and_after_it_is_safe_comes_out_once(
    service: Emulator, options: PipelineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    safe = [-1]
    monkeypatch.setattr(read_pubsub, "safe_batches", lambda: safe[0])
    address, since = service.subscribe("again"), datetime.now(UTC)
    service.publish(address, payloads(200))
    with running(options, source(address)):
        await_records(200)
        service.deliver_again(address, since)
        await_progress(held=200, again=200)
        safe[0] = 1 << 62
        await_progress(held=0, again=200)
        service.deliver_again(address, since)
        await_progress(held=0, again=400)
        service.publish(address, [b"new"])
        await_records(201)
    assert sorted(records()) == sorted([*payloads(200), b"new"])
    assert not service.pull(address)


def test_what_is_not_safe_at_the_stop_is_given_back(
    service: Emulator, options: PipelineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first() -> int:
        return BLOCKS[0][0] // 1000 if BLOCKS else -1

    monkeypatch.setattr(read_pubsub, "safe_batches", first)
    address = service.subscribe("unsafe")
    service.publish(address, [b"safe"])
    with running(options, source(address)):
        await_records(1)
        service.publish(address, payloads(10))
        await_records(11)
    assert service.pull_all(address, 10) == payloads(10)


def test_after_a_good_end_all_that_was_given_out_is_acknowledged(
    service: Emulator, options: PipelineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_pubsub, "safe_batches", lambda: -1)
    address = service.subscribe("good-end")
    service.publish(address, payloads(10))
    with running(options, source(address), all_safe=True):
        await_records(10)
    assert not service.pull(address)


def test_recorded_arrivals_are_the_moments_of_batches(
    service: Emulator, options: PipelineOptions
) -> None:
    address = service.subscribe("recorded")
    with running(options, source(address, RECORDED, batch_rows=2)):
        for second in range(3):
            service.publish(address, [recorded(NOON + timedelta(seconds=second))])
            await_records(second + 1)
    assert stamps_us() == [1_768_478_400_000_000 + second * 1_000_000 for second in range(3)]


@pytest.mark.parametrize("kind", [NATIVE, RECORDED], ids=lambda kind: kind.name)
def test_the_watermark_goes_on_when_nothing_comes(
    service: Emulator, options: PipelineOptions, kind: Source
) -> None:
    address = service.subscribe(f"idle-{kind.name}")
    with running(options, source(address, kind)):
        service.publish(address, [recorded(NOON)])
        assert FIRED.wait(LONG_S)


def test_a_subscription_that_is_gone_ends_the_job_and_is_named(
    service: Emulator, options: PipelineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.inputs.subscription._PATIENCE_S", 2.0)  # of a pull under way
    address = service.subscribe("gone")
    service.publish(address, payloads(1))
    result = begin(options, source(address))
    try:
        await_records(1)
        service.unsubscribe(address)
        with pytest.raises(RuntimeError, match=f"{address}: 404"):
            result.wait_until_finish(LONG_S * 1000)
    finally:
        close_subscriptions(all_safe=False)
