"""Where files wait for their load: a folder, or a bucket, which holds none of them afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from storage_server import storing
from stored_rows import ledger_row, run_row

from pipelines.bigquery import staging
from pipelines.bigquery.client import connected
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.load import load_table
from pipelines.bigquery.tables import make_tables
from pipelines.problems import UserError
from transforms.tables import TABLES


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


@pytest.fixture
def bucket(service: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A bucket that BigQuery and this process see: gs://temporary."""
    with storing(service.gcs) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        folder = service.gcs / "temporary"
        folder.mkdir(exist_ok=True)
        yield folder


def found(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_files_are_loaded_from_the_bucket_and_removed_when_the_run_has_succeeded(
    service: Emulator, bucket: Path
) -> None:
    dataset = Dataset(PROJECT, service.dataset())
    kept = bucket / "a" / "meterbeam-r-1" / "other"  # of another run
    kept.parent.mkdir(parents=True)
    kept.write_text("")
    with (
        connected(dataset) as client,
        staging.staged(dataset, "r", "gs://temporary/a/") as (folder, place),
    ):
        make_tables(client, dataset)
        rows = pa.Table.from_pylist([ledger_row("r", "received", 7)], TABLES["ledger"])
        pq.write_table(rows, folder / "1.parquet")
        before = len(service.requests())
        assert load_table(client, dataset, "ledger", run_row("r"), folder, bucket=place) == 1
        assert not [name for name in service.requests()[before:] if "/upload" in name]
        (staged,) = (name for name in found(bucket) if name.endswith(".parquet"))
        assert staged.startswith("a/meterbeam-r/meterbeam-r-")
        assert place is not None
        place.clear()
    assert found(bucket) == ["a/meterbeam-r-1/other"]
    events = f"SELECT events FROM {dataset.table('ledger')}"  # noqa: S608 - ours
    assert service.query(events) == [{"events": 7}]


def test_a_local_place_gets_a_folder_that_goes(tmp_path: Path) -> None:
    place = tmp_path / "new"
    with staging.staged(Dataset("p", "d"), "r", str(place)) as (folder, bucket):
        assert folder.parent == place
        assert bucket is None
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("gs://nowhere/a", "no such bucket"),
        ("s3://temporary/a", "name a local folder, or gs://bucket/path"),
        ("/dev/null/a", "Not a directory"),
    ],
)
def test_a_place_that_is_none_is_named(bucket: Path, place: str, words: str) -> None:
    assert bucket.is_dir()
    with pytest.raises(UserError, match=words) as told:
        staging.check(Dataset("p", "d"), place)
    assert f"--temp_location {place}: " in str(told.value)
