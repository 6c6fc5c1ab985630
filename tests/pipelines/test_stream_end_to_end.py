"""The command as a live run, from its start to its end: panes, rates, signals."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from stream_reader import Reader

from pipelines.stopping import STOP
from runs_desk import RATES, event
from stream_desk import Command, StreamDesk, descendants, until

BROKEN = RATES + "tokns,list,2026-01-01,0.5,\n"
DEARER = RATES + "tokens,dearer,2026-01-15T10:00:00Z,2,\n"


@pytest.fixture
def desk(tmp_path: Path) -> StreamDesk:
    return StreamDesk(tmp_path)


def line(number: int, hour: int = 10, arrives: str = "10:40", **more: object) -> bytes:
    arrival = f"2026-01-15T{arrives}:00Z"
    return (event(number, 1, hour, received_at=arrival, **more) + "\n").encode()


@contextmanager
def meanwhile(desk: StreamDesk, do: Callable[[], None]) -> Iterator[None]:
    """Does something in another thread while a run is on in this one, which ends after that."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            do()
            desk.end()
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)
            desk.end()
            STOP.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        desk.end()
        thread.join()
        STOP.clear()  # others read in this process, too
    assert not failed, failed


def test_usage_grows_pane_by_pane_and_is_right_at_every_moment(desk: StreamDesk) -> None:
    counted = "SELECT SUM(event_count) FROM usage_current WHERE meter = 'calls'"

    def feed() -> None:
        until(desk.began)
        with desk.reader() as ask:
            for number in range(8):
                more = line(100 + number, customer_id="d")
                desk.append("a.ndjson", line(number) + line(number) + more)
                # the window is open: nothing but an early pane shows this
                until(lambda n=number: ask(counted) == [(2 * n + 2,)])
            desk.append("a.ndjson", line(50, arrives="11:10"))
            until(lambda: ask(counted) == [(17,)])

    with Reader(desk) as reader, meanwhile(desk, feed):
        desk.here(desk.streaming("--early", "0.2"))
    reader.look()
    assert reader.looks > 4
    for customer, total in (("c1", 9), ("d", 8)):
        panes = desk.ask(
            "SELECT pane, event_count FROM usage WHERE meter = 'calls'"  # noqa: S608 - ours
            f" AND customer_id = '{customer}' ORDER BY written_at"
        )
        assert all(one[1] < next_one[1] for one, next_one in pairwise(panes))
        assert panes[-1][1] == total
        assert panes[:8] == [("early", count) for count in range(1, 9)]
        assert panes[8:] == ([("late", 9)] if customer == "c1" else [])


def test_new_rates_hold_without_a_restart_and_broken_ones_are_reported(desk: StreamDesk) -> None:
    rates = desk.rates / "rates.csv"
    rows = (
        "SELECT rate_label, event_count, cost FROM usage_current WHERE meter = 'tokens' ORDER BY 1"
    )
    with desk.command("--early", "0", "--rates-refresh", "0") as command:
        command.until(desk.began)
        desk.append("a.ndjson", line(1))
        command.until(lambda: desk.ask(rows) == [("list", 1, Decimal("0.5"))])
        for number, text in enumerate((BROKEN, RATES, BROKEN)):
            rates.write_text(text)
            desk.append("a.ndjson", line(2 + number))
            listed = [("list", 2 + number, Decimal(2 + number) / 2)]
            command.until(lambda listed=listed: desk.ask(rows) == listed)
        # once each time that they were
        assert command.errors.count("not taken over") == command.errors.count("tokns") == 2
        rates.write_text(DEARER)
        desk.append("a.ndjson", line(5))
        both = [("dearer", 1, Decimal(2)), ("list", 4, Decimal(2))]
        command.until(lambda: desk.ask(rows) == both)
        desk.end()
        assert command.ends() == 0, command.errors
    assert desk.ask(rows) == both
    assert "Traceback" not in command.errors


def test_signals_stop_it_and_it_goes_on_under_its_run_id(desk: StreamDesk) -> None:
    def read_some(number: int, command: Command) -> None:
        desk.append("a.ndjson", b"".join(line(1000 * number + each) for each in range(200)))
        ends = {"a.ndjson": (desk.inputs / "a.ndjson").stat().st_size}
        command.until(lambda: desk.has_read(ends))

    with desk.command("--batch-rows", 50) as command:
        read_some(0, command)
        again = desk.here(desk.streaming(), fails=2)
        assert "running already" in again.stderr
        command.send(signal.SIGINT)
        assert command.ends() == 0, command.errors
    assert "stopping" in command.errors
    assert (desk.status(), desk.events()) == ("succeeded", 200)
    with desk.command("--batch-rows", 50) as command:
        read_some(1, command)
        command.send(signal.SIGTERM)
        command.until(lambda: "stopping" in command.errors)
        command.interrupt()
        assert command.ends() == 1
    assert "interrupted" in command.errors
    assert "Traceback" not in command.errors
    assert desk.status() == "failed"
    desk.append("b.ndjson", line(9000))
    desk.end()
    desk.here(desk.streaming())
    assert (desk.status(), desk.events()) == ("succeeded", 401)
    assert all(balanced for (balanced,) in desk.ask("SELECT balanced FROM ledger_balance"))


def test_it_ends_when_all_folders_have_and_goes_on_with_what_comes_later(desk: StreamDesk) -> None:
    other = desk.folder / "other"
    other.mkdir()
    arguments = desk.streaming("--input", f"tail:{other}")

    def feed() -> None:
        desk.append("a.ndjson", line(1))
        (other / "_END").touch()
        until(lambda: desk.has_read({"a.ndjson": len(line(1))}))
        desk.append("a.ndjson", line(2)[:-1])  # without an end

    with meanwhile(desk, feed):
        desk.here(arguments)
    assert (desk.status(), desk.events()) == ("succeeded", 2)
    (other / "b.ndjson").write_bytes(line(1) + line(3))
    desk.here(arguments)
    assert (desk.status(), desk.events()) == ("succeeded", 4)
    assert desk.ask("SELECT event_count FROM usage_current WHERE meter = 'calls'") == [(3,)]
    assert all(balanced for (balanced,) in desk.ask("SELECT balanced FROM ledger_balance"))


def test_a_stop_while_it_builds_up_what_a_crash_took_is_no_success(desk: StreamDesk) -> None:
    desk.append("a.ndjson", line(1) + line(2))
    desk.end()
    desk.here(desk.streaming("--batch-rows", 1))
    run = desk.out / "runs" / "live"
    (run / "succeeded.parquet").unlink()  # as a crash leaves it
    before = (run / "running.parquet").stat().st_mtime_ns

    def stop() -> None:
        until(lambda: (run / "running.parquet").stat().st_mtime_ns != before)
        STOP.set()

    with meanwhile(desk, stop):
        said = desk.here(desk.streaming("--batch-rows", 1), fails=1)
    assert "go on with the same --run-id" in said.stderr
    assert desk.status() == "failed"


def test_an_engine_that_dies_ends_the_run_and_the_way_on_is_said(desk: StreamDesk) -> None:
    desk.append("a.ndjson", line(1))
    with desk.command() as command:
        command.until(lambda: desk.has_read({"a.ndjson": len(line(1))}))
        for engine in descendants(command.process.pid):
            os.kill(engine, signal.SIGKILL)
        assert command.ends() == 1
        said = command.errors.splitlines()
    assert said == [
        "meterbeam: Prism was ended by SIGKILL",
        "nothing that was read is lost: go on with --run-id live",
    ]
    desk.append("a.ndjson", line(2))
    desk.end()
    desk.here(desk.streaming())
    assert desk.ask("SELECT event_count FROM usage_current WHERE meter = 'calls'") == [(2,)]


def test_a_run_says_its_id_at_once(desk: StreamDesk) -> None:
    desk.append("a.ndjson", line(1))
    desk.end()
    loud = [each for each in desk.streaming() if each != "--quiet"]
    assert desk.here(loud).stderr.startswith("meterbeam: run live begins\n")
    assert desk.here(loud).stderr.startswith("meterbeam: run live goes on\n")
