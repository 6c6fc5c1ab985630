"""What a command loads before it begins, and how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.views import duckdb_sql

COMMAND = Path(sys.executable).with_name("meterbeam")
EVENT = '{"id":"1","event_type":"call","customer_id":"c","timestamp":"2026-01-15T10:00:00Z"}\n'
CATALOG = "version: 1\nmeters:\n  - {name: calls, event_type: call, aggregation: count}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    (tmp_path / "events.ndjson").write_text(EVENT)
    return tmp_path


def run(folder: Path) -> list[str]:
    options = ["--catalog", folder / "catalog.yaml", "--input", folder / "events.ndjson"]
    return [str(each) for each in ["run", *options, "--output", folder / "out", "--quiet"]]


def test_a_run_over_files_loads_no_client_of_a_service_and_no_translator(folder: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", COMMAND, *run(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert "apache_beam" in loaded
    # what is not found is listed, too, but nothing within
    services = {"google.cloud.storage.client", "google.cloud.pubsub_v1", "google.auth.transport"}
    assert not loaded & (services | {"pandas.core", "pymongo.common", "sqlglot.dialects"})


def test_views_are_translated_ahead_as_they_would_be_now(tmp_path: Path) -> None:
    duckdb_sql.write(tmp_path / "now.json")
    assert duckdb_sql.AHEAD.read_text() == (tmp_path / "now.json").read_text(), "run `make views`"


@pytest.mark.parametrize("form", ["table", "csv"])
def test_output_that_does_not_fit_is_a_failure_and_no_traceback(folder: Path, form: str) -> None:
    subprocess.run([COMMAND, *run(folder)], check=True, capture_output=True)
    asked = ["query", "--output", folder / "out", "--format", form, "SELECT 1"]
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(
            [COMMAND, *asked], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    expected = "meterbeam: what was printed is not whole: No space left on device\n"
    assert (told.returncode, told.stderr) == (1, expected)


def test_a_reader_that_has_enough_is_told_nothing(folder: Path) -> None:
    subprocess.run([COMMAND, *run(folder)], check=True, capture_output=True)
    many = "SELECT * FROM range(1000000)"
    with subprocess.Popen(
        [COMMAND, "query", "--output", folder / "out", "--format", "csv", many],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as asked:
        assert asked.stdout
        assert asked.stderr
        asked.stdout.readline()
        asked.stdout.close()
        assert not asked.stderr.read()
