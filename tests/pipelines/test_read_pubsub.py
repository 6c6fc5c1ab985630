"""The source of messages, on the engine that streams run on, Prism, and the emulator of Pub/Sub."""

import time
from datetime import timedelta

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from pubsub_desk import (
    BLOCKS,
    FIRED,
    HOLD,
    LONG_S,
    NOON,
    Version,
    await_progress,
    await_records,
    begin,
    payloads,
    recorded,
    records,
    running,
    source,
    stamps_us,
)

from pipelines.read_pubsub import close_subscriptions
from pubsub_emulator import Emulator
from transforms.catalog import Source
from transforms.flow import FLOW
from transforms.sources import NATIVE, RECORDED


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
    with running(options, source(address, rates=Version())):
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


def test_a_slow_graph_holds_the_source_back_and_what_is_safe_is_acknowledged_meanwhile(
    service: Emulator, options: PipelineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transforms.flow._PATIENCE_S", 3600.0)
    address = service.subscribe("slow-graph")
    with running(options, source(address)):
        HOLD.set()
        service.publish(address, payloads(1))
        await_records(1)
        for _ in range(3):
            service.publish(address, payloads(30))
            time.sleep(0.3)
        await_progress(held=90, again=0)
        assert len(records()) == 1
        HOLD.clear()
        FLOW.through(stamps_us()[0] // 1000)
        await_records(91)
        assert len(BLOCKS) == 2


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
