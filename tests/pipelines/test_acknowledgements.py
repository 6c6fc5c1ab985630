"""Messages are acknowledged when what came of them is on disk, and not before."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from live_rows import live_store, wait_for
from pubsub_desk import (
    BLOCKS,
    await_progress,
    await_records,
    call,
    held,
    meter,
    payloads,
    records,
    running,
    source,
    stopping,
)

from pipelines import read_pubsub
from pipelines.live_tables import LiveTables
from pubsub_emulator import Emulator

PAUSES_S = {"usage": 0.02, "events": 0.5, "rejects": 0.5, "ledger": 0.5}  # as the command has them
NEVER_S = 3600.0
BROKEN = b"broken"


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for tables; in the end nobody says any more what is in them."""
    monkeypatch.setattr(read_pubsub, "safe_batches", None)
    return live_store(tmp_path / "out").out


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


def test_under_steady_traffic_messages_are_acknowledged_within_a_second_or_so(
    service: Emulator, options: PipelineOptions, out: Path
) -> None:
    address = service.subscribe("steady")
    read = source(address)
    with LiveTables(out, "r", PAUSES_S, grace_s=0) as tables:
        read_pubsub.safe_batches = tables.safe_up_to
        with stopping(meter(options, read, out)):
            service.publish(address, [call(-1), BROKEN])
            wait_for(tables, "events", 1)
            await_progress(held=0, again=0)
            published_s, oldest_s = list[float](), 0.0
            begun_s = time.monotonic()
            while time.monotonic() < begun_s + 5:
                service.publish(address, [call(len(published_s)), BROKEN])
                published_s += [time.monotonic()] * 2
                waiting = held()
                if waiting:
                    oldest_s = max(oldest_s, time.monotonic() - published_s[-waiting])
                time.sleep(0.02)
    assert len(published_s) > 50
    assert 0 < oldest_s < 2


@pytest.mark.parametrize(
    ("table", "message"), [("events", call(1)), ("rejects", BROKEN)], ids=["event", "reject"]
)
def test_no_message_is_acknowledged_before_its_event_or_reject_is_in_a_file(
    service: Emulator, options: PipelineOptions, out: Path, table: str, message: bytes
) -> None:
    address = service.subscribe(f"held-for-{table}")
    pauses_s = PAUSES_S | {table: NEVER_S}  # after the first file
    with LiveTables(out, "r", pauses_s, grace_s=0) as tables:
        read_pubsub.safe_batches = tables.safe_up_to
        with stopping(meter(options, source(address), out)):
            service.publish(address, [message])
            wait_for(tables, table, 1)
            await_progress(held=0, again=0)
            service.publish(address, [message])
            await_progress(held=1, again=0)
            time.sleep(1)
            await_progress(held=1, again=0)
            assert tables.written[table] == 1
        assert service.pull_all(address, 1) == [message]
