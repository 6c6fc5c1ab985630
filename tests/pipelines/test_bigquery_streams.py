"""A stream into BigQuery says what it says in a folder, whatever happens to it on the way."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from bigquery_write_service import WriteService, write_service
from dataset_desk import emptied
from dataset_streams import DatasetDesk

from pipelines.bigquery.connection import EMULATOR
from pipelines.bigquery.dataset import Dataset
from pubsub_emulator import emulating
from runs_desk import event
from stream_desk import Command

_OWN = {"run_id", "written_at", "received_at", "pane"}  # of a run: its name, clock and batches


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with emulating_bigquery() as running:
        yield running


@pytest.fixture(scope="module")
def kept(emulator: Emulator) -> Dataset:
    """One for all tests: its views are made once, which takes the emulator its time."""
    return Dataset(PROJECT, emulator.dataset())


@pytest.fixture
def dataset(emulator: Emulator, kept: Dataset) -> Dataset:
    """The same without rows."""
    return emptied(emulator, kept)


@pytest.fixture
def service(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteService]:
    with write_service(emulator.client) as (address, running):
        monkeypatch.setenv(EMULATOR, address)
        yield running


@pytest.fixture
def desk(
    tmp_path: Path,
    dataset: Dataset,
    emulator: Emulator,
    service: WriteService,  # noqa: ARG001 - it is there while the desk is
) -> DatasetDesk:
    return DatasetDesk(tmp_path, dataset, emulator)


def lines(first: int, count: int, hour: int = 10, **more: object) -> bytes:
    arrival = f"2026-01-15T{hour}:40:00Z"
    numbers = range(first, first + count)
    return "".join(f"{event(n, n, hour, received_at=arrival, **more)}\n" for n in numbers).encode()


def said(row: dict[str, Any]) -> str:
    return str({k: str(v) for k, v in sorted(row.items()) if k not in _OWN}).replace("UTC", "")


def test_a_stream_says_in_a_dataset_what_it_says_in_a_folder(
    desk: DatasetDesk, tmp_path: Path
) -> None:
    late = event(99, "0.000000000000000001", 3, received_at="2026-01-16T09:00:00Z")
    conflict = event(1, 77, 10, received_at="2026-01-15T10:50:00Z")
    desk.append("a.ndjson", lines(0, 50) + lines(40, 20) + lines(7, 5, 11))
    desk.append(
        "b.ndjson", f"{late}\n{conflict}\nnonsense\n".encode() + lines(0, 9, customer_id="'")
    )
    desk.end()
    with desk.command("--early", "0") as command:
        assert command.ends() == 0, command.errors
    desk.ended_well()
    local = tmp_path / "local"
    desk.here(desk.arguments("--streaming", "--input", f"tail:{desk.inputs}", out=local))
    for view in ("usage_current", "ledger_balance", "rejects", "events_current"):
        columns = [name for (name, *_) in desk.ask(f"DESCRIBE {view}", local)]
        rows = [dict(zip(columns, row, strict=True)) for row in desk.ask(f"FROM {view}", local)]
        found = desk.rows(view)
        assert rows
        assert sorted(map(said, found)) == sorted(map(said, rows)), view


def test_killed_it_goes_on_where_it_was_and_nowhere_else(
    desk: DatasetDesk, service: WriteService
) -> None:
    with desk.command("--early", "0") as command:
        desk.append("a.ndjson", lines(0, 100) + b"nonsense\n")
        command.until(lambda: service.rows["events"] >= 100 and service.rows["usage"])
        command.kill()
    (run,) = desk.rows("runs")
    assert run["status"] == "running"
    elsewhere = [*desk.streaming(), "--temp_location", str(desk.folder / "elsewhere")]
    done = desk.here(elsewhere, fails=2)
    assert "--run-id live: that stream was begun, and nothing of it is in" in done.output
    desk.append("a.ndjson", lines(90, 30))
    desk.end()
    with desk.command() as command:
        assert command.ends() == 0, command.errors
    desk.ended_well()
    assert desk.tokens() == [(120, sum(range(120)))]
    assert desk.stored("events") >= 230
    assert (len(desk.rows("events")), len(desk.rows("rejects"))) == (130, 1)


def test_lost_answers_and_a_service_that_is_away_change_no_number(
    desk: DatasetDesk, service: WriteService
) -> None:
    for table in ("events", "usage", "rejects", "ledger"):
        service.faults[table].extend(["unavailable", "lost", "internal", "lost"])
    desk.append("a.ndjson", lines(0, 100) + b"nonsense\n")
    desk.end()
    with desk.command("--early", "0", "--batch-rows", "20") as command:
        assert command.ends() == 0, command.errors
        assert f"bigquery://{desk.dataset}.events: trying again: made to be away" in command.errors
        assert ".events: takes rows again" in command.errors
    desk.ended_well()
    assert desk.tokens() == [(100, sum(range(100)))]
    assert desk.stored("events") > len(desk.rows("events")) == 100


@pytest.mark.parametrize("table", ["events", "usage"])
def test_while_rows_are_not_taken_the_source_reads_no_more(
    desk: DatasetDesk, service: WriteService, table: str
) -> None:
    gate = service.gates[table] = threading.Semaphore(0)
    steps = 5
    with desk.command("--early", "0", "--batch-rows", "10") as command:
        desk.append("a.ndjson", lines(0, 600))
        for step in range(steps):
            command.until(lambda n=step: service.requests[table] > n)
            desk.append("a.ndjson", lines(600 + 10 * step, 10))
            command.until(lambda n=step: desk.batches() > n)
            if table == "events":
                assert desk.batches() <= step + 2
            gate.release()
        read = desk.batches()
        gate.release(1000)
        desk.end()
        assert command.ends() == 0, command.errors
    assert read < 30  # of more than 60
    desk.ended_well()
    assert [count for count, _ in desk.tokens()] == [600 + 10 * steps]


def test_messages_come_again_until_what_came_of_them_is_there(
    desk: DatasetDesk, service: WriteService, tmp_path: Path
) -> None:
    gate = service.gates["events"] = threading.Semaphore(0)
    with emulating() as messages:
        address = messages.subscribe("calls")
        messages.publish(address, lines(0, 30).splitlines())
        usual = ["--streaming", "--input", address, "--run-id"]
        first = Command(tmp_path / "first.txt", desk.arguments(*usual, "first"))
        first.until(lambda: service.requests["events"])
        first.kill()
        messages.void_leases(address, range(1, 31))
        del service.gates["events"]
        gate.release(1000)
        second = Command(tmp_path / "second.txt", desk.arguments(*usual, "second"))
        second.until(lambda: len(desk.rows("events", "run_id = 'second'")) == 30)
        second.send(signal.SIGTERM)
        assert second.ends() == 0, second.errors
        assert not messages.pull(address)
    assert desk.tokens() == [(30, sum(range(30)))]
    assert all(row["balanced"] for row in desk.rows("ledger_balance", "run_id = 'second'"))


def test_a_refused_event_is_in_rejects_and_the_run_succeeds(
    desk: DatasetDesk, service: WriteService
) -> None:
    service.refuses = lambda table, row: (
        "not this one" if table == "events" and row["event_id"] == "7" else None
    )
    desk.append("a.ndjson", lines(0, 20))
    desk.end()
    with desk.command() as command:
        assert command.ends() == 0, command.errors
    desk.ended_well()
    assert desk.tokens() == [(20, sum(range(20)))]
    (reject,) = desk.rows("rejects")
    assert (reject["reason"], reject["detail"]) == ("refused", "events: not this one")
    assert len(desk.rows("events")) == 19


def test_refused_usage_fails_the_run_which_says_where_the_rows_are(
    desk: DatasetDesk, service: WriteService
) -> None:
    service.refuses = lambda table, row: (
        "no calls" if table == "usage" and row["meter"] == "calls" else None
    )
    desk.append("a.ndjson", lines(0, 20))
    desk.end()
    with desk.command() as command:
        assert command.ends() == 1
        assert "meter calls: 20 events metered, but 0 in usage" in command.errors
        assert "rows refused: 1, which are in rejects" in command.errors
    (run,) = desk.rows("runs")
    assert run["status"] == "failed"


def test_a_column_dropped_while_it_runs_ends_it_and_the_same_run_goes_on(
    desk: DatasetDesk, service: WriteService
) -> None:
    with desk.command("--early", "0") as command:
        desk.append("a.ndjson", lines(0, 20))
        command.until(lambda: service.rows["usage"])
        service.gone["usage"].add("cost")
        desk.append("a.ndjson", lines(20, 20))
        assert command.ends() == 1
        for word in (f"bigquery://{desk.dataset}.usage", "'cost'", "--run-id live", "tables"):
            assert word in command.errors
    service.gone.clear()
    desk.end()
    with desk.command() as command:
        assert command.ends() == 0, command.errors
    desk.ended_well()
    assert desk.tokens() == [(40, sum(range(40)))]


def test_a_table_of_other_types_is_an_error_before_anything_is_written(
    desk: DatasetDesk, emulator: Emulator
) -> None:
    desk.dataset = Dataset(PROJECT, emulator.dataset())
    emulator.query(f"CREATE TABLE {desk.dataset.table('usage')} (run_id STRING, cost STRING)")
    done = desk.here(desk.streaming(), fails=2)
    assert "table usage has a column cost of type STRING" in done.output
    tables = [each.table_id for each in emulator.client.list_tables(str(desk.dataset))]
    assert tables == ["usage"]


def test_too_many_rejects_fail_the_run(desk: DatasetDesk) -> None:
    desk.append("a.ndjson", lines(0, 3) + b"nonsense\n")
    desk.end()
    with desk.command("--max-rejects", "10%") as command:
        assert command.ends() == 1
        assert "1 rejects of 4 records received are more than --max-rejects 10" in command.errors
        assert f"they are in bigquery://{desk.dataset}.rejects" in command.errors
