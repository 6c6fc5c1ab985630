"""Catalog and rates at gs:// are read as those of this machine, by every command."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from storage_server import storing

from pipelines.command import main
from runs_desk import CATALOG, RATES, Desk, event


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that is gs://bucket."""
    folder = tmp_path / "gs" / "bucket"
    (folder / "rates" / "more").mkdir(parents=True)
    (folder / "catalog.yaml").write_text(CATALOG)
    for name in ("list.csv", ".hidden.csv", "notes.txt", "more/else.csv"):
        (folder / "rates" / name).write_text(RATES if name == "list.csv" else "?")
    with storing(folder.parent) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        yield folder


def check(catalog: str, rates: str) -> Result:
    return CliRunner().invoke(main, ["check", "--catalog", catalog, "--rates", rates])


@pytest.mark.parametrize("rates", ["rates", "rates/", "rates/list.csv"])
def test_a_file_and_a_folder_are_read(bucket: Path, rates: str) -> None:
    assert bucket.is_dir()
    done = check("gs://bucket/catalog.yaml", f"gs://bucket/{rates}")
    assert done.exit_code == 0, done.output
    assert "gs://bucket/catalog.yaml: 2 meters, 1 rates: right" in done.output


@pytest.mark.parametrize(
    ("catalog", "rates", "words"),
    [
        ("gs://bucket/catalogue.yaml", "gs://bucket/rates", "catalogue.yaml: no such file"),
        ("gs://nowhere/catalog.yaml", "gs://bucket/rates", "no such file or bucket"),
        ("gs://bucket/catalog.yaml", "gs://bucket/rate", "there is no such file or folder"),
        ("gs://bucket/catalog.yaml", "gs://nowhere/rates", "gs://nowhere/rates: cannot be read"),
        ("gs://bucket/catalog.yaml", "gs://bucket/rates/notes.txt", "notes.txt:1"),
        ("gs://bucket/rates/list.csv", "gs://bucket/rates", "gs://bucket/rates/list.csv"),
        ("gs://bucket/catalog.yaml", "http://bucket/rates", "begin with gs://"),
    ],
)
def test_what_is_wrong_is_named(bucket: Path, catalog: str, rates: str, words: str) -> None:
    assert bucket.is_dir()
    done = check(catalog, rates)
    assert done.exit_code == 2, done.output
    assert words in done.output
    assert "Traceback" not in done.output


def test_a_batch_run_takes_all_from_a_bucket(bucket: Path, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (bucket / "a.ndjson").write_text(f"{event(1, 3)}\n{event(2, 4)}\n")
    files = ["--catalog", "gs://bucket/catalog.yaml", "--rates", "gs://bucket/rates"]
    desk.run(*files, "--input", "gs://bucket/*.ndjson", rates=False)
    assert desk.tokens() == {10: 7}
