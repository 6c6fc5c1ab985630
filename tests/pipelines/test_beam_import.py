"""However a place is named to a command, Beam has what it takes to get there."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from storage_server import storing

from runs_desk import CATALOG, RATES, event

GCS = "apache_beam.io.gcp.gcsfilesystem"
LIBRARY = "import sys; from pipelines.command import main; given = sys.stdin.read().split('\\n')\n"
CALLED = LIBRARY + "main(given)"
TWICE = LIBRARY + (
    "main([each.replace('gs:/', 'gs') for each in given], standalone_mode=False)\n"
    "import apache_beam.runners.dataflow.dataflow_runner\n"
    f"assert '{GCS}' not in sys.modules\n"
    "main(given)"
)
# a place that is not there: what was imported until then tells
TRIED = (
    LIBRARY
    + f"""
try:
    main(given)
except SystemExit as ended:
    print(ended.code, '{GCS}' in sys.modules)
"""
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose `gs` is gs:// for whoever asks."""
    bucket = tmp_path / "gs" / "bucket"
    bucket.mkdir(parents=True)
    for place in (bucket, tmp_path):
        (place / "catalog.yaml").write_text(CATALOG)
        (place / "rates.csv").write_text(RATES)
        (place / "a.ndjson").write_text(f"{event(1, 3)}\n")
    with storing(tmp_path / "gs") as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        yield tmp_path


def said(folder: Path, program: list[str], given: list[str], *, in_words: bool = True) -> str:
    done = subprocess.run(
        [sys.executable, *program, *(given if in_words else [])],
        input=None if in_words else "\n".join(given),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def run(*given: str) -> list[str]:
    return ["run", "--output", "out", "--quiet", *given]


FORMS = {
    "an input, joined": ["--catalog=catalog.yaml", "--input=gs://bucket/a.ndjson"],
    "an input, apart": ["--catalog", "catalog.yaml", "--input", "gs://bucket/*.ndjson"],
    "a catalog": ["--catalog", "gs://bucket/catalog.yaml", "--input", "a.ndjson"],
    "rates": ["--catalog=catalog.yaml", "--rates=gs://bucket/rates.csv", "--input=a.ndjson"],
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_in_a_bucket_is_read_by_whoever_calls_the_command(folder: Path, form: str) -> None:
    given = run(*FORMS[form])
    said(folder, ["-m", "pipelines.main"], given[1:])
    assert list((folder / "out" / "usage").rglob("*.parquet"))
    said(folder, ["-c", CALLED], [*given, "--replace"], in_words=False)


def test_a_process_that_read_files_of_its_own_reads_a_bucket_then(folder: Path) -> None:
    given = run("--catalog", "gs://bucket/catalog.yaml", "--input", "gs://bucket/a.ndjson")
    said(folder, ["-c", TWICE], [*given, "--replace"], in_words=False)


@pytest.mark.parametrize(
    "form",
    [
        ("--output", "bigquery://no-such-project.here.there"),
        ("--output=bigquery://no_such_project.there",),
        ("--temp_location=gs://bucket/temp", "--no-such-option"),
        ("--temp_location", "gs://bucket/temp", "--no-such-option"),
    ],
)
def test_an_output_or_an_option_that_names_a_service_has_it_imported(
    folder: Path, form: tuple[str, ...]
) -> None:
    given = run("--catalog=catalog.yaml", "--input=a.ndjson", *form)
    assert said(folder, ["-c", TRIED], given, in_words=False).split() == ["2", "True"]


def test_files_of_this_machine_go_without(folder: Path) -> None:
    given = run("--catalog=catalog.yaml", "--input=none.ndjson")
    assert said(folder, ["-c", TRIED], given, in_words=False).split() == ["2", "False"]


ASKED_LATER = """
import sys
from pipelines.beam_import import import_beam
import_beam(with_services=False)
assert not {"httplib2", "beartype"} & set(sys.modules)
from apache_beam.internal.http_client import get_new_http
from apache_beam.typehints.typehints import is_consistent_with
assert is_consistent_with(bool, int) and not is_consistent_with(int, str)
assert "beartype" not in sys.modules
import typing
assert is_consistent_with(typing.Callable[[int], int], typing.Callable)
import beartype.door
import httplib2
assert type(get_new_http()) is httplib2.Http
"""


def test_what_beam_asks_later_is_the_real_thing_then() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKED_LATER], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
