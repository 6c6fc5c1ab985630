"""A row that BigQuery refuses is a row of rejects, and the stream goes on."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from appended_rows import batch, events, keys, stored, written
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from bigquery_write_service import WriteService, write_service
from stored_rows import event_row, ledger_row, usage_row

from pipelines.bigquery.append import REQUEST_BYTES
from pipelines.bigquery.connection import EMULATOR
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.sink import close_sink
from pipelines.bigquery.tables import make_tables
from transforms.tables import TABLES


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


def test_a_refused_row_is_in_rejects_and_the_others_are_written(
    emulator: Emulator, service: WriteService, dataset: Dataset
) -> None:
    service.refuses = lambda _, row: f"bad {row['meter']}" if row.get("event_count") == 3 else None
    rows = [usage_row("r", hour, hour, quantity=Decimal(hour) / 8) for hour in range(1, 6)]
    counters = written(dataset, "usage", batch("usage", *rows[:2]), batch("usage", *rows[2:]))
    assert counters == {"refused": 1}
    assert sorted(row["event_count"] for row in stored(emulator, dataset, "usage")) == [1, 2, 4, 5]
    (reject,) = stored(emulator, dataset, "rejects")
    assert (reject["reason"], reject["detail"]) == ("refused", "usage: bad calls")
    assert (reject["meter"], reject["customer_id"], reject["run_id"]) == ("calls", "c1", "r")
    row = json.loads(reject["payload"])
    assert list(row) == TABLES["usage"].names
    assert (row["quantity"], row["event_count"]) == ("0.375000000000000000", 3)
    assert row["window_start"] == "2026-01-15T03:00:00Z"


def test_a_row_refused_again_has_the_same_reject_and_another_row_another(
    emulator: Emulator, service: WriteService, dataset: Dataset
) -> None:
    service.refuses = lambda table, _: "no" if table in {"usage", "ledger"} else None
    for written_at in (1, 2):
        time = datetime(2026, 1, written_at, tzinfo=UTC)
        written(dataset, "usage", batch("usage", usage_row("r", 1, written_at=time)))
    written(dataset, "usage", batch("usage", usage_row("r", 1, 2)))
    written(dataset, "ledger", batch("ledger", ledger_row("r", "received", 1)))
    origins = [row["origin"] for row in stored(emulator, dataset, "rejects")]
    assert (len(origins), len(set(origins))) == (4, 3)
    assert all(len(origin) == 32 for origin in origins)


def test_a_refused_reject_is_kept_without_its_payload(
    emulator: Emulator, service: WriteService, dataset: Dataset
) -> None:
    service.refuses = lambda _, row: "no payloads" if row["payload"] else None
    counters = written(dataset, "events", events("a", "b"))
    assert counters == {"refused": 2}
    rows = stored(emulator, dataset, "rejects")
    assert [(row["detail"], row["payload"], row["customer_id"]) for row in rows] == [
        ("events: no payloads", None, None)
    ] * 2


def test_what_even_rejects_refuse_is_counted_and_logged_and_ends_nothing(
    emulator: Emulator,
    service: WriteService,
    dataset: Dataset,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service.refuses = lambda table, row: (
        "never" if table == "rejects" or row["event_key"] == "b" else None
    )
    counters = written(dataset, "events", events("a", "b", "c"))
    assert counters == {"refused": 1, "refused_lost": 1}
    assert keys(emulator, dataset) == ["a", "c"]
    assert "run r: a row of events is lost" in caplog.text


def test_a_row_that_no_request_takes_is_refused_without_asking(
    emulator: Emulator, service: WriteService, dataset: Dataset
) -> None:
    large = event_row("r", "large", payload="x" * REQUEST_BYTES)
    counters = written(dataset, "events", batch("events", large, event_row("r", "a")))
    assert keys(emulator, dataset) == ["a"]
    (reject,) = stored(emulator, dataset, "rejects")
    assert "the row has 8,388" in reject["detail"]
    assert reject["payload"] is None
    assert (counters, service.requests["events"]) == ({"refused": 1}, 1)
