"""Rows appended to BigQuery are there, each exactly, when the bundle that brought them ends."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import apache_beam as beam
import pytest
from appended_rows import batch, events, keys, stored, written
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from bigquery_write_service import WriteService, write_service
from google.api_core.retry import Retry
from stored_rows import event_row, ledger_row, reject_row, usage_row

from pipelines.bigquery.append import REQUEST_BYTES, Appender, parts
from pipelines.bigquery.connection import EMULATOR
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.sink import close_sink, sink_of
from pipelines.bigquery.tables import make_tables, tables_sql
from pipelines.bigquery.write_stream import WriteBigQuery
from pipelines.problems import JobFailedError

SOON = Retry(initial=0.01, maximum=0.05, timeout=1.0)
MOST = Decimal("99999999999999999999.999999999999999999")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with emulating_bigquery() as running:
        yield running


@pytest.fixture
def service(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteService]:
    with write_service(emulator.client) as (address, running):
        monkeypatch.setenv(EMULATOR, address)
        yield running


@pytest.fixture
def dataset(emulator: Emulator, service: WriteService) -> Iterator[Dataset]:  # noqa: ARG001 - closed before it
    made = Dataset(PROJECT, emulator.dataset())
    make_tables(emulator.client, made)
    yield made
    close_sink(made)


@pytest.mark.parametrize("table", ["events", "usage", "rejects", "ledger"])
def test_every_digit_and_null_of_a_row_is_kept(
    emulator: Emulator, service: WriteService, dataset: Dataset, table: str
) -> None:
    time = datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=1)
    rows = {
        "events": [event_row("r", "ü", event_time=time), event_row("r", "'", event_id=None)],
        "usage": [
            usage_row(
                "r", 1, 1 << 62, quantity=MOST, cost=MOST.copy_negate(), per=Decimal("1e-18")
            ),
            usage_row("r", 2, quantity=None, cost=None),
        ],
        "rejects": [reject_row("r", "not_json", 1, payload="\x00\U0001f600")],
        "ledger": [ledger_row("r", "received", 5), ledger_row("r", "matched", 5, meter="m")],
    }[table]
    sent = batch(table, *rows)
    assert written(dataset, table, sent) == {}
    found = stored(emulator, dataset, table)
    assert sorted(found, key=_named) == sorted(sent.to_pylist(), key=_named)
    assert service.requests == {table: 1}


def _named(row: dict[str, Any]) -> str:
    return str([row.get(name) for name in ("origin", "event_count", "outcome")])


def test_rows_of_a_bundle_go_as_one_request(service: WriteService, dataset: Dataset) -> None:
    written(dataset, "events", events("a"), events("b"), events("c", "d"))
    assert (service.requests["events"], service.rows["events"]) == (1, 4)


def test_bundles_share_one_connection_and_may_write_at_once(
    emulator: Emulator, service: WriteService, dataset: Dataset
) -> None:
    sink = sink_of(dataset)
    names = [f"{i:03}" for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda name: sink.append("events", events(name)), names)) == [[]] * 40
    assert keys(emulator, dataset) == names
    assert service.connections == {"events": 1}


def test_a_large_bundle_is_cut_into_requests_that_the_service_takes(
    service: WriteService, dataset: Dataset
) -> None:
    payload = "x" * (1 << 20)
    rows = batch("events", *(event_row("r", str(i), payload=payload) for i in range(20)))
    assert all(part.nbytes <= REQUEST_BYTES for part in parts(rows))
    assert written(dataset, "events", rows) == {}
    assert service.rows["events"] == 20
    assert service.requests["events"] == 4


@pytest.mark.parametrize("fault", ["unavailable", "aborted", "internal"])
def test_what_may_pass_is_tried_again(
    emulator: Emulator, service: WriteService, dataset: Dataset, fault: Any
) -> None:
    service.faults["events"].extend([fault] * 3)
    written(dataset, "events", events("a", "b"))
    assert keys(emulator, dataset) == ["a", "b"]
    assert service.requests["events"] == 4


def test_rows_whose_answer_was_lost_are_written_again(
    emulator: Emulator, service: WriteService, dataset: Dataset
) -> None:
    service.faults["events"].append("lost")
    written(dataset, "events", events("a", "b"))
    assert keys(emulator, dataset) == ["a", "a", "b", "b"]  # the views give each once
    assert service.connections["events"] == 2


def test_others_that_wait_for_answers_of_a_broken_connection_send_again(
    emulator: Emulator, service: WriteService, dataset: Dataset
) -> None:
    service.faults["events"].extend(["aborted", "lost", "unavailable"])
    with ThreadPoolExecutor(4) as pool:
        appender = Appender(dataset, "events")
        assert list(pool.map(appender.append, map(events, "abcd"))) == [[]] * 4
        appender.close()
    assert set(keys(emulator, dataset)) == set("abcd")


def test_a_service_that_stays_away_ends_the_job_with_its_words(
    service: WriteService, dataset: Dataset
) -> None:
    service.faults["events"].extend(["unavailable"] * 1000)
    appender = Appender(dataset, "events", SOON)
    with pytest.raises(JobFailedError, match=r"\.events does not take rows: .*made to be away"):
        appender.append(events("a"))
    service.faults["events"].clear()
    assert appender.append(events("a")) == []  # it can go on
    appender.close()


def test_an_answer_that_does_not_come_is_not_waited_for_forever(
    service: WriteService, dataset: Dataset
) -> None:
    gate = service.gates["events"] = threading.Semaphore(0)
    appender = Appender(dataset, "events", answer_s=0.2)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(appender.append, events("a"))
        while service.connections["events"] < 2:
            assert not running.done()
        gate.release(1000)
        assert running.result() == []
    appender.close()


def test_a_connection_that_the_service_ends_is_opened_again(
    service: WriteService, dataset: Dataset
) -> None:
    service.faults["events"].extend(["ended"] * 3)
    for key in "abcd":
        sink_of(dataset).append("events", events(key))
    assert (service.connections["events"], service.rows["events"]) == (4, 4)


def test_one_that_is_closed_tries_nothing_again(service: WriteService, dataset: Dataset) -> None:
    gate = service.gates["events"] = threading.Semaphore(0)
    appender = Appender(dataset, "events")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(appender.append, events("a"))
        while not service.requests["events"]:
            assert not running.done()
        appender.close()
        with pytest.raises(JobFailedError, match="the connection was closed"):
            running.result()
    gate.release(1000)
    assert service.connections["events"] == 1


def test_a_column_that_is_gone_is_named_with_its_table(
    service: WriteService, dataset: Dataset
) -> None:
    sink_of(dataset).append("events", events("a"))
    service.gone["events"].add("event_id")
    with pytest.raises(JobFailedError) as raised:
        sink_of(dataset).append("events", events("b"))
    assert f"bigquery://{dataset}.events does not take rows: " in str(raised.value)
    assert "extra fields: 'event_id'" in str(raised.value)
    assert "`meterbeam tables`" in str(raised.value)
    assert service.requests["events"] == 2  # it is not tried again


def test_a_column_of_somebody_else_is_left_null(
    emulator: Emulator, service: WriteService, dataset: Dataset
) -> None:
    emulator.query(f"DROP TABLE {dataset.table('events')}")
    (made,) = (sql for sql in tables_sql(dataset) if ".events`" in sql)
    emulator.query(made.replace("(\n", "(\n  team STRING,\n", 1))
    sink_of(dataset).append("events", events("a"))
    assert [row["team"] for row in stored(emulator, dataset, "events")] == [None]
    assert service.rows["events"] == 1


def test_a_batch_is_safe_when_its_rows_are_answered(
    service: WriteService, dataset: Dataset
) -> None:
    sink, gate = sink_of(dataset), threading.Semaphore(0)
    service.gates["events"] = gate
    everything = sink.safe_up_to()
    with ThreadPoolExecutor(1) as pool:
        stamped = beam.transforms.window.TimestampedValue(events("a"), 7)
        running = pool.submit(_write_stamped, dataset, stamped)
        while not service.requests["events"]:
            assert not running.done()
        assert sink.safe_up_to() == 6999
        gate.release()
        running.result()
    assert sink.safe_up_to() == everything


def _write_stamped(dataset: Dataset, element: Any) -> None:
    with beam.Pipeline("FnApiRunner") as pipeline:
        elements = pipeline | beam.Create([element], reshuffle=False)
        stamped = elements | beam.Map(lambda each: each)
        stamped | WriteBigQuery(dataset, "events", "r")


def test_the_source_waits_while_usage_is_not_taken(service: WriteService, dataset: Dataset) -> None:
    sink, gate = sink_of(dataset), threading.Semaphore(0)
    service.gates["usage"] = gate
    with ThreadPoolExecutor(2) as pool:
        usage = pool.submit(sink.append, "usage", batch("usage", usage_row("r", 1)))
        while not sink.is_slow():
            assert not usage.done()
        waits = pool.submit(sink.append, "events", events("a"))
        sink.append("ledger", batch("ledger", ledger_row("r", "received", 1)))
        assert service.requests == {"usage": 1, "ledger": 1}
        gate.release()
        assert (usage.result(), waits.result()) == ([], [])
    assert service.rows == {"usage": 1, "ledger": 1, "events": 1}
