"""The runs of a dataset: what one that begins asks of them, removes of them, and writes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from bigquery_front import fronting

from pipelines.bigquery import registry
from pipelines.bigquery.client import connected
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.tables import make_tables
from pipelines.problems import JobFailedError
from pipelines.runs import Run
from transforms.tables import TABLES

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
FIRST = Run("x", "batch", "running", None, None, ("tokens",), AT, None, "c", "r")
NEXT = replace(FIRST, started_at=AT + timedelta(minutes=1))
OTHER = replace(FIRST, started_at=AT + timedelta(seconds=30))
FILLED = [table for table in TABLES if table != "runs"]
IN_BUFFER = "UPDATE or DELETE statement over table p.d.t would affect rows in the streaming buffer"


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


@pytest.fixture
def dataset(service: Emulator) -> Dataset:
    made = Dataset(PROJECT, service.dataset())
    make_tables(service.client, made)
    return made


def put(service: Emulator, dataset: Dataset, table: str, run_id: str) -> None:
    service.query(f"INSERT INTO {dataset.table(table)} (run_id) VALUES ('{run_id}')")  # noqa: S608 - ours


def attempts(service: Emulator, dataset: Dataset) -> list[tuple[datetime, str]]:
    rows = service.query(f"SELECT * FROM {dataset.table('runs')} ORDER BY started_at, status")  # noqa: S608 - ours
    return [(row["started_at"], row["status"]) for row in rows]


def stored(service: Emulator, dataset: Dataset, table: str) -> list[str]:
    rows = service.query(f"SELECT run_id FROM {dataset.table(table)} ORDER BY run_id")  # noqa: S608 - ours
    return [row["run_id"] for row in rows]


@pytest.mark.parametrize("table", FILLED)
def test_a_row_in_any_table_is_something_that_a_run_has_read(
    service: Emulator, dataset: Dataset, table: str
) -> None:
    put(service, dataset, table, "another")
    registry.write_run(service.client, dataset, FIRST)
    assert registry.is_empty(service.client, dataset, "x")
    put(service, dataset, table, "x")
    assert not registry.is_empty(service.client, dataset, "x")


def test_an_attempt_removes_what_those_before_it_left_and_nothing_else(
    service: Emulator, dataset: Dataset
) -> None:
    for run in (FIRST, replace(FIRST, status="failed"), replace(FIRST, run_id="another")):
        registry.write_run(service.client, dataset, run)
    for table in FILLED:
        put(service, dataset, table, "x")
        put(service, dataset, table, "another")
    earlier = registry.known(service.client, dataset, "x")
    registry.begin_run(service.client, dataset, NEXT, earlier)
    for table in FILLED:
        assert stored(service, dataset, table) == ["another"], table
    assert attempts(service, dataset) == [(AT, "running"), (NEXT.started_at, "running")]
    assert stored(service, dataset, "runs") == ["another", "x"]


@pytest.mark.parametrize("before", [[], [FIRST, replace(FIRST, status="failed")]])
@pytest.mark.parametrize(
    "other", [OTHER, replace(OTHER, started_at=NEXT.started_at + AT.resolution)]
)
def test_of_two_attempts_at_once_the_one_that_sees_the_other_gives_up_and_leaves_nothing(
    service: Emulator, dataset: Dataset, before: list[Run], other: Run
) -> None:
    for run in before:
        registry.write_run(service.client, dataset, run)
    earlier = registry.known(service.client, dataset, "x")
    registry.begin_run(service.client, dataset, other, earlier)
    put(service, dataset, "events", "x")
    with pytest.raises(JobFailedError, match="run x: another command begins it at this moment"):
        registry.begin_run(service.client, dataset, NEXT, earlier)
    assert attempts(service, dataset) == [(other.started_at, "running")]
    assert stored(service, dataset, "events") == ["x"]
    assert registry.is_latest(service.client, dataset, other)


def test_rows_that_the_service_keeps_are_named_with_the_way_out(
    service: Emulator, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in (FIRST, replace(FIRST, status="failed")):
        registry.write_run(service.client, dataset, run)
    put(service, dataset, "events", "x")
    with fronting(service.service.rest, frozenset()) as (address, front):
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", address)
        front.refuses = {"DELETE FROM `[^`]*[.]events`": IN_BUFFER}
        with connected(dataset) as client:
            earlier = registry.known(client, dataset, "x")
            with pytest.raises(JobFailedError) as told:
                registry.begin_run(client, dataset, NEXT, earlier)
        assert IN_BUFFER in str(told.value)
        assert "run x: the rows of an earlier attempt cannot be removed yet" in str(told.value)
        assert "take another run id, or begin this one again in half an hour" in str(told.value)
        assert attempts(service, dataset) == [(AT, "failed"), (AT, "running")]
        front.refuses = {}
        later = replace(NEXT, started_at=NEXT.started_at + timedelta(minutes=30))
        with connected(dataset) as client:
            registry.begin_run(client, dataset, later, earlier)
    assert attempts(service, dataset) == [(later.started_at, "running")]
    assert stored(service, dataset, "events") == []
