"""Load jobs are asked for once, and only of a dataset that is rightly named."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from google.api_core.exceptions import Conflict
from google.cloud import bigquery
from stored_rows import ledger_row, run_row

from pipelines.bigquery import load
from pipelines.bigquery.client import connected
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.load import job_id, load_table
from pipelines.bigquery.tables import make_tables
from runs_desk import Desk, event
from transforms.tables import TABLES


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def dataset(service: Emulator) -> Dataset:
    made = Dataset(PROJECT, service.dataset())
    with connected(made) as client:
        make_tables(client, made)
    return made


def files(folder: Path, count: int) -> None:
    """Files with a row each, and some that are none of the table."""
    for number in range(count):
        rows = pa.Table.from_pylist([ledger_row("r", "received", number)], TABLES["ledger"])
        pq.write_table(rows, folder / f"{number}.parquet")
    (folder / ".half.parquet").write_text("still being written")


def counts(service: Emulator, dataset: Dataset) -> list[int]:
    rows = service.query(f"SELECT events FROM {dataset.table('ledger')}")  # noqa: S608 - ours
    return sorted(row["events"] for row in rows)


@pytest.mark.parametrize(
    ("output", "args", "words"),
    [
        ("bigquery://nothing", [], "bigquery://project.dataset"),
        ("bigquery://meterbeam-test.a-b", [], "'a-b' is no dataset"),
        ("bigquery://Project.d", [], "'Project' is no id of a project"),
        ("bigquery://meterbeam-test.`d`; DROP", [], "is no dataset"),
        ("bigquery://meterbeam-test.nowhere", [], "bq mk"),
    ],
)
def test_a_wrong_dataset_is_named(
    service: Emulator, desk: Desk, output: str, args: list[str], words: str
) -> None:
    given = ["--input", desk.file("a.ndjson", event(1, 5)), "--output", output, *args]
    done = desk.run(*given, fails=2)
    assert output in done.stderr
    assert words in done.stderr
    assert not [name for name in service.requests() if "nowhere" in name and "POST" in name]


def test_a_job_asked_for_twice_has_one_id(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in "abc")
    first.write_bytes(b"rows")
    second.write_bytes(b"rows")
    other.write_bytes(b"others")
    one = run_row("a.b-c_" + "d" * 122)
    known = job_id(one, "usage", first)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,1024}", known)
    assert job_id(one, "usage", second) == known
    again = replace(one, started_at=one.started_at.replace(microsecond=1))
    for differs in (
        job_id(one, "usage", other),
        job_id(one, "events", first),
        job_id(run_row("e"), "usage", first),
        job_id(again, "usage", first),  # its rows were removed: they are loaded anew
    ):
        assert differs != known


def test_files_are_put_together_into_few_jobs(
    service: Emulator, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(dataset) as client:
        files(tmp_path, 20)
        assert load_table(client, dataset, "ledger", run_row("r"), tmp_path) == 1
        assert counts(service, dataset) == list(range(20))
        assert [path.name for path in tmp_path.iterdir()] == [".half.parquet"]
        monkeypatch.setattr(load, "_FILE_BYTES", 1)  # a file is as much as a job takes
        files(tmp_path, 3)
        assert load_table(client, dataset, "ledger", run_row("r"), tmp_path) == 3
        assert load_table(client, dataset, "ledger", run_row("r"), tmp_path) == 0
    assert len(counts(service, dataset)) == 23


def test_a_job_that_was_asked_for_before_is_waited_for(
    service: Emulator, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload whose answer was lost is asked for again: 409, which the emulator never says."""
    upload, known = bigquery.Client.load_table_from_file, dict[str, Any]()

    def lost(client: bigquery.Client, file: Any, table: str, job_id: str, **how: Any) -> Any:
        known[job_id] = upload(client, file, table, job_id=job_id, **how)
        raise Conflict("Already Exists: Job")

    monkeypatch.setattr(bigquery.Client, "load_table_from_file", lost)
    monkeypatch.setattr(bigquery.Client, "get_job", lambda _, job_id: known[job_id])
    files(tmp_path, 2)
    with connected(dataset) as client:
        assert load_table(client, dataset, "ledger", run_row("r"), tmp_path) == 1
    assert counts(service, dataset) == [0, 1]
    assert len(known) == 1
