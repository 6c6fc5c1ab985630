"""A batch run into a dataset says what it says locally, all of it at once or nothing."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from dataset_desk import COMPARED, ask, emptied, run, said, same, statuses, stored, tokens
from google.cloud import bigquery

from pipelines.bigquery import registry
from pipelines.bigquery.dataset import Dataset
from pipelines.demo import example
from pipelines.runs import Run
from runs_desk import Desk, event
from transforms.tables import TABLES


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
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Temporary folders are made beside its files: after the test none is there any more."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield Desk(tmp_path)
    assert not list(folder.glob("meterbeam-*"))


def test_a_run_says_in_a_dataset_what_it_says_in_a_folder(
    service: Emulator, dataset: Dataset, desk: Desk
) -> None:
    lines = [event(i % 7, f"{i % 7}.1", 10 + i % 7 % 3, customer_id="c'\"\\") for i in range(9)]
    path = desk.file("a.ndjson", *lines, event(9, "many"), "non'sense", event(1, 99))
    desk.run("--input", path)
    before = len(service.requests())
    run(desk, dataset, "--input", path)
    same(service, dataset, desk)
    uploads = [each for each in service.requests()[before:] if "POST /upload" in each]
    assert len(uploads) == 6  # four tables, and the run's begin and end


def test_the_example_says_in_a_dataset_what_it_says_in_a_folder(
    service: Emulator, dataset: Dataset, desk: Desk
) -> None:
    args = ["--source", "azure", "--input", example("requests.csv")]
    args += ["--catalog", example("catalog.yaml"), "--rates", example("rates.csv")]
    desk.run(*args, rates=False)
    run(desk, dataset, *args)
    for view in ("usage_current", "ledger_balance"):
        columns = [name for (name, *_) in desk.ask(f"DESCRIBE {view}")]
        local = [dict(zip(columns, row, strict=True)) for row in desk.ask(f"SELECT * FROM {view}")]  # noqa: S608 - ours
        rows = ask(service, dataset, view)
        assert sorted(map(said, rows)) == sorted(map(said, local))
    count = f"SELECT COUNT(*) AS n FROM {dataset.table('events_current')}"  # noqa: S608 - ours
    assert service.query(count) == [{"n": desk.ask("SELECT COUNT(*) FROM events_current")[0][0]}]


def test_a_run_id_that_succeeded_is_refused(
    service: Emulator, dataset: Dataset, desk: Desk
) -> None:
    run(desk, dataset, "--input", desk.file("a.ndjson", event(1, 5)), "--run-id", "x")
    other = desk.file("b.ndjson", event(2, 7, 11))
    assert (
        "run x has succeeded"
        in run(desk, dataset, "--input", other, "--run-id", "x", fails=2).stderr
    )
    assert tokens(service, dataset) == {10: 5}


def test_covered_windows_are_named_and_shown_nowhere_until_they_are_replaced(
    service: Emulator, dataset: Dataset, desk: Desk
) -> None:
    first = desk.file("a.ndjson", event(1, 5, 10), event(2, 6, 11))
    run(desk, dataset, "--input", first, "--run-id", "monday")
    late = desk.file("b.ndjson", event(3, 7, 10), event(4, 1, 12))
    done = run(desk, dataset, "--input", late, "--run-id", "late", fails=1)
    for word in ("monday", "tokens", "--replace", "2026-01-15T10"):
        assert word in done.stderr
    assert tokens(service, dataset) == {10: 5, 11: 6}
    assert len(ask(service, dataset, "events")) == 2
    assert statuses(service, dataset) == {"monday": "succeeded", "late": "failed"}
    run(desk, dataset, "--input", late, "--run-id", "late", "--replace")
    assert tokens(service, dataset) == {10: 7, 11: 6, 12: 1}
    assert statuses(service, dataset) == {"monday": "succeeded", "late": "succeeded"}
    assert len(ask(service, dataset, "runs")) == 2


def test_a_failed_run_can_be_done_again_and_leaves_no_old_rows(
    service: Emulator, dataset: Dataset, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = desk.file("a.ndjson", event(1, 5), event(2, 8, 11), "nonsense")
    with monkeypatch.context() as broken:
        broken.setattr(registry, "windows_already_covered", lambda *_: 1 / 0)
        done = run(desk, dataset, "--input", path, "--run-id", "x.1", fails=1)
    assert "run x.1 failed: ZeroDivisionError" in done.stderr
    assert statuses(service, dataset) == {"x.1": "failed"}
    run(desk, dataset, "--input", desk.file("b.ndjson", event(1, 6)), "--run-id", "x.1")
    assert tokens(service, dataset) == {10: 6}
    counts = {table: stored(service, dataset, table) for table in TABLES}
    assert (counts["events"], counts["rejects"], counts["runs"]) == (1, 0, 2)


def test_a_run_killed_before_its_success_is_written_shows_nothing(
    service: Emulator, dataset: Dataset, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write = desk.file("a.ndjson", event(1, 5), "nonsense"), registry.write_run

    def killed(client: bigquery.Client, dataset: Dataset, run: Run) -> None:
        if run.status == "succeeded":
            raise ConnectionError("no way there")
        write(client, dataset, run)

    with monkeypatch.context() as broken:
        broken.setattr(registry, "write_run", killed)
        done = run(desk, dataset, "--input", path, "--run-id", "x", fails=1)
    assert f"bigquery://{dataset}: no way there" in done.stderr
    assert stored(service, dataset, "events") == 1
    for view in COMPARED:
        assert ask(service, dataset, view) == []
    assert statuses(service, dataset) == {"x": "running"}
    run(desk, dataset, "--input", path, "--run-id", "x")
    assert tokens(service, dataset) == {10: 5}
    assert stored(service, dataset, "events") == 1


def test_too_many_rejects_fail_the_run_before_anything_is_loaded(
    service: Emulator, dataset: Dataset, desk: Desk
) -> None:
    path = desk.file("a.ndjson", event(1, 5), "nonsense")
    done = run(desk, dataset, "--input", path, "--max-rejects", "10%", fails=1)
    assert "1 rejects of 2 records" in done.stderr
    assert "not_json 1; nothing was loaded" in done.stderr
    run(desk, dataset, "--input", path, "--max-rejects", "50%")
    assert tokens(service, dataset) == {10: 5}


def test_a_load_job_that_fails_is_told_in_the_words_of_the_service(
    service: Emulator, desk: Desk
) -> None:
    dataset = Dataset(PROJECT, service.dataset())
    own = ", ".join(f"{name} STRING" for name in ("run_id", "meter", "outcome", "reason", "more"))
    ledger = f"({own}, period_start TIMESTAMP, events INT64)"
    service.query(f"CREATE TABLE {dataset.table('ledger')} {ledger}")
    path = desk.file("a.ndjson", event(1, 5))
    done = run(desk, dataset, "--input", path, "--run-id", "x", fails=1)
    assert f"bigquery://{dataset}.ledger: load job meterbeam-x-" in done.stderr
    assert "7 columns but 6 values" in done.stderr
    assert statuses(service, dataset) == {"x": "failed"}
    assert ask(service, dataset, "events") == []
