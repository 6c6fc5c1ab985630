"""Whatever becomes of a load job, or of the process: nothing is lost, and nothing shows twice."""

import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from bigquery_front import Fault, Front, fronting
from dataset_desk import COMPARED, ask, emptied, run, same, statuses, stored, tokens

from pipelines.bigquery.dataset import Dataset
from pipelines.views import VIEWS, view_sql
from pipelines.views.dialects import bigquery_name, read_by
from runs_desk import Desk, event

_COMMAND = "from pipelines.command import program; program()"


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def kept(service: Emulator) -> Dataset:
    """One for all tests: its views are made once, which takes the emulator its time."""
    return Dataset(PROJECT, service.dataset())


@pytest.fixture
def dataset(service: Emulator, kept: Dataset) -> Dataset:
    """The same without rows."""
    return emptied(service, kept)


@pytest.fixture
def front(service: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """Between this process, those it starts, and the emulator."""
    with fronting(service.service.rest, _needed()) as (address, front):
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", address)
        yield front


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def _needed() -> frozenset[str]:
    """The views that are compared, and those they read."""
    found, rest = set[str](), set(COMPARED)
    while rest:
        found |= rest
        rest = {name for each in rest for name in read_by(view_sql(each), VIEWS)} - found
    names = {bigquery_name(*reversed(name.rpartition("/")[::2])) for name in found | {"runs"}}
    return frozenset({*names, "steps_meters"})


def events(desk: Desk) -> Path:
    return desk.file("a.ndjson", *(event(n % 7, n % 7, 10 + n % 2) for n in range(9)), "nonsense")


def killed(
    front: Front, desk: Desk, dataset: Dataset, path: Path, table: str, *faults: Fault
) -> None:
    """A run by the command as a process of its own, killed at a load job of a table."""
    front.faults[table].extend(faults)
    given = ["run", "--catalog", desk.folder / "catalog.yaml", "--rates", desk.folder / "rates.csv"]
    given += ["--input", path, "--output", f"bigquery://{dataset}", "--run-id", "x", "--quiet"]
    command = [sys.executable, "-c", _COMMAND, *map(str, given)]
    log = desk.folder / "log"
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        front.kill = process.kill
    assert process.returncode == -signal.SIGKILL, log.read_text()


@pytest.mark.parametrize(
    ("table", "faults", "landed"),
    [
        ("usage", ["kill before"], "events"),
        ("usage", ["kill, then land"], "events"),
        ("ledger", ["kill"], "ledger"),
        ("runs", ["none", "kill before"], "ledger"),
    ],
)
def test_a_run_killed_at_a_load_shows_nothing_and_is_whole_when_it_is_done_again(
    service: Emulator,
    front: Front,
    dataset: Dataset,
    desk: Desk,
    table: str,
    faults: list[Fault],
    landed: str,
) -> None:
    path = events(desk)
    killed(front, desk, dataset, path, table, *faults)
    assert stored(service, dataset, landed)
    if stored(service, dataset, "runs"):
        assert statuses(service, dataset) == {"x": "running"}
    for view in COMPARED:
        assert ask(service, dataset, view) == []
    desk.run("--input", path)
    run(desk, dataset, "--input", path, "--run-id", "x")
    same(service, dataset, desk)
    assert not front.waiting
    assert stored(service, dataset, "events") == 9
    assert statuses(service, dataset) == {"x": "succeeded"}


def test_a_run_killed_when_its_success_is_there_has_succeeded(
    service: Emulator, front: Front, dataset: Dataset, desk: Desk
) -> None:
    path = events(desk)
    killed(front, desk, dataset, path, "runs", "none", "kill")
    desk.run("--input", path)
    same(service, dataset, desk)
    again = run(desk, dataset, "--input", path, "--run-id", "x", fails=2)
    assert "run x has succeeded" in again.stderr
    same(service, dataset, desk)


def test_an_answer_that_is_lost_is_asked_for_again_and_the_job_is_found(
    service: Emulator, front: Front, dataset: Dataset, desk: Desk
) -> None:
    path = events(desk)
    front.faults |= {"events": deque(["lost"]), "runs": deque(["none", "lost"])}
    run(desk, dataset, "--input", path)
    desk.run("--input", path)
    same(service, dataset, desk)
    assert [name.split("-")[-2] for name in front.again] == ["events", "runs"]
    assert stored(service, dataset, "events") == 9
    assert stored(service, dataset, "runs") == 2


def test_a_service_that_is_busy_is_asked_again(
    service: Emulator, front: Front, dataset: Dataset, desk: Desk
) -> None:
    front.faults["usage"].append("busy")
    run(desk, dataset, "--input", desk.file("a.ndjson", event(1, 5)))
    assert front.again == []
    assert tokens(service, dataset) == {10: 5}


def test_jobs_of_other_runs_are_not_waited_for(
    service: Emulator, front: Front, dataset: Dataset, desk: Desk
) -> None:
    path = events(desk)
    killed(front, desk, dataset, path, "usage", "kill, then land")
    (name,) = front.waiting
    run(desk, dataset, "--input", desk.file("b.ndjson", event(1, 5)), "--run-id", "x-1")
    assert name in front.jobs  # it landed beside a load of the other run
    assert tokens(service, dataset) == {10: 5}


@pytest.fixture
def rejects(service: Emulator, dataset: Dataset) -> Iterator[str]:
    """A table that a test makes anew in its own way, and the next run in ours."""
    yield dataset.table("rejects")
    service.query(f"DROP TABLE {dataset.table('rejects')}")


def test_a_column_of_another_type_is_named_before_anything_is_written(
    service: Emulator, front: Front, dataset: Dataset, desk: Desk, rejects: str
) -> None:
    path = desk.file("a.ndjson", event(1, 5))
    run(desk, dataset, "--input", path, "--run-id", "x")
    columns = "run_id INT64, team STRING NOT NULL"
    service.query(f"DROP TABLE {rejects}")
    service.query(f"CREATE TABLE {rejects} ({columns})")
    before = len(front.jobs)
    done = run(desk, dataset, "--input", path, "--run-id", "y", "--replace", fails=2)
    assert f"bigquery://{dataset}: table rejects has a column run_id of type INT" in done.stderr
    assert "rejects wants a value in its column team" in done.stderr
    assert len(front.jobs) == before
    assert statuses(service, dataset) == {"x": "succeeded"}


def test_a_column_that_is_gone_is_added_again(
    service: Emulator, front: Front, dataset: Dataset, desk: Desk, rejects: str
) -> None:
    assert front
    path = desk.file("a.ndjson", event(1, 5), "nonsense")
    run(desk, dataset, "--input", path, "--run-id", "x")
    rows = f"SELECT * EXCEPT (payload) FROM {rejects}"  # noqa: S608 - ours
    service.query(f"CREATE OR REPLACE TABLE {rejects} AS {rows}")
    run(desk, dataset, "--input", path, "--run-id", "y", "--replace")
    found = service.query(f"SELECT run_id, payload FROM {rejects}")  # noqa: S608 - ours
    assert {row["run_id"]: row["payload"] for row in found} == {"x": None, "y": "nonsense"}
